"""im_open_login_svc: accounts are imported, deleted, checked, and thrown out of their logins."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from ulid import ULID

from gateway.im.frame import Caller, Command
from gateway.im.messages_facts import fact
from gateway.im.services import LOGIN
from gateway.system import Reply
from schemas.events import Event
from schemas.im.accounts import (
    BAD_PARAMETER,
    MAX_ACCOUNTS,
    AccountCheck,
    AccountDelete,
    AccountDeleted,
    AccountImport,
    AccountKicked,
    AccountNamed,
    AccountResult,
    AccountResults,
    FailAccounts,
    MultiaccountImport,
)
from schemas.im.apps import App
from schemas.im.codes import Failed, text_of
from schemas.im.ids import key_of
from schemas.im.message import DELETED, ConversationDeleted, conversation_of, side_of
from schemas.times import unix_milliseconds
from stores.im import accounts
from stores.im.conversations import peers_of
from stores.mongo import Database

UNKNOWN = 70107

Forget = Callable[[Database, App, Sequence[str]], Awaitable[None]]
"""Takes away what is kept of accounts that are gone; is called again when the call is repeated."""


class Accounts:
    def __init__(self, database: Database, forget: Sequence[Forget]) -> None:
        self._database = database
        self._forget = forget

    async def import_one(self, caller: Caller, body: AccountImport) -> Reply:
        if trouble := body.trouble:
            raise Failed(trouble)
        await accounts.import_accounts(self._database, caller.app, {body.user: body.profile}, caller.at)
        return Reply()

    async def import_many(self, caller: Caller, body: MultiaccountImport) -> Reply:
        """What is wrong with one account does not keep the others out. Of one that comes twice the last counts."""
        _check_number(body.imports)
        good = {account.user: account.profile for account in body.imports if not account.trouble}
        await accounts.import_accounts(self._database, caller.app, good, caller.at)
        failed = dict.fromkeys(account.user for account in body.imports if account.trouble)
        return Reply(FailAccounts(fail_accounts=tuple(failed)))

    async def delete(self, caller: Caller, body: AccountDelete) -> Reply:
        """An admin is made by the settings and cannot be deleted."""
        _check_number(body.delete_item)
        users = list(dict.fromkeys(item.user for item in body.delete_item))
        ours = [user for user in users if user not in caller.app.admins]
        deleted, gone = await accounts.delete_accounts(self._database, caller.app, ours, caller.at)
        for forget in self._forget:
            await forget(self._database, caller.app, list(gone))

        def code(user: str) -> int:
            if user in caller.app.admins:
                return BAD_PARAMETER
            return 0 if user in deleted else UNKNOWN

        facts = tuple(_deleted(caller, user, at) for user, at in gone.items())
        results = AccountResults(result_item=tuple(_result(user, code(user)) for user in users))
        return Reply(results, facts, parts=self._conversations_of(caller, gone))

    async def _conversations_of(self, caller: Caller, gone: Mapping[str, datetime]) -> AsyncIterator[Sequence[Event]]:
        """That the sides of those who are gone are too, the histories with them; their peers keep theirs."""
        for user, gone_at in gone.items():
            # Not up to `gone_at` alone: a call that had looked before may have sent to them since.
            now = datetime.now(UTC)
            async for peers in peers_of(self._database, caller.app.id, user, gone_at):
                yield [_conversation_deleted(caller, user, peer, gone_at, now) for peer in peers]

    async def check(self, caller: Caller, body: AccountCheck) -> Reply:
        _check_number(body.check_item)
        users = [item.user for item in body.check_item]
        known = await accounts.existing(self._database, caller.app, users)
        results = (
            AccountResult(user_id=user, account_status="Imported" if user in known else "NotImported") for user in users
        )
        return Reply(AccountResults(result_item=tuple(results)))

    async def kick(self, caller: Caller, body: AccountNamed) -> Reply:
        if not body.user:
            raise Failed(BAD_PARAMETER)
        if not await accounts.existing(self._database, caller.app, [body.user]):
            raise Failed(UNKNOWN)
        account = key_of(caller.app.id, body.user)
        kicked = AccountKicked(account=account)
        return Reply(facts=(fact(caller, str(ULID()), "im.account.kicked", account, caller.at, kicked),))


def account_commands(database: Database, forget: Sequence[Forget] = ()) -> Sequence[Command]:
    own = Accounts(database, forget)

    def command(
        operation_id: str,
        name: str,
        body: type[msgspec.Struct],
        handle: Callable[..., Awaitable[Reply]],
        calls_per_second: int | None = None,
    ) -> Command:
        return Command(
            operation_id=operation_id,
            service=LOGIN,
            name=name,
            body=body,
            handle=handle,
            calls_per_second=calls_per_second,
        )

    return (
        command("imAccountImport", "account_import", AccountImport, own.import_one),
        command("imMultiaccountImport", "multiaccount_import", MultiaccountImport, own.import_many, 100),
        command("imAccountDelete", "account_delete", AccountDelete, own.delete, 100),
        command("imAccountCheck", "account_check", AccountCheck, own.check, 100),
        command("imKick", "kick", AccountNamed, own.kick),
    )


def _check_number(items: Sequence[object]) -> None:
    if not 1 <= len(items) <= MAX_ACCOUNTS:
        raise Failed(BAD_PARAMETER, f"1 to {MAX_ACCOUNTS} accounts, not {len(items)}")


def _result(user: str, code: int) -> AccountResult:
    return AccountResult(user_id=user, result_code=code, result_info=text_of(code))


def _deleted(caller: Caller, user: str, at: datetime) -> Event:
    account = key_of(caller.app.id, user)
    # An account is deleted once in each of its lives: a repeat of the call is the same fact.
    event_id = f"deleted/{account}/{unix_milliseconds(at)}"
    return fact(caller, event_id, "im.account.deleted", account, at, AccountDeleted(account=account))


def _conversation_deleted(caller: Caller, user: str, peer: str, gone_at: datetime, at: datetime) -> Event:
    app = caller.app.id
    deleted = ConversationDeleted(
        conversation=conversation_of(app, user, peer), app=app, owner=user, peer=peer, history_cleared=True
    )
    event_id = f"deleted/{side_of(app, user, peer)}/{unix_milliseconds(gone_at)}"
    return fact(caller, event_id, DELETED, deleted.conversation, at, deleted)
