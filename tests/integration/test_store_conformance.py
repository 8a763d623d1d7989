"""One contract, two stores: the simulated one promises what MongoDB keeps, and nothing more.

What the simulation proves holds for MongoDB as far as the two agree here.
"""

import asyncio
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import reduce
from random import Random
from typing import Any, Protocol

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers import inboxes
from handlers.effects import (
    ABSENT,
    AddToSet,
    Change,
    Effect,
    FieldEffect,
    Inc,
    IncAbove,
    Latest,
    Max,
    Min,
    Recount,
    Set,
    apply,
    merge_changes,
)
from handlers.outcome import Fact, Outcome
from handlers.plan import Decided
from schemas.events import Event, LogId, Origin
from stores.applier import apply_batch, record_facts
from stores.collections import COLLECTIONS
from stores.mongo import Database, MongoStore, counting
from stores.store import Counted, FactDocument, Fenced, Store
from tests.simulation.sim_store import SimStore
from tests.simulation.turns import AsyncioTurns

FENCE, OTHER = "facts~c1-0", "facts~c1-1"
MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)
Document = Mapping[str, Any]


class Stored(Protocol):
    """A store, and a way to look at what is in it."""

    store: Store

    async def read(self, collection: str, key: str) -> Document | None: ...

    async def put(self, collection: str, document: dict[str, Any]) -> None: ...


class Simulated:
    def __init__(self) -> None:
        self.store = SimStore(AsyncioTurns(), Random(1))

    async def read(self, collection: str, key: str) -> Document | None:
        return self.store.collections.get(collection, {}).get(key)

    async def put(self, collection: str, document: dict[str, Any]) -> None:
        self.store.collections.setdefault(collection, {})[document["_id"]] = document


class Real:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = MongoStore(database, parallel_writes=4)

    async def read(self, collection: str, key: str) -> Document | None:
        return await self.database[collection].find_one({"_id": key})

    async def put(self, collection: str, document: dict[str, Any]) -> None:
        await self.database[collection].insert_one(document)


@pytest.fixture(params=["simulated", "mongodb"])
def stored(request: pytest.FixtureRequest) -> Stored:
    return Simulated() if request.param == "simulated" else Real(request.getfixturevalue("database"))


def fenced(
    change: Change,
    first: int,
    last: int | None = None,
    *,
    key: str = "a",
    fence: str = FENCE,
    seen: Mapping[str, int] | None = None,
) -> Fenced:
    return Fenced(key, fence, first, first if last is None else last, change, seen)


def a_fact(fact_id: str, offset: int, fence: str = FENCE, **body: object) -> FactDocument:
    return FactDocument(fact_id, Origin(fence, offset), body)


async def test_a_fact_is_kept_with_its_origin_and_body(stored: Stored) -> None:
    assert await stored.store.insert_facts("facts", [a_fact("x", 3, number=7)]) == {}

    document = await stored.read("facts", "x")
    assert document is not None
    assert (document["origin"], document["number"]) == ({"fence": FENCE, "offset": 3}, 7)


async def test_a_fact_that_is_there_keeps_its_origin_which_is_told_and_the_others_are_inserted(stored: Stored) -> None:
    await stored.store.insert_facts("facts", [a_fact("x", 3)])

    told = await stored.store.insert_facts("facts", [a_fact("w", 8), a_fact("x", 9, OTHER), a_fact("y", 10)])

    assert told == {"x": Origin(FENCE, 3)}
    assert (await stored.read("facts", "x") or {})["origin"]["offset"] == 3
    assert await stored.read("facts", "w") is not None
    assert await stored.read("facts", "y") is not None


async def test_of_two_who_insert_a_fact_at_once_one_wins_and_the_other_is_told(stored: Stored) -> None:
    for attempt in range(10):
        facts = [a_fact(f"x{attempt}", 1, FENCE)], [a_fact(f"x{attempt}", 2, OTHER)]
        told = await asyncio.gather(*(stored.store.insert_facts("facts", fact) for fact in facts))

        document = await stored.read("facts", f"x{attempt}")
        assert document is not None
        winner = Origin(**document["origin"])
        assert sorted(told, key=len) == [{}, {f"x{attempt}": winner}]


async def test_a_document_is_made_where_there_is_none(stored: Stored) -> None:
    assert await stored.store.upsert_fenced("docs", [fenced({"n": Inc(2)}, 4, 6)]) == []

    assert await stored.read("docs", "a") == {"_id": "a", "n": 2, "fence": {FENCE: 6}}


