"""From records to decisions: decode, route, fold; what cannot be is poison.

Pure: the same records give the same decisions on every redelivery. That is what
lets the applier repeat a batch.
"""

import traceback
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from handlers.effects import Change, merge_changes, stamp
from handlers.outcome import Outcome, Route, emitted_event
from schemas.cloudevents import decode_record
from schemas.errors import Poison
from schemas.events import Event, Record
from schemas.numbers import MAX_ID_CHARS


class Decided(msgspec.Struct, frozen=True, gc=False):
    """What one record's event means."""

    offset: int
    event: Event
    outcome: Outcome
    emits: tuple[Event, ...]

    @property
    def fact_id(self) -> str:
        """`_id` of the fact."""
        return self.outcome.fact.id or self.event.identity


class Poisoned(msgspec.Struct, frozen=True):
    """A record that can never be folded. `reason` is a metric label, `detail` is for people."""

    record: Record
    reason: str
    detail: str


class Planner:
    """Routes of one worker, with a typed decoder for each."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = {
            name: (msgspec.json.Decoder(route.payload, strict=True), route) for name, route in routes.items()
        }

    def decide(self, record: Record) -> Decided | Poisoned:
        try:
            return self._decide(record)
        except Poison as poison:
            return Poisoned(record, poison.reason, str(poison))
        # A handler is deterministic: what it raises now it would raise again.
        except Exception:  # noqa: BLE001
            return Poisoned(record, "handler_failed", traceback.format_exc(limit=-5))

    def _decide(self, record: Record) -> Decided:
        event = decode_record(record)
        check_identity(event)
        if event.type not in self._routes:
            raise Poison("unknown_type", f"no handler folds {event.type!r} from topic {record.topic!r}")
        decoder, route = self._routes[event.type]
        if (size := record.size) > route.max_bytes:
            raise Poison("too_large", f"{size} bytes, at most {route.max_bytes} can be kept as a document")
        try:
            payload = decoder.decode(event.data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Poison("bad_payload", f"{event.type}: {error}") from error
        outcome = route.fold(event, payload)
        return Decided(record.offset, event, outcome, tuple(emitted_event(event, emit) for emit in outcome.emits))


def check_identity(event: Event) -> None:
    for name in ("id", "source", "type"):
        if not 0 < len(getattr(event, name)) <= MAX_ID_CHARS:
            raise Poison("not_a_cloudevent", f"{name} has between 1 and {MAX_ID_CHARS} characters")
    if len(event.subject) > MAX_ID_CHARS:
        raise Poison("not_a_cloudevent", f"subject has at most {MAX_ID_CHARS} characters")


class Pending(msgspec.Struct):
    """One document's changes in a batch, by ascending offset."""

    key: str
    parts: list[tuple[int, Change]]
    create: bool = True

    @property
    def first(self) -> int:
        return self.parts[0][0]

    @property
    def last(self) -> int:
        return self.parts[-1][0]

    def after(self, offset: int) -> "Pending | None":
        """The changes past an offset; None if there are none."""
        rest = [part for part in self.parts if part[0] > offset]
        return Pending(self.key, rest, self.create) if rest else None

    def merged(self) -> Change:
        change = self.parts[0][1]
        for _, later in self.parts[1:]:
            change = merge_changes(change, later)
        return change


def pending_by_document(decided: Iterable[Decided]) -> dict[str, list[Pending]]:
    """The documents a batch touches, by collection, each with its changes in log order."""
    pending: dict[tuple[str, str], Pending] = {}
    for step in decided:
        for effect in step.outcome.effects:
            change = stamp(effect.change, step.offset)
            document = pending.setdefault((effect.collection, effect.key), Pending(effect.key, [], effect.create))
            document.create |= effect.create
            if document.parts and document.last == step.offset:
                # One event, one part: it passes the document's fence whole or not at all.
                document.parts[-1] = (step.offset, merge_changes(document.parts[-1][1], change))
            else:
                document.parts.append((step.offset, change))
    collections: dict[str, list[Pending]] = {}
    for (collection, _), document in pending.items():
        collections.setdefault(collection, []).append(document)
    return collections


def split(steps: Sequence[Decided | Poisoned]) -> tuple[list[Decided], list[Poisoned]]:
    decided = [step for step in steps if isinstance(step, Decided)]
    poisoned = [step for step in steps if isinstance(step, Poisoned)]
    return decided, poisoned
