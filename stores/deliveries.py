"""Deliveries as the dispatcher keeps them: one document each, written when something has come of it.

One that leaves at the first attempt is written once, with its result. One that has
to wait is written before its offset is committed, and found again by what it waits
for: its time, or its turn in its lane.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from schemas.delivery import OPEN, Attempt, DeliveryPlanned, State
from schemas.events import Origin
from stores.collections import DELIVERIES
from stores.mongo import DUPLICATE_KEY, IDS_PER_FIND, Database, Document, translated

KEPT_ATTEMPTS = 20
Write = InsertOne[Document] | UpdateOne


class Stored(msgspec.Struct, frozen=True):
    """A delivery that is open, as it is kept."""

    planned: DeliveryPlanned
    state: State
    order: int
    failures: int = 0
    due_at: datetime | None = None
    deaths: int = 0
    """How often it was given up before: each time has a dead letter of its own."""


class Change(msgspec.Struct, frozen=True):
    """What a delivery becomes."""

    state: State
    failures: int
    due_at: datetime | None = None
    reason: str | None = None
    attempt: Attempt | None = None
    finished_at: datetime | None = None


def insertion(
    planned: DeliveryPlanned, partition: int, origin: Origin, change: Change, now: datetime
) -> InsertOne[Document]:
    """The first write of a delivery."""
    body = msgspec.to_builtins(planned, builtin_types=(datetime,))
    document: Document = {"_id": body.pop("id"), **{name: value for name, value in body.items() if value is not None}}
    document |= {
        "origin": {"fence": origin.fence, "offset": origin.offset},
        "partition": partition,
        "order": origin.offset,
        "recorded_at": now,
        "attempts": [] if change.attempt is None else [to_document(change.attempt)],
        **_fields(change),
    }
    if change.state == State.DEAD:
        document["deaths"] = 1
    if planned.ordered_by is not None and change.state in OPEN:
        document["ordered_open"] = planned.ordered_by
    return InsertOne(document)


def update(delivery_id: str, change: Change) -> UpdateOne:
    """A later one. A further attempt is put down only where the delivery is open still: it may have been cancelled."""
    operators: Document = {"$set": _fields(change)}
    unset = {name: "" for name in ("due_at", "reason", "finished_at") if name not in operators["$set"]}
    if change.state not in OPEN:
        unset["ordered_open"] = ""
    operators["$unset"] = unset
    if change.state == State.DEAD:
        operators["$inc"] = {"deaths": 1}
    if change.attempt is not None:
        operators["$push"] = {"attempts": {"$each": [to_document(change.attempt)], "$slice": -KEPT_ATTEMPTS}}
    which: Document = {"_id": delivery_id}
    if change.state in OPEN:
        which["state"] = {"$in": [state.value for state in OPEN]}
    return UpdateOne(which, operators)


def parking(delivery_ids: Sequence[str]) -> list[Write]:
    """Waiting ones that are due and cannot go yet stand in their lane from now on."""
    return [
        UpdateOne({"_id": key, "state": State.WAITING}, {"$set": {"state": State.PARKED}, "$unset": {"due_at": ""}})
        for key in delivery_ids
    ]


def reopening(delivery_id: str, now: datetime) -> UpdateOne:
    """A dead one is to be tried again, from the start of its schedule."""
    return UpdateOne({"_id": delivery_id, "state": State.DEAD.value}, reopened(State.WAITING, now))


def reopened(state: State, due_at: datetime | None = None) -> list[Document]:
    """What makes a delivery that was given up an open one again, in its order where it has one."""
    opened: Document = {"state": state.value, "failures": 0, "ordered_open": "$ordered_by"}
    if due_at is not None:
        opened["due_at"] = due_at
    return [{"$set": opened}, {"$unset": ["reason", "finished_at"]}]


def _fields(change: Change) -> Document:
    fields = {
        "state": change.state.value,
        "failures": change.failures,
        "due_at": change.due_at,
        "reason": change.reason,
        "finished_at": change.finished_at,
    }
    return {name: value for name, value in fields.items() if value is not None}


def to_document(attempt: Attempt) -> Document:
    body: Document = msgspec.to_builtins(attempt, builtin_types=(datetime,))
    return {name: value for name, value in body.items() if value is not None}


class Deliveries:
    """The collection. Everything may raise StoreAway; then any part of what was asked may have been done."""

    def __init__(self, database: Database) -> None:
        self._deliveries = database[DELIVERIES]

    async def write(self, writes: Sequence[Write]) -> list[int]:
        """Unordered; returns the indexes of insertions that were there already."""
        try:
            with translated():
                await self._deliveries.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            others = [each for each in error.details["writeErrors"] if each["code"] != DUPLICATE_KEY]
            if others:
                raise RuntimeError(f"error {others[0]['code']}: {others[0]['errmsg'][:200]}") from None
            return sorted(each["index"] for each in error.details["writeErrors"])
        return []

    async def seen(self, delivery_ids: Sequence[str]) -> dict[str, State]:
        """The state of those that have been written."""
        found: dict[str, State] = {}
        for start in range(0, len(delivery_ids), IDS_PER_FIND):
            some = {"$in": list(delivery_ids[start : start + IDS_PER_FIND])}
            with translated():
                async for document in self._deliveries.find({"_id": some}, {"state": 1}):
                    found[document["_id"]] = State(document["state"])
        return found

    async def due(self, partition: int, now: datetime, limit: int) -> list[Stored]:
        """What has waited long enough, the longest due first."""
        asked = {"partition": partition, "state": State.WAITING.value, "due_at": {"$lte": now}}
        return await self._stored(asked, [("due_at", 1)], limit)

    async def parked(self, partition: int, lane: str, limit: int, except_orders: Iterable[str] = ()) -> list[Stored]:
        """What stands in a lane, the oldest first; without what has to wait for others of its order."""
        asked: Document = {"partition": partition, "lane": lane, "state": State.PARKED.value}
        if blocked := sorted(except_orders):
            asked["ordered_by"] = {"$nin": blocked}
        return await self._stored(asked, [("order", 1)], limit)

    async def parked_lanes(self, partition: int) -> list[str]:
        """The lanes of a partition in which something stands."""
        with translated():
            lanes: list[str] = await self._deliveries.distinct(
                "lane", {"partition": partition, "state": State.PARKED.value}
            )
        return lanes

    async def first_open(self, lane: str, ordered_by: str) -> tuple[str, State] | None:
        """Of one order in one lane, the first that has not left yet."""
        asked = {"lane": lane, "ordered_open": ordered_by, "state": {"$in": [state.value for state in OPEN]}}
        with translated():
            found = await self._deliveries.find(asked, {"state": 1}).sort([("order", 1)]).limit(1).to_list()
        return (found[0]["_id"], State(found[0]["state"])) if found else None

    async def gathered(self, partition: int, digest: str, due_at: datetime, limit: int) -> list[Stored]:
        """What waits for the same digest, oldest first: all of it falls due at the same instant."""
        asked = {"partition": partition, "state": State.WAITING.value, "due_at": due_at, "digest": digest}
        return await self._stored(asked, [("order", 1)], limit)

    async def _stored(self, asked: Document, order: list[tuple[str, int]], limit: int) -> list[Stored]:
        with translated():
            found = await self._deliveries.find(asked, {"attempts": 0}).sort(order).limit(limit).to_list()
        return [to_stored(document) for document in found]


def to_stored(document: Document) -> Stored:
    planned: dict[str, Any] = {**document, "id": document["_id"]}
    return Stored(
        msgspec.convert(planned, DeliveryPlanned),
        State(document["state"]),
        document["order"],
        document["failures"],
        document.get("due_at"),
        document.get("deaths", 0),
    )
