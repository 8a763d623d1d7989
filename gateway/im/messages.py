"""openim: messages are sent to one, copied to many, imported. Answered once Kafka has them.

Neither friendship nor blacklist nor mute is asked for (semantics, section 3): who calls is the app itself. What
an app wants to say before a message goes out is asked for around these calls, and changes the body they get
(`gateway.im.callbacks_out_commands`).
"""

import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime

import msgspec

from gateway.im.envelope import SomeFailed
from gateway.im.frame import Caller, Command, unchecked
from gateway.im.messages_facts import (
    ACCOUNT_UNKNOWN,
    CLOCKS_APART,
    FIELD_CODES,
    ITEM_UNKNOWN,
    TIME_BAD,
    TO_BAD,
    TO_UNKNOWN,
    checked_body,
    checked_push,
    fact,
    offline_push,
)
from gateway.im.services import OPENIM
from gateway.system import Reply
from schemas.events import Event
from schemas.im.codes import Failed
from schemas.im.message import (
    RELAYED,
    SENT,
    MessageKey,
    MessageRelayed,
    MessageSent,
    conversation_of,
    event_id_of,
)
from schemas.im.message_bodies import (
    LIVE,
    MAX_LIFE_SECONDS,
    MAX_RECEIVERS,
    SYNCED,
    BatchSendMsg,
    BatchSent,
    ImportMsg,
    ReceiverError,
    Sending,
    SendMsg,
    Sent,
)
from schemas.im.message_elements import Element
from stores.im.accounts import Accounts, profiles
from stores.im.presence import Presence, overall
from stores.mongo import Database

LIFE_TOO_LONG, LIFE_BAD, TOO_MANY = 90026, 90044, 90011

MSG_SETTINGS = "Tag_Profile_IM_MsgSettings"
DO_NOT_DISTURB = 1
"""Bit of it: the user wants no pushes."""


class Draft(msgspec.Struct, frozen=True):
    """A message that may go out, to one receiver or many."""

    sender: str
    key: MessageKey
    at: datetime
    body: Sending
    elements: tuple[Element, ...]