async def test_a_document_without_a_fence_lets_the_first_update_through(stored: Stored) -> None:
    await stored.put("docs", {"_id": "a", "settings": {"x": 1}})

    assert await stored.store.upsert_fenced("docs", [fenced({"n": Inc(1)}, 0)]) == []

    assert await stored.read("docs", "a") == {"_id": "a", "settings": {"x": 1}, "n": 1, "fence": {FENCE: 0}}


@pytest.mark.parametrize(
    ("first", "last", "passes"),
    [
        (6, 9, False),  # the fence stands at first
        (4, 9, False),  # between first and last: a redelivery cut elsewhere
        (1, 3, False),  # past all of it
        (7, 7, True),
        (8, 12, True),
    ],
)
async def test_a_fence_refuses_what_begins_at_or_before_it(stored: Stored, first: int, last: int, passes: bool) -> None:
    await stored.store.upsert_fenced("docs", [fenced({"n": Inc(1)}, 0, 6)])

    refused = await stored.store.upsert_fenced("docs", [fenced({"n": Inc(10)}, first, last)])

    assert refused == ([] if passes else [0])
    document = {"_id": "a", "n": 11 if passes else 1, "fence": {FENCE: last if passes else 6}}
    assert await stored.read("docs", "a") == document


async def test_partitions_and_creations_have_fences_of_their_own(stored: Stored) -> None:
    for fence in (FENCE, OTHER, "facts~c2-0"):
        assert await stored.store.upsert_fenced("docs", [fenced({"n": Inc(1)}, 5, fence=fence)]) == []

    document = await stored.read("docs", "a")
    assert document == {"_id": "a", "n": 3, "fence": {FENCE: 5, OTHER: 5, "facts~c2-0": 5}}


async def test_of_many_updates_the_refused_are_named_by_their_place_and_the_rest_are_done(stored: Stored) -> None:
    await stored.store.upsert_fenced("docs", [fenced({"n": Inc(1)}, 5, key=key) for key in ("b", "d")])

    updates = [fenced({"n": Inc(1)}, 5, key=key) for key in ("a", "b", "c", "d", "e")]

    assert await stored.store.upsert_fenced("docs", updates) == [1, 3]
    assert [(await stored.read("docs", key) or {})["n"] for key in "abcde"] == [1, 1, 1, 1, 1]


async def test_who_loses_the_race_to_make_a_document_is_refused_or_comes_second(stored: Stored) -> None:
    for attempt in range(10):
        key = f"a{attempt}"
        updates = [fenced({"n": Inc(by)}, 0, key=key, fence=fence) for by, fence in ((1, FENCE), (10, OTHER))]
        refused = await asyncio.gather(*(stored.store.upsert_fenced("docs", [update]) for update in updates))

        for update, indexes in zip(updates, refused, strict=True):
            if indexes:  # the document is there now: as the applier does
                assert await stored.store.upsert_fenced("docs", [update]) == []
        assert (await stored.read("docs", key) or {})["n"] == 11


async def test_of_two_who_fold_the_same_offsets_at_once_one_passes(stored: Stored) -> None:
    for attempt in range(10):
        update = fenced({"n": Inc(1)}, 3, key=f"a{attempt}")

        refused = await asyncio.gather(*(stored.store.upsert_fenced("docs", [update]) for _ in range(3)))

        assert sorted(refused) == [[], [0], [0]]
        assert (await stored.read("docs", f"a{attempt}") or {})["n"] == 1


async def test_fences_are_told_of_the_documents_that_have_them(stored: Stored) -> None:
    await stored.put("docs", {"_id": "settings only"})
    await stored.store.upsert_fenced("docs", [fenced({"n": Inc(1)}, 3, 7), fenced({"n": Inc(1)}, 4, key="b")])
    await stored.store.upsert_fenced("docs", [fenced({"n": Inc(1)}, 9, key="c", fence=OTHER)])

    keys = ["a", "b", "c", "settings only", "nobody"]

    assert await stored.store.fences("docs", keys, FENCE) == {"a": 7, "b": 4}


