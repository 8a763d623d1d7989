"""What records and totals must be, worked out from the logs alone, one event after another.

Where somebody changed prices in the middle of a run, when a call was rated is open; then
each record must say a price that was in force at some time, and all else must follow from
what the records say.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from handlers.letters import letter_for
from handlers.plan import Poisoned
from handlers.usage.prices import PriceBook
from handlers.usage.rating import Call, Rated, State, Upstream, as_free, free_limit, rate
from handlers.usage.records import USAGE_RECORDS, Stored, stored_of
from handlers.usage.revising import corrected, rated_again
from handlers.usage.totals import FIGURES, Totals
from schemas.cloudevents import decode_record
from schemas.events import LogId, Record
from schemas.usage import UsageCorrected
from stores.usage.settling import Asked, Counted, Heard
from tests.simulation.sim_broker import SimBroker
from tests.simulation.usage.world import ZONE
from workers.rate_batch import closing, failure_of, hear

Documents = dict[str, dict[str, dict[str, Any]]]
Step = Heard | Asked | Poisoned


class Expected(msgspec.Struct):
    """Where one event after another leads to."""

    rated: dict[str, Rated] = msgspec.field(default_factory=dict)
    changes: dict[str, list[str]] = msgspec.field(default_factory=dict)
    given: Counter[str] = msgspec.field(default_factory=Counter)
    letters: set[str] = msgspec.field(default_factory=set)
    failed: set[str] = msgspec.field(default_factory=set)


def mistakes(broker: SimBroker, documents: Documents, books: Sequence[PriceBook]) -> list[str]:
    logs = [(log, [hear(record, ZONE) for record in records]) for log, records in _logs(broker)]
    found = [*_of_records(documents, logs, books), *_of_totals(documents)]
    if len(books) == 1:
        found += _of_order(broker, documents, _naive(logs, books[0]))
    return found


def _logs(broker: SimBroker) -> Iterator[tuple[LogId, list[Record]]]:
    """Each creation's before those of the next."""
    for log, records, _ in broker.deleted:
        if log.topic == "usage":
            yield log, records
    for partition, records in enumerate(broker.topics["usage"].partitions):
        yield broker.log_id("usage", partition), records


def _naive(logs: Iterable[tuple[LogId, list[Step]]], book: PriceBook) -> Expected:
    expected = Expected()
    calls: dict[str, Heard] = {}
    for log, steps in logs:
        for step in steps:
            match step:
                case Poisoned():
                    expected.letters.add(letter_for(step, log).identity)
                case Heard() if step.usage.seq_no not in calls:
                    calls[step.usage.seq_no] = step
                    rated = _with_free(expected, rate(step.call, book), book)
                    expected.rated[step.usage.seq_no] = rated
                    if not rated.success:
                        expected.failed.add(failure_of(Counted(step, rated)).identity)
                case Asked():
                    _change(expected, calls, step, log, book)
    return expected


def _change(expected: Expected, calls: dict[str, Heard], asked: Asked, log: LogId, book: PriceBook) -> None:
    wish = asked.wish
    asked_for = (wish.seq_no,) if isinstance(wish, UsageCorrected) else wish.seq_nos
    there = [seq_no for seq_no in asked_for if seq_no in calls]
    if not there:
        unknown = Poisoned(asked.record, "unknown_record", "no record of this account and seqNo comes before it")
        expected.letters.add(letter_for(unknown, log).identity)
    for seq_no in there:
        changes, rated = expected.changes.setdefault(seq_no, []), expected.rated[seq_no]
        if asked.event.identity in changes:
            continue
        call = _as_kept(calls[seq_no].call, rated)
        if isinstance(wish, UsageCorrected):
            after = corrected(rated, call, wish, book)
        elif rated.state is State.UNRATED:
            after = _with_free(expected, rated_again(rated, call, book), book)
        else:
            continue
        changes.append(asked.event.identity)
        expected.rated[seq_no] = after


def _as_kept(call: Call, rated: Rated) -> Call:
    """The call as its record tells it. A source that was asked and not reported is kept as one that was."""
    call = msgspec.structs.replace(call, success=rated.success, tag=rated.tag, app_id=rated.app_id)
    if call.upstream or not rated.costs:
        return call
    kept = tuple(Upstream(cost.source, cost.item, cost.billable) for cost in rated.costs)
    return msgspec.structs.replace(call, upstream=kept)


