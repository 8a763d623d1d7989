"""One partition's batch of usage, from records to a committed offset.

The order is the guarantee: decide and keep with the records, add to the totals, look at the
wallets, publish what follows, set poison aside, commit. A crash between any two repeats the
batch; what the records say was decided is what the repeat goes by, and identity and fence
make it harmless.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta

import msgspec

from handlers.letters import Seal, letter_for
from handlers.outcome import Emit, Fact, Outcome, Route, emitted_event
from handlers.plan import Planner, Poisoned
from handlers.poison import PoisonGauge
from handlers.usage.prices import PriceBook
from handlers.usage.records import call_of
from handlers.usage.totals import WALLETS, Totals
from schemas.events import Event, LogId, Record
from schemas.mt.common import Zone
from schemas.usage import UsageCorrected, UsageFailed, UsageRecorded, UsageRerateRequested
from stores.applier import fold
from stores.store import Store
from stores.usage.settling import Asked, Counted, Heard, Recounted, Settlement, Settler
from workers.fold_batch import Commit, Publishes, halt_past_ceiling, publishable, up_to_ceiling
from workers.retry import Patience

Books = Callable[[], Awaitable[PriceBook]]
"""The newest price book. Raises StoreAway."""
Watch = Callable[[Collection[int]], Awaitable[None]]
"""Looks at wallets that were charged. Raises StoreAway or BrokerAway."""


MILLISECOND = timedelta(milliseconds=1)


class RatedBatch(msgspec.Struct):
    """What a batch came to."""

    settlement: Settlement
    poisoned: list[Poisoned]
    documents: int
    refused: int


async def rate_batch(
    log: LogId,
    records: Sequence[Record],
    *,
    zone: Zone,
    gauge: PoisonGauge,
    books: Books,
    settler: Settler,
    store: Store,
    watch: Watch,
    publisher: Publishes,
    commit: Commit,
    patience: Patience,
    seal: Seal,
) -> RatedBatch:
    """Rate and count one batch. Raises Halted past the poison ceiling, with everything before it done and committed."""
    steps = [hear(record, zone) for record in records]
    sound = up_to_ceiling(steps, gauge)
    heard: list[Heard | Asked] = [step for step in sound if isinstance(step, Heard | Asked)]
    # Read after the records: who changed a price before a call was made, did so before this.
    book = await patience.while_transient(books)
    settlement = await patience.while_transient(settler.settle, log, heard, book)
    totals = totals_of(settlement, zone)
    documents, refused = await patience.while_transient(add_up, store, log, totals)
    wallets = [total.labels["wallet_id"] for name, some in totals.documents() if name == WALLETS for total in some]
    if wallets:
        await patience.while_transient(watch, wallets)
    poisoned = [step for step in sound if isinstance(step, Poisoned)] + settlement.poisoned
    letters = await patience.while_transient(letters_of, log, poisoned, seal)
    for some in publishable(failures(settlement) + letters):
        await patience.while_transient(publisher.publish, some)
    if sound:
        # Last, and only now: an offset committed too early is an event lost.
        await commit(records[len(sound) - 1].offset + 1)
    halt_past_ceiling(log, records, steps, sound)
    return RatedBatch(settlement, poisoned, documents, refused)


async def letters_of(log: LogId, poisoned: Sequence[Poisoned], seal: Seal) -> list[Event]:
    """Sealed: what cannot be read as a call holds the data of a person as well."""
    return [letter_for(poison, log, seal) for poison in poisoned]


def hear(record: Record, zone: Zone) -> Heard | Asked | Poisoned:
    """What a record reports or asks for."""
    step = PLANNER.decide(record)
    if isinstance(step, Poisoned):
        return step
    payload = step.outcome.fact.body["payload"]
    if isinstance(payload, UsageRecorded):
        return Heard(record, step.event, payload, call_of(step.event, payload, zone))
    return Asked(record, step.event, payload)


def _hand_on(_: Event, payload: UsageRecorded | UsageCorrected | UsageRerateRequested) -> Outcome:
    return Outcome(Fact(body={"payload": payload}))


PLANNER = Planner(
    {
        "usage.recorded": Route(UsageRecorded, _hand_on),
        "usage.corrected": Route(UsageCorrected, _hand_on),
        "usage.rerate.requested": Route(UsageRerateRequested, _hand_on),
    }
)


def totals_of(settlement: Settlement, zone: Zone) -> Totals:
    """What the batch adds to each total, by offset."""
    totals = Totals(lambda day: closing(day, zone))
    for posting in settlement.postings:
        match posting:
            case Counted(heard, rated):
                totals.post(heard.offset, rated)
            case Recounted(asked, before, after) if before != after:
                totals.repost(asked.offset, before, after)
    return totals


def closing(day: str, zone: Zone) -> datetime:
    """When the usage of a day is booked: at its last millisecond, in UTC."""
    return zone.end_of(datetime.fromisoformat(day).date()) - MILLISECOND


async def add_up(store: Store, log: LogId, totals: Totals) -> tuple[int, int]:
    """Write what the batch adds; how many documents it touched, and how many updates were refused."""
    touched = refused = 0
    for collection, documents in totals.documents():
        touched += len(documents)
        refused += await fold(store, log.fence, collection, documents)
    return touched, refused


def failures(settlement: Settlement) -> list[Event]:
    """The calls that found nothing, at their own time. A repeat publishes them again, under the same ids."""
    return [
        failure_of(posting)
        for posting in settlement.postings
        if isinstance(posting, Counted) and not posting.rated.success
    ]


def failure_of(counted: Counted) -> Event:
    heard, rated = counted.heard, counted.rated
    payload = UsageFailed(
        grant=rated.grant,
        dept_id=rated.dept_id,
        check_item=rated.item,
        seq_no=heard.usage.seq_no,
        merchant_id=rated.merchant_id,
        result_code=heard.usage.result_code,
        tag=rated.tag,
    )
    event = emitted_event(heard.event, Emit("failed", "usage.failed", rated.grant, payload))
    return msgspec.structs.replace(event, time=heard.call.at)