class Messages:
    def __init__(self, database: Database) -> None:
        self._database = database
        # Every message asks for its people: calls at the same moment ask together.
        self._accounts = Accounts(database)
        self._presence = Presence(database)

    async def send(self, caller: Caller, body: SendMsg) -> Reply:
        draft = await self._sendable(caller, body)
        facts = await self._facts(caller, draft, (body.to_account,))
        return Reply(Sent(msg_time=draft.key.time, msg_key=str(draft.key)), facts)

    async def check(self, caller: Caller, body: SendMsg) -> None:
        """Refuses what `send` would refuse."""
        await self._sendable(caller, body)

    async def _sendable(self, caller: Caller, body: SendMsg) -> Draft:
        draft = _draft(caller, body)
        known = await self._accounts.existing(caller.app, (draft.sender, body.to_account))
        if draft.sender not in known:
            raise Failed(ACCOUNT_UNKNOWN)
        if body.to_account not in known:
            raise Failed(TO_UNKNOWN)
        return draft

    async def send_batch(self, caller: Caller, body: BatchSendMsg) -> Reply:
        """One copy for each receiver that there is, all under one key."""
        receivers = tuple(dict.fromkeys(body.to_account))
        if not receivers:
            raise Failed(TO_BAD)
        if len(body.to_account) > MAX_RECEIVERS:
            raise Failed(TOO_MANY)
        draft = _draft(caller, body)
        known = await self._accounts.existing(caller.app, (draft.sender, *receivers))
        if draft.sender not in known:
            raise Failed(ACCOUNT_UNKNOWN)
        good = tuple(user for user in receivers if user in known)
        if not good:
            raise Failed(TO_UNKNOWN)
        facts = await self._facts(caller, draft, good)
        key = str(draft.key)
        if len(good) == len(receivers):
            return Reply(BatchSent(msg_key=key), facts)
        bad = tuple(ReceiverError(to_account=user, error_code=ITEM_UNKNOWN) for user in receivers if user not in known)
        return Reply(SomeFailed(BatchSent(msg_key=key, error_list=bad)), facts)

    async def import_one(self, caller: Caller, body: ImportMsg) -> Reply:
        """No callbacks, no push (semantics, section 8). Imported twice it is one fact: the first content stays."""
        checked_body(body.msg_body, body.cloud_custom_data)
        key = MessageKey(_seq(body.msg_seq), body.msg_random, body.msg_time_stamp)
        if key.second > caller.at + CLOCKS_APART:
            # No reading would ever cover it.
            raise Failed(TIME_BAD, "MsgTimeStamp is in the future")
        known = await self._accounts.existing(caller.app, (body.from_account, body.to_account))
        if body.from_account not in known:
            raise Failed(ACCOUNT_UNKNOWN)
        if body.to_account not in known:
            raise Failed(TO_UNKNOWN)
        app = caller.app.id
        message = MessageSent(
            conversation=conversation_of(app, body.from_account, body.to_account),
            app=app,
            sender=body.from_account,
            receiver=body.to_account,
            seq=key.seq,
            random=key.random,
            time=key.time,
            body=tuple(body.msg_body),
            custom_data=body.cloud_custom_data,
            counted=body.sync_from_old_system == LIVE,
            imported=True,
        )
        return Reply(facts=(_sent(caller, SENT, message, key.second),))

    async def _facts(self, caller: Caller, draft: Draft, receivers: Sequence[str]) -> tuple[Event, ...]:
        """A fact for each receiver."""
        body, key, app = draft.body, draft.key, caller.app.id
        kept = body.msg_life_time > 0
        offline = await self._offline(caller, body, receivers) if kept else ()
        push = offline_push(body.offline_push_info, draft.elements) if offline else None

        def one(receiver: str) -> Event:
            message = (MessageSent if kept else MessageRelayed)(
                conversation=conversation_of(app, draft.sender, receiver),
                app=app,
                sender=draft.sender,
                receiver=receiver,
                seq=key.seq,
                random=key.random,
                time=key.time,
                body=tuple(body.msg_body),
                custom_data=body.cloud_custom_data,
                in_senders_history=body.sync_other_machine == SYNCED,
                counted="NoUnread" not in body.send_msg_control,
                listed="NoLastMsg" not in body.send_msg_control,
                receipt_wanted=bool(body.is_need_read_receipt),
                extensible=bool(body.support_message_extension),
                life_seconds=body.msg_life_time,
                offline_push=push if receiver in offline else None,
            )
            return _sent(caller, SENT if kept else RELAYED, message, draft.at)

        return tuple(one(receiver) for receiver in receivers)

    async def _offline(self, caller: Caller, body: Sending, receivers: Sequence[str]) -> Collection[str]:
        """Those to whom a push goes in place of the message. Do-not-disturb counts only where the message says so."""
        if body.offline_push_info is not None and body.offline_push_info.push_flag == 1:
            return ()
        platforms = await self._presence.platforms_of(caller.app.id, receivers, caller.at)
        offline = {user for user, theirs in platforms.items() if overall(theirs) != "Online"}
        if "WithMuteNotifications" not in body.send_msg_control:
            return offline
        found = await profiles(self._database, caller.app, offline)
        return {user for user in offline if not int(found.get(user, {}).get(MSG_SETTINGS, 0)) & DO_NOT_DISTURB}


def message_commands(database: Database) -> Sequence[Command]:
    own = Messages(database)

    def command(
        operation_id: str,
        name: str,
        body: type[msgspec.Struct],
        handle: Callable[..., Awaitable[Reply]],
        check: Callable[..., Awaitable[None]] = unchecked,
    ) -> Command:
        return Command(
            operation_id=operation_id,
            service=OPENIM,
            name=name,
            body=body,
            handle=handle,
            check=check,
            field_codes=FIELD_CODES,
            nul_in_text=True,
        )

    return (
        command("imSendMsg", "sendmsg", SendMsg, own.send, own.check),
        command("imBatchSendMsg", "batchsendmsg", BatchSendMsg, own.send_batch),
        command("imImportMsg", "importmsg", ImportMsg, own.import_one),
    )


def _draft(caller: Caller, body: Sending) -> Draft:
    if body.msg_life_time > MAX_LIFE_SECONDS:
        raise Failed(LIFE_TOO_LONG)
    if body.msg_life_time < 0:
        raise Failed(LIFE_BAD)
    elements = checked_body(body.msg_body, body.cloud_custom_data)
    checked_push(body.offline_push_info)
    key = MessageKey(_seq(body.msg_seq), body.msg_random, int(caller.at.timestamp()))
    return Draft(body.from_account or caller.admin, key, caller.at, body, elements)


def _seq(given: int | None) -> int:
    """Left out, a random one (semantics, section 3)."""
    return random.getrandbits(32) if given is None else given


def _sent(caller: Caller, kind: str, message: MessageSent, at: datetime) -> Event:
    event_id = event_id_of(message.app, message.sender, message.receiver, message.key)
    return fact(caller, event_id, kind, message.conversation, at, message)
