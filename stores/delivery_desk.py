"""Deliveries as people look at them and decide about them: listed newest first, tried again, cancelled.

Every decision is one conditional change of one document, so that of two who decide at
once, or of one and the dispatcher, each sees what the other left.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from pymongo import ReturnDocument, UpdateOne

from schemas.delivery import OPEN, Attempt, State
from stores.collections import DELIVERIES
from stores.cursors import Cursor
from stores.deliveries import reopened
from stores.mongo import Database, Document, translated

MAX_PAGE = 500
RECOVERED_AT_ONCE = 500
CANCELLED_REASON = "by_request"
GIVEN_UP = (State.DEAD, State.CANCELLED)
_NEVER_NONE: Document = {"$exists": True}


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery in a list: without its text, with the last of its attempts."""

    id: str
    state: State
    push: str
    recipient: str
    channel: str
    target: str
    kind: str
    urgency: str
    title: str | None = None
    requested_at: datetime
    due_at: datetime | None = None
    finished_at: datetime | None = None
    failures: int
    reason: str | None = None
    last_attempt: Attempt | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery whole."""

    id: str
    state: State
    push: str
    lane: str
    recipient: str
    channel: str
    target: str
    kind: str
    urgency: str
    title: str | None = None
    body: str | None = None
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    language: str
    mention: str | None = None
    ordered_by: str | None = None
    digest: str | None = None
    requested_at: datetime
    not_before: datetime | None = None
    recorded_at: datetime
    due_at: datetime | None = None
    finished_at: datetime | None = None
    failures: int
    reason: str | None = None
    attempts: tuple[Attempt, ...] = ()
    """Oldest first; of very many, the last ones."""


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """A choice of deliveries; None chooses all. `since` is within it, `until` is not."""

    state: State | None = None
    channel: str | None = None
    recipient: str | None = None
    lanes: tuple[str, ...] | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def filter(self) -> Document:
        """Without the times."""
        wanted = {"state": self.state, "channel": self.channel, "recipient": self.recipient, "kind": self.kind}
        chosen: Document = {field: str(value) for field, value in wanted.items() if value is not None}
        if self.state in GIVEN_UP:
            # What is given up has a reason, and what has one is in an index of its own.
            chosen["reason"] = _NEVER_NONE
        if self.lanes is not None:
            chosen["lane"] = self.lanes[0] if len(self.lanes) == 1 else {"$in": list(self.lanes)}
        return chosen


class DeliveryDesk:
    """The collection. Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._deliveries = database[DELIVERIES]

    async def page(self, which: Which, *, after: Cursor | None = None, limit: int = 50) -> list[Summary]:
        """At most `limit` deliveries, newest first by (requested_at, id), from behind `after`."""
        limit = min(limit, MAX_PAGE)
        found: list[Document] = []
        before = which.until
        if after is not None:
            before = after.at if before is None else min(before, after.at)
            if (which.until is None or after.at < which.until) and (which.since is None or after.at >= which.since):
                found = await self._at(which, after.at, limit, below=after.id)
        if len(found) < limit:
            found += await self._before(which, before, limit - len(found))
        return [_summary(document) for document in found]

    async def _before(self, which: Which, before: datetime | None, limit: int) -> list[Document]:
        """The newest asked for before an instant.

        The indexes end with the time, so ids order only what was asked for at the same
        instant; of the last such instant, which the limit may cut in two, it is asked again.
        """
        times = {"$gte": which.since, "$lt": before}
        chosen = which.filter
        if bounds := {operator: time for operator, time in times.items() if time is not None}:
            chosen["requested_at"] = bounds
        with translated():
            found = await self._deliveries.find(chosen, _SUMMARY).sort([("requested_at", -1)]).limit(limit).to_list()
        found.sort(key=lambda document: (document["requested_at"], document["_id"]), reverse=True)
        if len(found) < limit:
            return found
        last = found[-1]["requested_at"]
        whole = [document for document in found if document["requested_at"] > last]
        return whole + await self._at(which, last, limit - len(whole))

    async def _at(self, which: Which, at: datetime, limit: int, below: str | None = None) -> list[Document]:
        """Those asked for at one instant, by id downwards."""
        chosen = {**which.filter, "requested_at": at}
        if below is not None:
            chosen["_id"] = {"$lt": below}
        with translated():
            return await self._deliveries.find(chosen, _SUMMARY).sort([("_id", -1)]).limit(limit).to_list()

    async def find(self, delivery_id: str) -> Delivery | None:
        with translated():
            document = await self._deliveries.find_one({"_id": delivery_id})
        return None if document is None else _delivery(document)

    async def retry(self, delivery_id: str, now: datetime) -> Delivery | None:
        """Due now; what was given up starts its schedule anew. None where it is in no state for that, or unknown."""
        given_up = {"$in": [state.value for state in GIVEN_UP]}
        opened = await self._change({"_id": delivery_id, "state": given_up}, reopened(State.WAITING, now))
        if opened is not None:
            return opened
        return await self._change({"_id": delivery_id, "state": State.WAITING.value}, {"$set": {"due_at": now}})

    async def cancel(self, delivery_id: str, now: datetime) -> Delivery | None:
        """Nothing more will be tried. None where it is not open (any more), or unknown."""
        cancelled = {"state": State.CANCELLED.value, "reason": CANCELLED_REASON, "finished_at": now}
        return await self._change(
            {"_id": delivery_id, "state": {"$in": [state.value for state in OPEN]}},
            {"$set": cancelled, "$unset": {"due_at": "", "ordered_open": ""}},
        )

    async def recover(self, lane: str, since: datetime) -> int:
        """Dead deliveries of a lane that were asked for since an instant stand in it again, in their old order.

        Returns how many. May be cut off at any point and called again for the rest.
        """
        recovered, last, done = 0, -1, list[str]()
        while True:
            chosen = {"lane": lane, "state": State.DEAD.value, "order": {"$gte": last}, "requested_at": {"$gte": since}}
            if done:
                chosen["_id"] = {"$nin": done}
            with translated():
                cursor = self._deliveries.find(chosen, {"order": 1}).sort([("order", 1)]).limit(RECOVERED_AT_ONCE)
                found = await cursor.to_list()
                if not found:
                    return recovered
                # One after another: the dispatcher looks on, and must not find a later one first.
                result = await self._deliveries.bulk_write([_parked(document["_id"]) for document in found])
            recovered += result.modified_count
            # What dies again meanwhile is not taken up again: offsets only rise, but may repeat in another log.
            repeated = done if found[-1]["order"] == last else []
            last = found[-1]["order"]
            done = repeated + [document["_id"] for document in found if document["order"] == last]

    async def _change(self, which: Document, change: Document | Sequence[Document]) -> Delivery | None:
        with translated():
            document = await self._deliveries.find_one_and_update(which, change, return_document=ReturnDocument.AFTER)
        return None if document is None else _delivery(document)


def _parked(delivery_id: str) -> UpdateOne:
    return UpdateOne({"_id": delivery_id, "state": State.DEAD.value}, reopened(State.PARKED))


_SUMMARY = {"body": 0, "fields": 0}


def _summary(document: Document) -> Summary:
    attempts = document.get("attempts") or [None]
    return msgspec.convert({**document, "id": document["_id"], "last_attempt": attempts[-1]}, Summary)


def _delivery(document: Document) -> Delivery:
    return msgspec.convert({**document, "id": document["_id"]}, Delivery)
