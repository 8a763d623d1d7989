"""One contract, two stores of call records: the simulated one promises what MongoDB keeps, and nothing more."""

from random import Random
from typing import Any

import pytest

from handlers.products.prices import Terms
from handlers.usage.rating import Rated, as_free, rate
from handlers.usage.records import Change, change_document, document_of, revised_fields, stored_of
from schemas.events import Event, Origin
from schemas.usage import UsageRecorded
from stores.collections import ensure_indexes
from stores.mongo import Database
from stores.usage.records import UsageRecords
from stores.usage.store import Given, NewRecord, Revision, UsageStore
from tests.simulation.sim_store import SimStore
from tests.simulation.turns import AsyncioTurns
from tests.simulation.usage.records import SimRecords
from tests.unit.usage.calls import NOON, a_book, a_call, a_grant

BOOK = a_book(a_grant("id", Terms(300)))
CALL = a_call(source="north")
CHARGED = rate(CALL, BOOK)
EVENT = Event("c1", "test", "usage.corrected", "1", NOON, b"{}")
HERE, THERE = Origin("usage~c1-0", 5), Origin("usage~c1-0", 9)


@pytest.fixture(params=["MongoDB", "simulated"])
async def store(request: pytest.FixtureRequest, database: Database) -> UsageStore:
    if request.param == "simulated":
        return SimRecords(SimStore(AsyncioTurns(), Random(1)))
    await ensure_indexes(database)
    return UsageRecords(database, 4)


def a_record(seq_no: str, rated: Rated = CHARGED, origin: Origin = HERE) -> NewRecord:
    usage = UsageRecorded(seq_no=seq_no, dept_id=1, check_item="id", success=1, final_source="north")
    return NewRecord(seq_no, origin, document_of(usage, CALL, rated))


def a_revision(seq_no: str, number: int, before: Rated, after: Rated) -> Revision:
    sets, unsets = revised_fields(after)
    change = Change(f"test/c{number}", THERE, before, after)
    return Revision(seq_no, number, sets, unsets, change_document(change, EVENT, 5, {}))


async def test_what_is_not_there_is_inserted_and_what_is_there_is_told_as_it_is_stored(store: UsageStore) -> None:
    assert await store.insert([a_record("s1"), a_record("s2")]) == {}

    there = await store.insert([a_record("s1", origin=THERE), a_record("s3")])

    assert list(there) == ["s1"]
    found = there["s1"]
    assert found is not None
    assert (found.origin, found.rated, found.original, found.call.at) == (HERE, CHARGED, CHARGED, NOON)
    assert set(await store.stored(["s1", "s2", "s3", "s4"])) == {"s1", "s2", "s3"}
    assert await store.settled(["s1"]) == await store.stored(["s1"])


async def test_a_free_call_is_given_once_and_the_lowest_that_were_not_given_are_known(store: UsageStore) -> None:
    await store.insert([a_record("s1", as_free(CHARGED, 1)), a_record("s4", as_free(CHARGED, 4))])

    assert await store.insert([a_record("s5", as_free(CHARGED, 4)), a_record("s2", as_free(CHARGED, 2))]) == {
        "s5": None
    }

    assert await store.given(["1/id", "1/other"]) == {"1/id": Given(4, [3]), "1/other": Given()}
    assert await store.stored(["s5"]) == {}


async def test_a_record_is_changed_from_what_it_was_and_keeps_what_it_had_been(store: UsageStore) -> None:
    unrated = rate(CALL, a_book())
    await store.insert([a_record("s1", unrated)])

    assert await store.revise(a_revision("s1", 0, unrated, CHARGED))
    assert not await store.revise(a_revision("s1", 0, unrated, CHARGED))
    assert await store.revise(a_revision("s1", 1, CHARGED, as_free(CHARGED, 1)))

    found = (await store.stored(["s1"]))["s1"]
    assert (found.original, found.rated) == (unrated, as_free(CHARGED, 1))
    assert [change.event for change in found.changes] == ["test/c0", "test/c1"]
    document: Any = await store.document("s1")
    assert "reason" not in document
    assert stored_of(dict(document)) == found


async def test_a_change_to_a_free_call_that_is_given_is_refused(store: UsageStore) -> None:
    await store.insert([a_record("s1", as_free(CHARGED, 1)), a_record("s2")])

    assert not await store.revise(a_revision("s2", 0, CHARGED, as_free(CHARGED, 1)))
    assert (await store.stored(["s2"]))["s2"].rated == CHARGED


async def test_a_record_that_is_not_there_is_not_changed(store: UsageStore) -> None:
    assert not await store.revise(a_revision("s1", 0, CHARGED, CHARGED))
    assert await store.document("s1") is None
