"""One batch, step by step: what has been done when each step is reached, and what a failure leaves undone."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.effects import Effect, Inc
from handlers.outcome import Emit, Outcome, Route
from handlers.plan import Planner
from handlers.poison import PoisonGauge
from schemas.cloudevents import encode_headers
from schemas.errors import BrokerAway, Halted
from schemas.events import Event, LogId, Record
from tests.simulation.sim_store import SimStore
from tests.simulation.turns import AsyncioTurns
from workers.fold_batch import PUBLISH_BYTES, PUBLISH_EVENTS, Folded, fold_batch, publishable
from workers.retry import Patience

LOG = LogId("facts", "c1", 0)


class Counted(msgspec.Struct, frozen=True):
    key: str


def fold_counted(_event: Event, counted: Counted) -> Outcome:
    return Outcome(
        effects=(Effect("counts", counted.key, {"n": Inc(1)}),), emits=(Emit("copy", "copied", counted.key, counted),)
    )


PLANNER = Planner({"counted": Route(Counted, fold_counted)})


class World:
    """A store, a publisher and a committer that say what they were asked to do, in order."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.published: list[Event] = []
        self.committed: list[int] = []
        self.broker_errors: list[Exception] = []
        self.store = SimStore(AsyncioTurns(), Random(1))

    async def publish(self, events: Sequence[Event]) -> None:
        self.steps.append(f"publish with {self.counted()} counted")
        if self.broker_errors:
            raise self.broker_errors.pop()
        self.published += events

    async def commit(self, next_offset: int) -> None:
        self.steps.append(f"commit with {len(self.published)} published")
        self.committed.append(next_offset)

    async def fold(self, records: Sequence[Record], gauge: PoisonGauge | None = None) -> Folded:
        async def at_once(_seconds: float) -> None:
            self.steps.append("wait")

        return await fold_batch(
            LOG,
            records,
            planner=PLANNER,
            gauge=gauge or PoisonGauge(run=10, window=100, share=1.0),
            store=self.store,
            publisher=self,
            commit=self.commit,
            patience=Patience(sleep=at_once),
        )

    def counted(self) -> int:
        return sum(document["n"] for document in self.store.collections.get("counts", {}).values())


def an_event(event_id: str, key: str = "a", data: bytes = b"") -> Event:
    return Event(
        id=event_id,
        source="test",
        type="counted",
        subject=key,
        time=datetime(2026, 1, 1, tzinfo=UTC),
        data=data or msgspec.json.encode(Counted(key)),
    )


def a_record(offset: int, event_id: str | None = None, key: str = "a") -> Record:
    event = an_event(event_id or f"e{offset}", key)
    return Record("facts", 0, offset, 0, key.encode(), event.data, encode_headers(event))


def poison(offset: int) -> Record:
    return Record("facts", 0, offset, 0, None, b"\xff", ())


async def test_it_writes_then_publishes_then_commits() -> None:
    world = World()

    folded = await world.fold([a_record(4), a_record(5), poison(6)])

    # two emitted events and one letter
    assert world.steps == ["publish with 2 counted", "commit with 3 published"]
    assert world.committed == [7]
    assert [event.type for event in world.published] == ["copied", "copied", "event.dead-lettered"]
    assert (len(folded.applied.fresh), len(folded.poisoned), folded.emitted) == (2, 1, 2)


async def test_a_repeat_counts_nothing_and_publishes_the_same_ids_again() -> None:
    world = World()
    records = [a_record(4), poison(5), a_record(6)]

    await world.fold(records)
    folded = await world.fold(records)

    assert world.counted() == 2
    assert folded.applied.redelivered == 2
    assert [event.identity for event in world.published[:3]] == [event.identity for event in world.published[3:]]


async def test_a_repeat_cut_elsewhere_counts_only_what_is_new() -> None:
    world = World()

    await world.fold([a_record(4), a_record(5)])
    folded = await world.fold([a_record(5), a_record(6), a_record(7)])

    assert world.counted() == 4
    assert (folded.applied.redelivered, folded.applied.refused) == (1, 1)


async def test_a_senders_duplicate_is_dropped_in_the_same_batch_and_in_a_later_one() -> None:
    world = World()

    first = await world.fold([a_record(4, "x"), a_record(5, "x"), a_record(6)])
    second = await world.fold([a_record(7, "x")])

    assert world.counted() == 2
    assert [len(folded.applied.duplicates) for folded in (first, second)] == [1, 1]
    assert len(world.published) == 2
    assert world.committed == [7, 8]


async def test_while_the_broker_is_away_nothing_is_committed() -> None:
    world = World()
    world.broker_errors = [BrokerAway("away"), BrokerAway("away")]

    await world.fold([a_record(4)])

    assert world.steps == ["publish with 1 counted", "wait"] * 2 + ["publish with 1 counted", "commit with 1 published"]


async def test_while_the_store_is_away_nothing_is_published_and_each_fact_still_counts_once() -> None:
    world = World()
    world.store.fault_share = 0.3

    for first in range(0, 24, 3):
        await world.fold([a_record(offset, key="abc"[offset % 2]) for offset in range(first, first + 3)])

    assert "wait" in world.steps
    published = [step for step in world.steps if step.startswith("publish")]
    assert published == [f"publish with {done} counted" for done in range(3, 25, 3)]


def break_store(world: World) -> None:
    world.store.upsert_fenced = fail  # type: ignore[method-assign] # the bug


def break_publisher(world: World) -> None:
    world.publish = fail  # type: ignore[method-assign] # the bug


@pytest.mark.parametrize("breaks", [break_store, break_publisher])
async def test_a_bug_ends_it_loudly_with_nothing_committed(breaks: Callable[[World], None]) -> None:
    world = World()
    breaks(world)

    with pytest.raises(RuntimeError, match="a bug"):
        await world.fold([a_record(4)])

    assert world.committed == []


async def fail(*_: Any) -> None:
    raise RuntimeError("a bug")


@given(st.lists(st.integers(0, 3 * PUBLISH_BYTES // 2), max_size=12))
def test_what_follows_is_published_in_order_in_parts_that_can_be_acknowledged(sizes: list[int]) -> None:
    events = [an_event(str(number), data=b"x" * size) for number, size in enumerate(sizes)]

    parts = list(publishable(events))

    assert [event for part in parts for event in part] == events
    assert all(len(part) == 1 or sum(len(event.data) for event in part) <= PUBLISH_BYTES for part in parts)


def test_no_more_events_than_can_be_acknowledged_are_published_at_once() -> None:
    events = [an_event(str(number)) for number in range(2 * PUBLISH_EVENTS + 1)]

    assert [len(part) for part in publishable(events)] == [PUBLISH_EVENTS, PUBLISH_EVENTS, 1]


async def test_past_the_ceiling_it_halts_with_all_before_it_folded_set_aside_and_committed() -> None:
    world = World()
    records = [a_record(4), poison(5), poison(6), poison(7), a_record(8)]

    with pytest.raises(Halted, match=r"offset 7.*not_a_cloudevent"):
        await world.fold(records, PoisonGauge(run=3, window=100, share=1.0))

    assert world.counted() == 1
    assert world.committed == [7]
    assert [event.type for event in world.published] == ["copied", "event.dead-lettered", "event.dead-lettered"]


async def test_where_the_first_record_is_past_the_ceiling_nothing_is_committed() -> None:
    world = World()

    with pytest.raises(Halted):
        await world.fold([poison(4)], PoisonGauge(run=1, window=100, share=1.0))

    assert (world.published, world.committed) == ([], [])