@pytest.mark.parametrize(
    ("stands", "seen", "passes"),
    [
        ({}, {}, True),
        ({FENCE: 3}, {FENCE: 3}, True),
        ({FENCE: 3, OTHER: 5}, {FENCE: 3, OTHER: 5}, True),
        ({OTHER: 5}, {OTHER: 5}, True),
        ({FENCE: 3}, {}, False),  # made meanwhile
        ({FENCE: 3, OTHER: 5}, {FENCE: 3}, False),  # another log feeds it now
        ({FENCE: 3, OTHER: 5}, {FENCE: 3, OTHER: 4}, False),
        ({FENCE: 7}, {FENCE: 7}, False),  # as seen, but folded already
    ],
)
async def test_a_change_that_supposes_fences_passes_where_they_stand_like_that(
    stored: Stored, stands: dict[str, int], seen: dict[str, int], passes: bool
) -> None:
    for fence, offset in stands.items():
        await stored.store.upsert_fenced("docs", [fenced({"n": Set(1)}, offset, fence=fence)])

    refused = await stored.store.upsert_fenced("docs", [fenced({"n": Set(2)}, 6, 9, seen=seen)])

    assert refused == ([] if passes else [0])
    document = await stored.read("docs", "a") or {}
    assert (document["n"], document["fence"]) == ((2, {**stands, FENCE: 9}) if passes else (1, stands))


async def test_a_document_of_settings_alone_has_no_fences_to_see(stored: Stored) -> None:
    await stored.put("docs", {"_id": "a", "settings": {"x": 1}})

    assert await stored.store.upsert_fenced("docs", [fenced({"n": Inc(1)}, 0, seen={})]) == []

    assert await stored.read("docs", "a") == {"_id": "a", "settings": {"x": 1}, "n": 1, "fence": {FENCE: 0}}


async def test_a_mark_changes_what_is_there_where_its_fence_passes_and_makes_nothing(stored: Stored) -> None:
    await stored.store.insert_facts("facts", [a_fact("x", 3), a_fact("y", 4)])
    await stored.store.update_fenced("facts", [fenced({"n": Inc(1)}, 6, key="y")])

    marks = [fenced({"n": Inc(1)}, 5, 6, key=key) for key in ("x", "y", "nobody")]
    await stored.store.update_fenced("facts", marks)

    found = {key: await stored.read("facts", key) for key in ("x", "y", "nobody")}
    assert {key: fact and (fact["n"], fact["fence"]) for key, fact in found.items()} == {
        "x": (1, {FENCE: 6}),
        "y": (1, {FENCE: 6}),
        "nobody": None,
    }


async def test_values_are_told_by_path_of_the_documents_that_are_there(stored: Stored) -> None:
    await stored.put("docs", {"_id": "a", "x": 1, "sub": {"y": MORNING, "z": 3}})
    await stored.put("docs", {"_id": "b", "sub": 4, "x": None})
    await stored.store.upsert_fenced("docs", [fenced({"x": Inc(0)}, 3, 7, key="c")])

    told = await stored.store.values("docs", ["a", "b", "c", "nobody"], ["x", "sub.y", "fence"])

    assert told == {"a": {"x": 1, "sub.y": MORNING}, "b": {}, "c": {"x": 0, "fence": {FENCE: 7}}}


async def test_origins_are_told_of_the_facts_that_are_there_hundreds_at_once(stored: Stored) -> None:
    ids = [str(number) for number in range(250)]
    await stored.store.insert_facts("facts", [a_fact(fact_id, int(fact_id)) for fact_id in ids[:-1]])

    told = await stored.store.origins("facts", ids)

    assert told == {fact_id: Origin(FENCE, int(fact_id)) for fact_id in ids[:-1]}


EVERYWHERE = {FENCE: 99, OTHER: 99}
MINE = {"owner": "me"}


