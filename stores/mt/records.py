"""Call records as the portals list them: by customer and time, never by walking through all of them.

A list is asked for from its end: the last hour, then further back, until the page is full; the
embedded store sorts all that matches. A count stops at `COUNTED`: how many more there are costs more to
find out than it is worth.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from handlers.usage.rating import State
from handlers.usage.records import USAGE_RECORDS
from schemas.errors import Refused
from schemas.mt.access import Scope
from schemas.mt.common import PageQuery
from stores.mongo import Database, Document, translated

COUNTED = 10_000
NEWEST_FIRST = {"created_at": -1}
OLDEST_FIRST = [("created_at", 1)]
LOOKS_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=31))
BATCH = 1_000
HIDDEN = {"changes": 0, "sealed": 0, "hashes": 0}
"""What no list shows."""


class RecordFilter(msgspec.Struct, frozen=True, kw_only=True):
    """`id_card_hashes`: the keyed hashes that records may have of it."""

    scope: Scope
    since: datetime | None = None
    until: datetime | None = None
    """The first moment that is too late."""
    dept_ids: Sequence[int] | None = None
    items: Sequence[str] | None = None
    charged: bool | None = None
    success: bool | None = None
    cached: bool | None = None
    seq_no: str | None = None
    trade_no: str | None = None
    id_card_hashes: Sequence[bytes] | None = None

    def stages(self, since: datetime | None = None) -> list[dict[str, Any]]:
        """As stages of a pipeline: what indexes know first, for the embedded store looks at one stage at a time."""
        match: dict[str, Any] = self.scope.match()
        created = {"$gte": max(filter(None, (self.since, since)), default=None), "$lt": self.until}
        if created := {operator: at for operator, at in created.items() if at is not None}:
            match["created_at"] = created
        rest = self._rest()
        return [{"$match": stage} for stage in (match, rest) if stage]

    def _rest(self) -> dict[str, Any]:
        rest: dict[str, Any] = {}
        for field, wanted in (("dept_id", self.dept_ids), ("item", self.items)):
            if wanted is not None:
                rest[field] = {"$in": sorted(set(wanted))}
        flags = {"success": self.success, "cached": self.cached}
        rest |= {field: flag for field, flag in flags.items() if flag is not None}
        if self.charged is not None:
            rest["state"] = State.CHARGED if self.charged else {"$in": sorted(set(State) - {State.CHARGED})}
        if self.id_card_hashes is not None:
            rest["hashes.id_card"] = {"$in": list(self.id_card_hashes)}
        if self.trade_no is not None:
            rest["trade_no"] = self.trade_no
        return rest

    def admits(self, record: Document) -> bool:
        """Whether a record that was found by its number is one of these."""
        created_at = record["created_at"]
        return (
            self.scope.admits_document(record)
            and (self.since is None or created_at >= self.since)
            and (self.until is None or created_at < self.until)
            and (self.dept_ids is None or record["dept_id"] in self.dept_ids)
            and (self.items is None or record["item"] in self.items)
            and self.success in (None, record["success"])
            and self.cached in (None, record["cached"])
            and self.charged in (None, record["state"] == State.CHARGED)
        )


class Records:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._records = database[USAGE_RECORDS]

    async def page(
        self, which: RecordFilter, query: PageQuery, unpaged_rows: int, now: datetime
    ) -> tuple[list[Document], int]:
        """The rows of the page, newest first, and how many there are, at most COUNTED besides those of the page.

        Refuses bad_field where everything is asked for at once and that is more than `unpaged_rows`.
        """
        if which.seq_no is not None:
            record = await self.find(which.seq_no, which.scope)
            found = [record] if record is not None and which.admits(record) else []
            return found[query.skip :], len(found)
        if query.non_page:
            rows = await self._newest(which, None, 0, unpaged_rows + 1)
            if len(rows) > unpaged_rows:
                raise Refused("bad_field", f"nonPage: more than {unpaged_rows} rows; export them, or ask by pages")
            return rows, len(rows)
        # One more than the page has: whether another follows is to be known beyond what is counted, too.
        rows = await self._from_the_end(which, query.skip, query.page_size + 1, now)
        total = max(await self._count(which), query.skip + len(rows) if rows else 0)
        return rows[: query.page_size], total

    async def _from_the_end(self, which: RecordFilter, skip: int, limit: int, now: datetime) -> list[Document]:
        end = which.until or now
        for back in LOOKS_BACK:
            if which.since is not None and end - back <= which.since:
                break
            rows = await self._newest(which, end - back, skip, limit)
            if len(rows) == limit:
                return rows
        return await self._newest(which, None, skip, limit)

    async def _newest(self, which: RecordFilter, since: datetime | None, skip: int, limit: int) -> list[Document]:
        stages = [*which.stages(since), {"$sort": NEWEST_FIRST}, {"$skip": skip}, {"$limit": limit}]
        with translated():
            return await (await self._records.aggregate([*stages, {"$project": HIDDEN}])).to_list()

    async def _count(self, which: RecordFilter) -> int:
        stages = which.stages()
        with translated():
            if not stages:
                return await self._records.estimated_document_count()
            found = await (await self._records.aggregate([*stages, {"$limit": COUNTED}, {"$count": "n"}])).to_list()
        return int(found[0]["n"]) if found else 0

    async def find(self, seq_no: str, scope: Scope) -> Document | None:
        """One record, with what is sealed in it, where the caller may know of it."""
        with translated():
            found: Document | None = await self._records.find_one({"_id": seq_no})
        return found if scope.admits_document(found) else None

    async def each(self, which: RecordFilter) -> AsyncIterator[Document]:
        """All of them, oldest first, a bounded number at a time in memory."""
        stages = [*which.stages(), {"$sort": dict(OLDEST_FIRST)}, {"$project": HIDDEN}]
        with translated():
            async for record in await self._records.aggregate(stages, batchSize=BATCH, allowDiskUse=True):
                yield record