def _with_free(expected: Expected, rated: Rated, book: PriceBook) -> Rated:
    if rated.free_no is not None or expected.given[rated.grant] >= free_limit(rated, book):
        return rated
    expected.given[rated.grant] += 1
    return as_free(rated, expected.given[rated.grant])


def _of_order(broker: SimBroker, documents: Documents, expected: Expected) -> Iterator[str]:
    records = documents.get(USAGE_RECORDS, {})
    for seq_no, rated in expected.rated.items():
        if seq_no in records and (stored := stored_of(records[seq_no])).rated != rated:
            yield f"{seq_no}: {stored.rated} and not {rated}"
    for seq_no, changes in expected.changes.items():
        kept = [change["event"] for change in records.get(seq_no, {}).get("changes", [])]
        if kept != changes:
            yield f"{seq_no}: changed by {kept} and not {changes}"
    for topic, ids in (("failures", expected.failed), ("dead-letters", expected.letters)):
        published = {decode_record(record).identity for log in broker.topics[topic].partitions for record in log}
        if published != ids:
            yield f"{topic}: {published ^ ids}"


def _of_records(
    documents: Documents, logs: Sequence[tuple[LogId, list[Step]]], books: Sequence[PriceBook]
) -> Iterator[str]:
    records = documents.get(USAGE_RECORDS, {})
    copies: dict[str, dict[tuple[str, int], Heard]] = {}
    for log, steps in logs:
        for step in steps:
            if isinstance(step, Heard):
                copies.setdefault(step.usage.seq_no, {})[log.fence, step.offset] = step
    for seq_no in copies.keys() ^ records.keys():
        yield f"{seq_no}: {'lost' if seq_no in copies else 'invented'}"
    for seq_no in copies.keys() & records.keys():
        stored = stored_of(records[seq_no])
        copy = copies[seq_no].get((stored.origin.fence, stored.origin.offset))
        if copy is None:
            yield f"{seq_no}: comes from {stored.origin}"
        elif not any(_fits(stored.original, rate(copy.call, book)) for book in books):
            yield f"{seq_no}: {stored.original} at no time's price"
        yield from _of_changes(seq_no, stored)
    yield from _of_free_calls(records.values(), books)


def _fits(kept: Rated, rated: Rated) -> bool:
    return kept == rated or (kept.free_no is not None and kept == as_free(rated, kept.free_no))


def _of_changes(seq_no: str, stored: Stored) -> Iterator[str]:
    changes = stored.changes
    for change, later in itertools.pairwise(changes):
        if change.after != later.before:
            yield f"{seq_no}: a change of {later.before}, which is {change.after}"
    if changes and changes[-1].after != stored.rated:
        yield f"{seq_no}: is {stored.rated} after {changes[-1].after}"
    if len({change.event for change in changes}) < len(changes):
        yield f"{seq_no}: changed twice by one event"


def _of_free_calls(records: Iterable[dict[str, Any]], books: Sequence[PriceBook]) -> Iterator[str]:
    given: dict[str, list[int]] = {}
    for record in records:
        if "free" in record:
            given.setdefault(record["free"]["grant"], []).append(record["free"]["no"])
    limits = {
        grant.key: max(book.grants[key].free_count for book in books if key in book.grants)
        for last in books
        for key, grant in last.grants.items()
    }
    for grant, numbers in given.items():
        if len(set(numbers)) < len(numbers) or max(numbers) > limits[grant]:
            yield f"{grant}: free calls {sorted(numbers)}, of {limits[grant]}"


def _of_totals(documents: Documents) -> Iterator[str]:
    totals = Totals(lambda day: closing(day, ZONE))
    for record in documents.get(USAGE_RECORDS, {}).values():
        totals.post(0, stored_of(record).rated)
    expected = {name: {total.key: total.sums for total in some} for name, some in totals.documents()}
    for name, fields in FIGURES.items():
        stored = documents.get(name, {})
        for key in stored.keys() | expected.get(name, {}).keys():
            figures = tuple(stored.get(key, {}).get(field, 0) for field in fields)
            if figures != expected.get(name, {}).get(key, (0,) * len(fields)):
                yield f"{name} {key}: {figures} and not {expected.get(name, {}).get(key)}"
