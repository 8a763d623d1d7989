"""Calls without a price: which, why, and the requests that have them rated again."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from handlers.outcome import EMITTED_BY
from handlers.usage.rating import State
from handlers.usage.records import USAGE_RECORDS
from schemas.events import Event
from schemas.usage import MAX_RERATED, UsageRerateRequested
from stores.mongo import Database, translated

UNRATED = {"state": State.UNRATED.value}


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
        found = await database[USAGE_RECORDS].find({**UNRATED, **match}, {"dept_id": 1, "origin": 1}).to_list()
    return sorted(
        Waiting(record["dept_id"], record["origin"]["fence"], record["origin"]["offset"], record["_id"])
        for record in found
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
