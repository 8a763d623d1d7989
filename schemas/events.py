"""Events and the records they travel in, free of any Kafka type.

An event is a CloudEvents 1.0 event whose data is JSON. Its identity is the pair
(source, id), as CloudEvents defines it: the same pair seen twice is one fact.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

Headers = Sequence[tuple[str, bytes | None]]


class Event(msgspec.Struct, frozen=True, gc=False):
    """A fact. `data` is the JSON payload as it travels; `time` is aware, UTC."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: bytes
    traceparent: str | None = None

    @property
    def identity(self) -> str:
        """What makes two copies of a fact the same fact."""
        # Sources are URIs and ids are free: a slash may stand in both, and must not let two facts look like one.
        return f"{self.source.replace('%', '%25').replace('/', '%2F')}/{self.id}"


class Record(msgspec.Struct, frozen=True, gc=False):
    """One Kafka record; `timestamp_ms` is the broker's or producer's, Unix milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def size(self) -> int:
        """Bytes it takes when written out; more than on its way where that was compressed."""
        held = len(self.key or b"") + len(self.value or b"")
        for name, value in self.headers:
            held += len(name) + len(value or b"") + 16  # quotes and brackets: there may be a million empty ones
        return held


class LogId(msgspec.Struct, frozen=True, gc=False):
    """One partition of one creation of a topic.

    `creation` is the broker's topic id. A topic that is deleted and created again
    starts at offset 0 under another id, so its offsets are never compared with the
    old ones.
    """

    topic: str
    creation: str
    partition: int

    @property
    def fence(self) -> str:
        """The key this partition has in a document's `fence` (no dots: it is a field name)."""
        return f"{self.topic.replace('.', '_')}~{self.creation}-{self.partition}"


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where a fact was first read: tells a redelivery from a client's duplicate."""

    fence: str
    offset: int