@pytest.mark.parametrize(
    ("counted", "number"),
    [
        (Counted(MINE, EVERYWHERE), 5),
        (Counted({}, EVERYWHERE), 6),
        (Counted({"owner": "me", "tags.kind": "x"}, EVERYWHERE), 1),
        (Counted({"owner": "nobody"}, EVERYWHERE), 0),
        # m3, m4, m5 of one log and m4 of another; what is not within is not counted
        (Counted(MINE, {FENCE: 3}), 1),
        (Counted(MINE, {FENCE: 4}), 2),
        (Counted(MINE, {FENCE: 2}), 0),
        (Counted(MINE, {OTHER: 4}), 1),
        (Counted(MINE, {FENCE: 4, OTHER: 3}), 2),
        (Counted(MINE, {FENCE: 4, OTHER: 9, "facts~c2-0": 9}), 3),
        # at 1, 2, 2, 3 and one without
        (Counted(MINE, EVERYWHERE, "at", None), 5),
        (Counted(MINE, EVERYWHERE, "at", 0), 4),
        (Counted(MINE, EVERYWHERE, "at", 1), 3),
        (Counted(MINE, EVERYWHERE, "at", 2), 1),
        (Counted(MINE, EVERYWHERE, "at", 3), 0),
        (Counted(MINE, {FENCE: 4}, "at", 1), 1),
        (Counted(MINE, EVERYWHERE, "tags.rank", 6), 1),
    ],
)
async def test_facts_are_counted_that_match_are_above_the_bound_and_within(
    stored: Stored, counted: Counted, number: int
) -> None:
    await stored.store.insert_facts(
        "facts",
        [
            a_fact("a", 3, owner="me", at=1),
            a_fact("b", 4, owner="me", at=2, tags={"kind": "x", "rank": 7}),
            a_fact("c", 5, owner="me", at=3, tags={"kind": "y", "rank": 6}),
            a_fact("d", 4, OTHER, owner="me", at=2),
            a_fact("e", 6, owner="me"),
            a_fact("f", 3, owner="you", at=9),
        ],
    )

    assert await stored.store.count_facts("facts", [counted]) == [number]


async def test_a_bound_may_be_a_time_and_what_is_at_the_bound_is_not_above_it(stored: Stored) -> None:
    times = [MORNING + timedelta(milliseconds=ms) for ms in range(3)]
    await stored.store.insert_facts("facts", [a_fact(str(at), 1, at=at) for at in times])

    asked = [Counted({}, EVERYWHERE, "at", at) for at in times]

    assert await stored.store.count_facts("facts", asked) == [2, 1, 0]


async def test_answers_are_in_the_order_of_the_questions(stored: Stored) -> None:
    await stored.store.insert_facts("facts", [a_fact(str(number), number, group=number % 7) for number in range(70)])

    asked = [Counted({"group": number}, {FENCE: 10 * number}) for number in range(8)]

    # of 0, 7, 14, ... those up to 0; of 1, 8, 15, ... up to 10; and so on
    assert await stored.store.count_facts("facts", asked) == [1, 2, 3, 4, 6, 7, 8, 0]


def a_step(offset: int, event_id: str, fact: Fact, change: Change) -> Decided:
    event = Event(event_id, "test", "counted", "ann", MORNING, b"{}")
    return Decided(offset, event, Outcome(fact, (Effect("inboxes", "ann", change),)), ())


def entered(offset: int, ms: int, name: str | None = None) -> Decided:
    at = MORNING + timedelta(milliseconds=ms)
    fact = Fact("entries", {"key": "ann", "at": at})
    return a_step(offset, name or f"entered at {offset}", fact, {"unread": IncAbove((at,), "read_up_to")})


def read(offset: int, ms: int) -> Decided:
    recount = Recount("entries", {"key": "ann"}, ("at", "read_up_to"))
    change: Change = {"read_up_to": Max(MORNING + timedelta(milliseconds=ms)), "unread": recount}
    return a_step(offset, f"read at {offset}", Fact(), change)


async def unread(stored: Stored) -> int:
    number: int = (await stored.read("inboxes", "ann") or {})["unread"]
    return number


async def test_a_count_is_of_what_is_folded_whatever_is_there_already_or_comes_again(stored: Stored) -> None:
    store, log, other = stored.store, LogId("facts", "c1", 0), LogId("facts", "c1", 1)
    batch = [entered(0, 1), entered(1, 5), read(2, 3), entered(3, 2), entered(4, 6), entered(5, 7)]
    # A first attempt came as far as the facts.
    await record_facts(store, log, batch)

    await apply_batch(store, log, batch[:4])
    assert await unread(stored) == 1  # 5; neither 6 nor 7, which are not folded

    await apply_batch(store, log, batch[2:5])
    assert await unread(stored) == 2

    await apply_batch(store, other, [entered(0, 4, "x"), entered(1, 3, "y"), entered(2, 6, "entered at 4")])
    assert await unread(stored) == 3  # 4 is later than what was read, 3 is not, and 6 is a copy

    await apply_batch(store, log, [batch[5], read(6, 4), entered(7, 9)])
    assert await unread(stored) == 4  # 5, 6, 7, 9


def mark(offset: int, of: str) -> Decided:
    event = Event(f"mark at {offset}", "test", "marked", "ann", MORNING, b"{}")
    effect = Effect("entries", f"test/{of}", {"marks": Inc(1)}, create=False)
    return Decided(offset, event, Outcome(Fact(), (effect,)), ())


