"""A push to all or to chosen users of an app: one message fact for each receiver.

The messages are like those of sendmsg: unread, listed, pushed to those who are offline.
They are in nobody's history (semantics, section 11), and the sender's own list of
conversations knows nothing of them. For `MsgLifeTime` 0 only who is online gets one.
"""

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from handlers.im.labels import Selection
from schemas.events import Event
from schemas.im.message import (
    RELAYED,
    SENT,
    SOURCE,
    MessageKey,
    MessageRelayed,
    MessageSent,
    OfflinePush,
    conversation_of,
    event_id_of,
)
from schemas.times import unix_milliseconds


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """One im_push, as it is kept while it is worked off."""

    task: str
    """TaskId."""
    app: str
    sender: str
    random: int
    body: list[dict[str, Any]]
    life_seconds: int
    offline: OfflinePush | None = None
    """What those who are offline are told; None: nothing."""
    selection: Selection | None = None
    """None: everybody."""
    traceparent: str | None = None

    @property
    def kept(self) -> bool:
        return self.life_seconds > 0


def task_id_of(app: str, sender: str, random: int, second: int) -> str:
    """The same for the same call within its second, whichever gateway gets it."""
    return f"{app}_{_number_of(sender, 6)}_{random}_{second}"


def message_to(push: Push, receiver: str, at: datetime, *, online: bool) -> Event | None:
    """The receiver's copy; None where there is none. The same again, for the same instant, is the same fact."""
    if not (push.kept or online):
        return None
    # The time of the receiver's turn: were it the call's, who has read meanwhile would have read it unseen.
    key = MessageKey(_number_of(push.task, 4), push.random, unix_milliseconds(at) // 1000)
    message = (MessageSent if push.kept else MessageRelayed)(
        conversation=conversation_of(push.app, push.sender, receiver),
        app=push.app,
        sender=push.sender,
        receiver=receiver,
        seq=key.seq,
        random=key.random,
        time=key.time,
        body=tuple(push.body),
        in_senders_history=False,
        roams=False,
        life_seconds=push.life_seconds,
        offline_push=push.offline if push.kept and not online else None,
    )
    return Event(
        id=event_id_of(push.app, push.sender, receiver, key),
        source=SOURCE,
        type=SENT if push.kept else RELAYED,
        subject=message.conversation,
        time=at,
        data=msgspec.json.encode(message),
        traceparent=push.traceparent,
    )


def _number_of(text: str, size: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size])
