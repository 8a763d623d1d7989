"""What a handler returns: the fact to keep, the effects on documents, the events to emit."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from handlers.effects import Effect
from schemas.events import Event
from schemas.numbers import MAX_ID_CHARS

SEEN = "seen_events"
"""Facts without a document of their own are remembered here, and expire."""


class Fact(msgspec.Struct, frozen=True):
    """The document that makes a fact count once; the applier adds `_id`, `origin` and `recorded_at`."""

    collection: str = SEEN
    body: Mapping[str, Any] = msgspec.field(default_factory=dict)
    id: str | None = None
    """What the fact is known by where that is not its event's identity: a number given by the outside world."""


class Emit(msgspec.Struct, frozen=True):
    """An event caused by the one in hand. `name` tells apart what one event emits, so a repeat has the same id."""

    name: str
    type: str
    subject: str
    payload: msgspec.Struct


class Outcome(msgspec.Struct, frozen=True):
    fact: Fact = Fact()
    effects: tuple[Effect, ...] = ()
    emits: tuple[Emit, ...] = ()
    afterwards: tuple[msgspec.Struct, ...] = ()
    """What cannot be decided from the event alone: looked at after the write (`workers.afterwards`), perhaps again."""


MAX_FOLDED_BYTES = 5 * 512 * 1024
"""Of a record: as a document it stays below MongoDB's 16 MiB, where a short number takes six times its digits,
and as a dead letter, in base64, below what a topic takes."""


class Route(msgspec.Struct, frozen=True):
    """How one type of event is decoded and folded."""

    payload: type[msgspec.Struct]
    fold: Callable[[Event, Any], Outcome]
    max_bytes: int = MAX_FOLDED_BYTES


EMITTED_BY = "fanfold"


def emitted_event(cause: Event, emit: Emit) -> Event:
    """The event that `emit` asks for, under an id derived from its cause."""
    emitted_id = f"{cause.identity}#{emit.name}"
    if len(emitted_id) > MAX_ID_CHARS:
        emitted_id = f"{hashlib.sha256(cause.identity.encode()).hexdigest()}#{emit.name}"
    return Event(
        id=emitted_id,
        source=EMITTED_BY,
        type=emit.type,
        subject=emit.subject,
        time=cause.time,
        data=msgspec.json.encode(emit.payload),
        traceparent=cause.traceparent,
    )
