"""Calls without a price: which, why, and the requests that have them rated again."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from handlers.outcome import EMITTED_BY
from handlers.usage.rating import State
from handlers.usage.records import USAGE_RECORDS
from schemas.events import Event
from schemas.mt.access import Scope
from schemas.usage import MAX_RERATED, UsageRerateRequested
from stores.mongo import IDS_PER_FIND, Database, Document, translated

UNRATED = {"state": State.UNRATED.value}
_PLACE = {"dept_id": 1, "origin": 1}


class Unrated(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of an account and product that lack a price for one reason."""

    dept_id: int
    item: str
    reason: str
    count: int
    first_at: datetime
    last_at: datetime


class Waiting(msgspec.Struct, frozen=True, order=True):
    """A call to be rated again; ordered as calls are in the log."""

    dept_id: int
    fence: str
    offset: int
    seq_no: str


async def unrated_groups(database: Database, match: Mapping[str, Any]) -> list[Unrated]:
    """What there is, most calls first. Raises StoreAway."""
    group = {
        "_id": {"dept_id": "$dept_id", "item": "$item", "reason": "$reason"},
        "count": {"$sum": 1},
        "first_at": {"$min": "$created_at"},
        "last_at": {"$max": "$created_at"},
    }
    with translated():
        found = await (
            await database[USAGE_RECORDS].aggregate([{"$match": {**UNRATED, **match}}, {"$group": group}])
        ).to_list()
    groups = [Unrated(**each.pop("_id"), **each) for each in found]
    return sorted(groups, key=lambda each: (-each.count, each.dept_id, each.item, each.reason))


async def waiting_calls(database: Database, match: Mapping[str, Any]) -> list[Waiting]:
    """The calls without a price, in the order in which free ones go to them. Raises StoreAway."""
    with translated():
        found = await database[USAGE_RECORDS].find({**UNRATED, **match}, _PLACE).to_list()
    return _in_order(found)


async def named_calls(database: Database, seq_nos: Sequence[str], scope: Scope) -> list[Waiting]:
    """The same, of those that are named and that the caller may know of. Raises StoreAway."""
    found: list[Document] = []
    for start in range(0, len(seq_nos), IDS_PER_FIND):
        some = {"_id": {"$in": list(seq_nos[start : start + IDS_PER_FIND])}}
        with translated():
            found += await database[USAGE_RECORDS].find(some, {**_PLACE, "merchant_id": 1, "state": 1}).to_list()
    known = {record["_id"]: record for record in found if record["state"] == State.UNRATED}
    return _in_order(record for record in known.values() if scope.admits_document(record))


async def accounts_waiting(database: Database, merchants: Collection[int] | None) -> dict[int, int]:
    """How many calls lack a price, by account: of some customers, or (None) of all. Raises StoreAway."""
    # Customers in a stage of their own: the embedded store is to go by the index of what is unrated.
    stages: list[dict[str, Any]] = [{"$match": UNRATED}]
    if merchants is not None:
        stages.append({"$match": {"merchant_id": {"$in": sorted(merchants)}}})
    with translated():
        counts = await database[USAGE_RECORDS].aggregate([*stages, {"$group": {"_id": "$dept_id", "n": {"$sum": 1}}}])
        return {account["_id"]: account["n"] async for account in counts}


def _in_order(records: Iterable[Document]) -> list[Waiting]:
    return sorted(
        Waiting(record["dept_id"], record["origin"]["fence"], record["origin"]["offset"], record["_id"])
        for record in records
    )


def requests(calls: Sequence[Waiting], at: datetime, by: int | None = None) -> Iterator[Event]:
    """The events that have them rated again, in their order."""
    by_account: dict[int, list[str]] = {}
    for call in calls:
        by_account.setdefault(call.dept_id, []).append(call.seq_no)
    for dept_id, seq_nos in by_account.items():
        for start in range(0, len(seq_nos), MAX_RERATED):
            wish = UsageRerateRequested(dept_id=dept_id, seq_nos=tuple(seq_nos[start : start + MAX_RERATED]), by=by)
            yield Event(
                id=f"rerate/{uuid4()}",
                source=EMITTED_BY,
                type="usage.rerate.requested",
                subject=str(dept_id),
                time=at,
                data=msgspec.json.encode(wish),
            )