async def test_a_mark_is_on_what_came_before_it_wherever_the_batch_is_cut(stored: Stored) -> None:
    log = LogId("facts", "c1", 0)
    batch = [entered(0, 1, "a"), mark(1, "a"), mark(2, "b"), entered(3, 1, "b"), mark(4, "a"), mark(5, "b")]

    await record_facts(stored.store, log, batch)
    for part in (batch[:3], batch[1:4], batch):
        await apply_batch(stored.store, log, part)

    assert [(await stored.read("entries", f"test/{name}") or {})["marks"] for name in "ab"] == [2, 1]


async def test_who_counts_for_a_document_that_others_feed_at_once_counts_again(stored: Stored) -> None:
    logs = [LogId("facts", "c1", partition) for partition in range(4)]
    batches = [
        [
            entered(1, 2 * partition, f"{partition}/1"),
            read(2, partition),
            entered(3, 2 * partition + 1, f"{partition}/3"),
        ]
        for partition in range(4)
    ]
    for partition, batch in enumerate(batches):
        batch[1] = msgspec.structs.replace(batch[1], event=msgspec.structs.replace(batch[1].event, id=f"{partition}/2"))

    await asyncio.gather(*(apply_batch(stored.store, log, batch) for log, batch in zip(logs, batches, strict=True)))

    assert await unread(stored) == 4  # of 0 to 7, those above 3


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["", "a", "b", "é", "\U0001f600"])
    | st.integers(0, 3).map(lambda ms: MORNING + timedelta(milliseconds=ms)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=4,
)
instants = st.integers(0, 2).map(lambda ms: MORNING + timedelta(milliseconds=ms))
fields: dict[str, st.SearchStrategy[FieldEffect]] = {
    "counter": st.builds(Inc, st.integers(-9, 9)) | st.builds(Set, st.integers(-9, 9)),
    "most": st.builds(Max, st.integers(-9, 9)),
    "least": st.builds(Min, instants),
    "members": st.builds(AddToSet, st.lists(values, max_size=3).map(tuple)),
    "value": st.builds(Set, values),
    "profile.name": st.builds(Latest, instants, values, st.integers(0, 2)),
}
keys = itertools.count()  # each example its own document
histories = st.lists(st.fixed_dictionaries({}, optional=fields), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, cut=st.integers(0, 6))
async def test_documents_end_as_the_algebra_says_however_a_batch_is_cut(
    stored: Stored, history: list[Change], cut: int
) -> None:
    key = str(next(keys))
    expected: dict[str, Any] = {}
    for change in history:
        for field, effect in change.items():
            expected[field] = apply(effect, expected.get(field, ABSENT))

    for first, part in ((0, history[:cut]), (cut, history[cut:])):
        if part:
            merged = reduce(merge_changes, part)
            update = fenced(merged, first, first + len(part) - 1, key=key)
            assert await stored.store.upsert_fenced("docs", [update]) == []

    document = await stored.read("docs", key) or {}
    # As written, for to Python True is 1 and the order of an object's fields nothing.
    assert repr({field: at(document, field) for field in expected}) == repr(expected)


def at(document: Document, path: str) -> Any:
    return reduce(lambda place, name: place[name], path.split("."), document)


async def test_a_count_looks_at_no_more_facts_than_match_and_are_above_the_bound(database: Database) -> None:
    entries = database[inboxes.ENTRIES]
    for index in COLLECTIONS[inboxes.ENTRIES]:
        await entries.create_index(list(index.keys), **index.options)
    facts = [a_fact(f"{at}", at, recipient=f"r{at % 5}", at=at) for at in range(500)]
    await MongoStore(database, 1).insert_facts(inboxes.ENTRIES, facts)

    asked = counting(Counted({"recipient": "r0"}, {FENCE: 480, OTHER: 9}, "at", 450))
    explained = await database.command(
        "explain",
        {"aggregate": inboxes.ENTRIES, "pipeline": asked, "cursor": {}},
        verbosity="executionStats",
    )

    assert found_in(explained, "totalDocsExamined") <= 9  # 455, 460, ..., 495


def found_in(explained: Any, name: str) -> Any:
    """The first field of that name, however deep: servers put it in different places."""
    if isinstance(explained, Mapping) and name in explained:
        return explained[name]
    inner = explained.values() if isinstance(explained, Mapping) else explained if isinstance(explained, list) else ()
    return next((found for part in inner if (found := found_in(part, name)) is not None), None)
