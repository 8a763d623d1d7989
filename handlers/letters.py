"""Poison becomes a dead letter: an event like any other, folded into `dead_letters`."""

from base64 import b64decode, b64encode
from collections.abc import Callable

import msgspec

from handlers.outcome import EMITTED_BY, MAX_FOLDED_BYTES, Fact, Outcome
from handlers.plan import Poisoned
from schemas.cloudevents import produced_at
from schemas.events import Event, LogId, Record
from schemas.letter import DeadLettered

COLLECTION = "dead_letters"
MAX_DETAIL_CHARS = 4_000

Seal = Callable[[bytes], str]
Unseal = Callable[[str], bytes]


def letter_for(poisoned: Poisoned, log: LogId, seal: Seal | None = None) -> Event:
    """The event that sets a record aside; its id is the origin, so a redelivered record has one letter.

    `seal`: for the values of a topic with personal data, which nobody may read in a letter.
    """
    record = poisoned.record
    if record.size > MAX_FOLDED_BYTES:
        # A letter that no topic takes would hold up its partition for good. What it was is still at its origin.
        record = msgspec.structs.replace(record, key=None, value=None, headers=())
    letter = DeadLettered(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        creation=log.creation,
        timestamp_ms=record.timestamp_ms,
        reason=poisoned.reason,
        detail=poisoned.detail[:MAX_DETAIL_CHARS],
        key=_base64(record.key),
        value=_base64(record.value) if seal is None else None,
        sealed=seal(record.value) if seal is not None and record.value is not None else None,
        headers=tuple((name, _base64(value)) for name, value in record.headers),
    )
    return Event(
        id=f"{log.fence}@{record.offset}",
        source=EMITTED_BY,
        type="event.dead-lettered",
        subject=log.fence,
        time=produced_at(record),
        data=msgspec.json.encode(letter),
    )


def keep_letter(event: Event, letter: DeadLettered) -> Outcome:
    """One open letter per record set aside; replaying and discarding are an operator's settings on it."""
    return Outcome(Fact(COLLECTION, {"state": "open", "at": event.time, "letter": msgspec.to_builtins(letter)}))


def record_of(letter: DeadLettered, unseal: Unseal) -> Record:
    """The record that was set aside, as it was."""
    return Record(
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        timestamp_ms=letter.timestamp_ms,
        key=_bytes(letter.key),
        value=_bytes(letter.value) if letter.sealed is None else unseal(letter.sealed),
        headers=tuple((name, _bytes(value)) for name, value in letter.headers),
    )


def _base64(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
