"""Dead letters: events that could not be folded, kept whole with their origin and the reason."""

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import Int32, Int64


class DeadLettered(msgspec.Struct, frozen=True):
    """A record set aside. `key` and `value` are base64, as they were, so that a replay is the same record.

    The value of what may hold personal data is `sealed`, that is encrypted, and `value` null.
    """

    topic: str
    partition: Int32
    offset: Int64
    creation: str
    timestamp_ms: Int64
    reason: str
    detail: str
    key: str | None
    value: str | None
    headers: tuple[tuple[str, str | None], ...]
    sealed: str | None = None


EVENT_TYPES = (
    EventType("event.dead-lettered", DeadLettered, "A record that can never be folded was set aside", internal=True),
)
