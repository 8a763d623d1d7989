"""One partition's batch, from records to a committed offset.

The order is the guarantee: decide, write, look at what was written where that decides,
publish what follows, set poison aside, commit. A crash between any two repeats the batch;
identity and fence make the repeat harmless.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from handlers.letters import letter_for
from handlers.plan import Planner, Poisoned, split
from handlers.poison import PoisonGauge
from schemas.errors import Halted
from schemas.events import Event, LogId, Record
from stores.applier import Applied, apply_batch
from stores.store import Store
from workers.retry import Patience

T = TypeVar("T")

PUBLISH_EVENTS = 2_000
PUBLISH_BYTES = 4 * 1024 * 1024
"""Most that waits for one acknowledgement: more would never come in time, however often it is repeated."""

Commit = Callable[[int], Awaitable[None]]
"""Commits the next offset to read; it may fail silently, for a repeat is harmless."""


Afterwards = Callable[[Sequence[msgspec.Struct]], Awaitable[None]]
"""Looks at what facts have brought about. A repeat must do no harm. Raises StoreAway or BrokerAway."""


class Publishes(Protocol):
    async def publish(self, events: Sequence[Event]) -> None:
        """Return when Kafka has them all. Raises BrokerAway; then some may have been written."""
        ...


class Folded(msgspec.Struct):
    """What a batch came to."""

    applied: Applied
    poisoned: list[Poisoned]
    emitted: int


async def fold_batch(
    log: LogId,
    records: Sequence[Record],
    *,
    planner: Planner,
    gauge: PoisonGauge,
    store: Store,
    publisher: Publishes,
    commit: Commit,
    patience: Patience,
    afterwards: Afterwards | None = None,
) -> Folded:
    """Fold one batch. Raises Halted past the poison ceiling, with everything before it folded and committed."""
    steps = [planner.decide(record) for record in records]
    sound = up_to_ceiling(steps, gauge)
    decided, poisoned = split(sound)
    applied = await patience.while_transient(apply_batch, store, log, decided)
    looks = [look for step in applied.fresh for look in step.outcome.afterwards]
    if looks and afterwards is not None:
        await patience.while_transient(afterwards, looks)
    # A redelivered event is fresh and emits again, under the same ids: its first
    # pass may have been cut off before it did.
    emits = [event for step in applied.fresh for event in step.emits]
    letters = [letter_for(poison, log) for poison in poisoned]
    for some in publishable(emits + letters):
        await patience.while_transient(publisher.publish, some)
    if sound:
        # Last, and only now: an offset committed too early is an event lost.
        await commit(records[len(sound) - 1].offset + 1)
    halt_past_ceiling(log, records, steps, sound)
    return Folded(applied, poisoned, len(emits))


def publishable(events: Sequence[Event]) -> Iterator[list[Event]]:
    """The events in order, in parts that can be acknowledged in time: one notice may concern thousands."""
    part: list[Event] = []
    part_bytes = 0
    for event in events:
        if part and (len(part) == PUBLISH_EVENTS or part_bytes + len(event.data) > PUBLISH_BYTES):
            yield part
            part, part_bytes = [], 0
        part.append(event)
        part_bytes += len(event.data)
    if part:
        yield part


def up_to_ceiling(steps: Sequence[T | Poisoned], gauge: PoisonGauge) -> Sequence[T | Poisoned]:
    for index, step in enumerate(steps):
        if gauge.observe(isinstance(step, Poisoned)):
            return steps[:index]
    return steps


def halt_past_ceiling(
    log: LogId,
    records: Sequence[Record],
    steps: Sequence[object],
    sound: Sequence[object],
) -> None:
    """Raise Halted where not all of the batch was sound; what was is done with by now."""
    if len(sound) < len(steps):
        raise Halted(f"{log.fence} stopped at offset {records[len(sound)].offset}: too much poison ({_reasons(steps)})")


def _reasons(steps: Sequence[object]) -> str:
    return ", ".join(sorted({step.reason for step in steps if isinstance(step, Poisoned)}))
