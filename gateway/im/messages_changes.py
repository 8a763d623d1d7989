"""openim: messages are recalled, overwritten, read. Which message is meant is looked up first.

What was sent a moment ago may not be folded yet: for a message of the last minute the store is asked again for
a while, before it is said not to exist.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ulid import ULID

from gateway.im.frame import Caller, Command
from gateway.im.messages_facts import (
    CLOCKS_APART,
    FIELD_CODES,
    FROM_BAD,
    TO_BAD,
    checked_body,
    checked_key,
    checked_size,
    fact,
)
from gateway.im.services import OPENIM
from gateway.system import Reply
from handlers.im.conversations import WITHIN_SECOND
from schemas.events import Event
from schemas.im.codes import Failed
from schemas.im.message import (
    MODIFIED,
    READ,
    WITHDRAWN,
    MessageKey,
    MessageModified,
    MessagesRead,
    MessageWithdrawn,
    conversation_of,
    side_of,
)
from schemas.im.message_bodies import ModifyMsg, NamedMessage, SetMsgRead
from schemas.times import unix_milliseconds
from stores.im.accounts import existing
from stores.im.messages import Stored, find_message
from stores.mongo import Database

NOT_FOUND, WITHDRAWN_ALREADY, NOTHING_TO_MODIFY = 20022, 20023, 90010

RECENT = timedelta(minutes=1)
PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.02


class MessageChanges:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def withdraw(self, caller: Caller, body: NamedMessage) -> Reply:
        key = await self._checked(caller, body)
        message = await stored_message(self._database, caller, body.from_account, body.to_account, key)
        if message.withdrawn:
            raise Failed(WITHDRAWN_ALREADY)
        return Reply(facts=(withdrawn_fact(caller, body.from_account, body.to_account, key),))

    async def modify(self, caller: Caller, body: ModifyMsg) -> Reply:
        """What is left out stays as it is. One that is recalled is gone."""
        if body.msg_body is None and body.cloud_custom_data is None:
            raise Failed(NOTHING_TO_MODIFY, "MsgBody or CloudCustomData is needed")
        if body.msg_body is not None:
            checked_body(body.msg_body, body.cloud_custom_data)
        key = await self._checked(caller, body)
        message = await stored_message(self._database, caller, body.from_account, body.to_account, key)
        if message.withdrawn:
            raise Failed(NOT_FOUND)
        stays = message.custom_data if body.cloud_custom_data is None else body.cloud_custom_data
        checked_size(message.body if body.msg_body is None else body.msg_body, stays)
        modified = MessageModified(
            conversation=conversation_of(caller.app.id, body.from_account, body.to_account),
            app=caller.app.id,
            sender=body.from_account,
            receiver=body.to_account,
            seq=key.seq,
            random=key.random,
            time=key.time,
            body=None if body.msg_body is None else tuple(body.msg_body),
            custom_data=body.cloud_custom_data,
        )
        return Reply(facts=(fact(caller, f"modified/{ULID()}", MODIFIED, modified.conversation, caller.at, modified),))

    async def read(self, caller: Caller, body: SetMsgRead) -> Reply:
        await self._check_accounts(caller, body.report_account, body.peer_account)
        up_to = read_up_to(body, caller.at)
        return Reply(facts=(read_fact(caller, body.report_account, body.peer_account, up_to),))

    async def _checked(self, caller: Caller, body: NamedMessage) -> MessageKey:
        key = checked_key(body.msg_key)
        await self._check_accounts(caller, body.from_account, body.to_account)
        return key

    async def _check_accounts(self, caller: Caller, first: str, second: str) -> None:
        known = await existing(self._database, caller.app, (first, second))
        if first not in known:
            raise Failed(FROM_BAD)
        if second not in known:
            raise Failed(TO_BAD)


async def stored_message(database: Database, caller: Caller, sender: str, receiver: str, key: MessageKey) -> Stored:
    """The message, as soon as it is folded if it is of the last minute. Refuses one that is not there."""
    patient = abs(caller.at - key.second) <= RECENT
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while (message := await find_message(database, caller.app.id, sender, receiver, key)) is None:
        if not patient or time.monotonic() > give_up_at:
            raise Failed(NOT_FOUND)
        await asyncio.sleep(PAUSE_SECONDS)
    return message


def withdrawn_fact(caller: Caller, sender: str, receiver: str, key: MessageKey) -> Event:
    """Each is a fact of its own: one that was told before the message must not hide another. Twice does no harm."""
    app = caller.app.id
    withdrawn = MessageWithdrawn(
        conversation=conversation_of(app, sender, receiver),
        app=app,
        sender=sender,
        receiver=receiver,
        seq=key.seq,
        random=key.random,
        time=key.time,
    )
    return fact(caller, f"withdrawn/{ULID()}", WITHDRAWN, withdrawn.conversation, caller.at, withdrawn)


def read_up_to(body: SetMsgRead, now: datetime) -> datetime:
    """Up to when is read: now, or the end of the second that is named."""
    if body.msg_read_time is None:
        return now
    named = datetime.fromtimestamp(int(body.msg_read_time), UTC) + WITHIN_SECOND
    # What is further off is a mistake, and would read all that is yet to come.
    return named if named <= now + CLOCKS_APART else now


def read_fact(caller: Caller, reader: str, peer: str, up_to: datetime) -> Event:
    """To read up to the same instant again changes nothing, so it is the same fact."""
    app = caller.app.id
    read = MessagesRead(conversation=conversation_of(app, reader, peer), app=app, reader=reader, peer=peer, up_to=up_to)
    event_id = f"read/{side_of(app, reader, peer)}/{unix_milliseconds(up_to)}"
    return fact(caller, event_id, READ, read.conversation, caller.at, read)


def message_change_commands(database: Database) -> Sequence[Command]:
    own = MessageChanges(database)
    return tuple(
        Command(
            operation_id=operation,
            service=OPENIM,
            name=name,
            body=body,
            handle=handle,
            field_codes=FIELD_CODES,
            nul_in_text=body is ModifyMsg,
        )
        for operation, name, body, handle in (
            ("imAdminMsgWithdraw", "admin_msgwithdraw", NamedMessage, own.withdraw),
            ("imModifyC2CMsg", "modify_c2c_msg", ModifyMsg, own.modify),
            ("imAdminSetMsgRead", "admin_set_msg_read", SetMsgRead, own.read),
        )
    )
