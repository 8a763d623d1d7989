"""Deliveries: one push by one channel to one target."""

import hashlib
from base64 import b32encode
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import NO_NUL, Key, LongText, Text, check_free_form
from schemas.push import Attachments, Language, Recipient, Urgency
from schemas.times import Instant, check_instants


class State(StrEnum):
    """Where a delivery stands. The first two are open: something will still be done."""

    WAITING = "waiting"
    """Until `due_at`: a retry, the end of quiet hours, a digest that gathers."""
    PARKED = "parked"
    """Due, behind others of its lane."""
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up: a dead letter says why; may be tried again."""
    CANCELLED = "cancelled"


OPEN = (State.WAITING, State.PARKED)


Name = Annotated[str, msgspec.Meta(min_length=1, max_length=2_048, pattern=NO_NUL)]
"""Made of several keys."""


class DeliveryPlanned(msgspec.Struct, frozen=True, kw_only=True):
    """One push is to go out by one channel to one target."""

    id: Key
    """Made by `delivery_id`: the same for every repeat, and what a receiver knows repeats by."""
    lane: Name
    """What shares limits, order and outages; see `lane_of`."""
    push: Name
    """Identity of the event that asked for it."""
    recipient: Recipient
    channel: Key
    target: Name
    """Endpoint id, chat id or address."""
    kind: Key
    urgency: Urgency = "normal"
    title: Text | None = None
    body: LongText | None = None
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    language: Language = "en"
    mention: Name | None = None
    """Whom to address within the target: a contact's id in the system behind it."""
    requested_at: Instant
    not_before: Instant | None = None
    ordered_by: Name | None = None
    digest: Name | None = None
    """Deliveries of one digest leave as one message when its window ends (`not_before`)."""
    attachments: Attachments | None = None
    """Ids of files that go with it where the channel can carry them."""

    def __post_init__(self) -> None:
        check_instants(self)
        check_free_form(self.fields, "$.fields")


def delivery_id(push: str, recipient: str, channel: str, target: str) -> str:
    """The identity of a delivery: a repeat of the push makes the same one."""
    digest = hashlib.sha256(msgspec.json.encode((push, recipient, channel, target))).digest()
    return f"dl_{b32encode(digest[:16]).decode().rstrip('=').lower()}"


SHARED_LANE_CHANNELS = frozenset({"telegram", "email"})
"""All their targets are behind one bot and one mail server."""


def lane_of(channel: str, target: str) -> str:
    """An endpoint is a lane of its own; where all targets are behind one server, they share one."""
    return f"{channel}/all" if channel in SHARED_LANE_CHANNELS else f"{channel}/{target}"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try: what came of it, in `seconds`. `status` is HTTP's or SMTP's, None where nobody answered."""

    at: datetime
    outcome: str
    """`delivered`, `retry`, `refused` or `gone`, as the channel said."""
    seconds: float
    status: int | None = None
    response: str | None = None
    """The beginning of the answer, at most 500 characters."""


EVENT_TYPES = (
    EventType("delivery.planned", DeliveryPlanned, "A push is to go out by a channel", key="lane", internal=True),
)
