"""What callbacks say of messages, as the facts that the API's own calls make: seen both ways a message is one.

A message is known by app, From, To and MsgKey, a reading by who read whose messages up to which second.
A recall is a fact of its own each time, as it is by the API. What would be no such fact (a message
that failed, a name that no account can have) is no fact about messages.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from ulid import ULID

from gateway.im.callbacks_in_facts import Received, fact, time_in
from gateway.im.messages_facts import CLOCKS_APART
from handlers.im.conversations import WITHIN_SECOND
from schemas.events import Event
from schemas.im.callbacks import AFTER_READ, AFTER_SEND, AFTER_WITHDRAW, MessageReported, MessageTold, MessageUndone
from schemas.im.message import (
    READ,
    RELAYED,
    SENT,
    WITHDRAWN,
    MessageKey,
    MessageRelayed,
    MessageSent,
    MessagesRead,
    MessageWithdrawn,
    conversation_of,
    event_id_of,
    parse_key,
    side_of,
)
from schemas.times import unix_milliseconds

T = TypeVar("T", bound=msgspec.Struct)


def sent_fact(received: Received, told: MessageTold) -> Event | None:
    """None for a message that failed: nobody has it."""
    if told.send_msg_result != 0:
        return None
    app, key = received.app.id, MessageKey(told.msg_seq, told.msg_random, told.msg_time)
    kind, name = (MessageRelayed, RELAYED) if told.online_only_flag else (MessageSent, SENT)
    payload = _checked(
        kind,
        **_between(app, told.from_account, told.to_account, key),
        body=told.msg_body,
        **({"custom_data": told.cloud_custom_data} if told.cloud_custom_data else {}),
    )
    event_id = event_id_of(app, told.from_account, told.to_account, key)
    return fact(received.call, event_id, name, payload.conversation, _within(key, received), payload)


def read_fact(received: Received, reported: MessageReported) -> Event:
    app, reader, peer = received.app.id, reported.report_account, reported.peer_account
    now = received.call.received_at
    named = MessageKey(0, 0, reported.last_read_time).second + WITHIN_SECOND
    # What is further ahead than clocks differ is a mistake, and would read all that is yet to come.
    up_to = named if named <= now + CLOCKS_APART else now
    conversation = conversation_of(app, reader, peer)
    payload = _checked(MessagesRead, conversation=conversation, app=app, reader=reader, peer=peer, up_to=up_to)
    event_id = f"read/{side_of(app, reader, peer)}/{unix_milliseconds(up_to)}"
    return fact(received.call, event_id, READ, conversation, received.at, payload)


def withdrawn_fact(received: Received, undone: MessageUndone) -> Event:
    key = parse_key(undone.msg_key)
    if key is None:
        raise ValueError("MsgKey is none")
    app = received.app.id
    payload = _checked(MessageWithdrawn, **_between(app, undone.from_account, undone.to_account, key))
    return fact(received.call, f"withdrawn/{ULID()}", WITHDRAWN, payload.conversation, received.at, payload)


def _between(app: str, sender: str, receiver: str, key: MessageKey) -> dict[str, Any]:
    return {
        "conversation": conversation_of(app, sender, receiver),
        "app": app,
        "sender": sender,
        "receiver": receiver,
        "seq": key.seq,
        "random": key.random,
        "time": key.time,
    }


def _checked(kind: type[T], **fields: Any) -> T:
    """Raises msgspec.ValidationError where such a fact could not be folded."""
    return msgspec.convert(fields, kind)


def _within(key: MessageKey, received: Received) -> datetime:
    """When it was sent: to the millisecond, where the callback says so and means the same second."""
    said = time_in(received.body)
    return said if said is not None and timedelta() <= said - key.second < timedelta(seconds=1) else key.second


ToFact = Callable[[Received, Any], Event | None]

MESSAGE_FACTS: dict[str, tuple[type[msgspec.Struct], ToFact]] = {
    AFTER_SEND: (MessageTold, sent_fact),
    AFTER_READ: (MessageReported, read_fact),
    AFTER_WITHDRAW: (MessageUndone, withdrawn_fact),
}
