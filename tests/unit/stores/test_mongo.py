"""Effects as update operators, and whose fault a driver's error is."""

from datetime import UTC, datetime

import pytest
from msgspec import structs
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

from handlers.effects import AddToSet, Inc, Latest, Max, Min, Set
from schemas.errors import StoreAway
from stores.mongo import counting, fence_filter, to_operators, translated
from stores.store import Counted, Fenced

MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)


def test_each_effect_becomes_its_operator_beside_the_fence() -> None:
    change = {
        "n": Inc(2),
        "m": Inc(-1),
        "value": Set({"x": 1}),
        "most": Max(3),
        "least": Min(1),
        "members": AddToSet(("a", "b")),
        "newest": Latest(MORNING, "v", 8),
    }

    assert to_operators(Fenced("a", "facts~c1-0", 4, 9, change)) == {
        "$set": {"fence.facts~c1-0": 9, "value": {"x": 1}},
        "$inc": {"n": 2, "m": -1},
        "$max": {"most": 3, "newest": {"at": MORNING, "seq": 8, "v": "v"}},
        "$min": {"least": 1},
        "$addToSet": {"members": {"$each": ["a", "b"]}},
    }


def test_a_register_has_its_fields_in_the_order_that_decides() -> None:
    assert list(Latest(MORNING, "v", 8).register) == ["at", "seq", "v"]


def test_the_fence_is_compared_with_the_first_offset_of_an_update() -> None:
    update = Fenced("a", "facts~c1-0", 4, 9, {"n": Inc(1)})

    assert fence_filter(update) == {"_id": "a", "fence.facts~c1-0": {"$not": {"$gte": 4}}}


def test_a_change_that_supposes_fences_is_for_a_document_that_has_just_these() -> None:
    update = Fenced("a", "facts~c1-0", 4, 9, {"n": Set(1)}, seen={"facts~c1-0": 2, "facts~c1-1": 7})

    below = {"_id": "a", "fence.facts~c1-0": {"$not": {"$gte": 4}}}
    assert fence_filter(update) == {**below, "fence": {"facts~c1-0": 2, "facts~c1-1": 7}}
    assert fence_filter(structs.replace(update, seen={})) == {**below, "fence": {"$exists": False}}


def test_facts_are_found_by_what_an_index_may_hold_and_their_origins_are_looked_at_after_that() -> None:
    counted = Counted({"recipient": "ann"}, {"facts~c1-0": 9, "facts~c1-1": 7}, "at", MORNING)

    assert counting(counted) == [
        {"$match": {"recipient": "ann", "at": {"$gt": MORNING}}},
        {
            "$match": {
                "$or": [
                    {"origin.fence": "facts~c1-0", "origin.offset": {"$lte": 9}},
                    {"origin.fence": "facts~c1-1", "origin.offset": {"$lte": 7}},
                ]
            }
        },
        {"$count": "n"},
    ]


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("connection closed"),
        NetworkTimeout("timed out"),
        NotPrimaryError("stepped down"),
        ServerSelectionTimeoutError("no server"),
        WaitQueueTimeoutError("pool"),
        ExecutionTimeout("too slow", 50),
        WTimeoutError("not by the majority in time", 64),
        PyMongoError("labelled", error_labels=["RetryableWriteError"]),
    ],
)
def test_what_may_work_later_is_a_store_that_is_away(error: PyMongoError) -> None:
    with pytest.raises(StoreAway), translated():
        raise error


@pytest.mark.parametrize("error", [OperationFailure("bad operator", 9), DuplicateKeyError("taken", 11000)])
def test_what_would_fail_again_is_a_bug(error: PyMongoError) -> None:
    with pytest.raises(type(error)), translated():
        raise error
