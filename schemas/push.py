"""Pushes: what is to be sent to whom. Delivery is another part's business."""

from typing import Literal

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import Key, LongText, Text


class PushRequested(msgspec.Struct, frozen=True, kw_only=True):
    """Something is to reach somebody. `user` leaves the way to the recipient's bindings."""

    channel: Literal["email", "user"]
    recipient: Key
    title: Text | None = None
    content: LongText | None = None


EVENT_TYPES = (EventType("push.requested", PushRequested, "Something is to be sent to somebody", key="recipient"),)
