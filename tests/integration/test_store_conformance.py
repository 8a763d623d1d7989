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

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.effects import (
    ABSENT,
    AddToSet,
    Change,
    FieldEffect,
    Inc,
    Latest,
    Max,
    Min,
    Set,
    apply,
    merge_changes,
)
from schemas.events import Origin
from stores.mongo import Database, MongoStore
from stores.store import FactDocument, Fenced, Store
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


def fenced(change: Change, first: int, last: int | None = None, *, key: str = "a", fence: str = FENCE) -> Fenced:
    return Fenced(key, fence, first, first if last is None else last, change)


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
