"""Inboxes: what was pushed to somebody, and how much of it is unread."""

from typing import Annotated, Any

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import NO_NUL, Key, LongText, Text, check_free_form
from schemas.push import Recipient, Urgency
from schemas.times import Instant, Timed


class InboxEntered(msgspec.Struct, frozen=True, kw_only=True):
    """A push landed in its recipient's inbox; unread until read."""

    recipient: Recipient
    push: Annotated[str, msgspec.Meta(max_length=2_048, pattern=NO_NUL)]
    """Identity of the event that asked for it."""
    kind: Key
    urgency: Urgency = "normal"
    title: Text | None = None
    body: LongText | None = None
    fields: dict[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_free_form(self.fields, "$.fields")


class InboxRead(Timed, frozen=True, kw_only=True):
    """Everything in the inbox that was there up to an instant is read."""

    recipient: Recipient
    up_to: Instant
    """By the time of the pushes."""


EVENT_TYPES = (
    EventType("inbox.entered", InboxEntered, "A push landed in an inbox", key="recipient", internal=True),
    EventType("inbox.read", InboxRead, "An inbox was read up to an instant", key="recipient"),
)
