"""Call records as the portals list them: by customer and time, never by walking through all of them.

A count stops at `COUNTED`: how many more there are costs more to find out than it is worth.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from handlers.usage.rating import State
from handlers.usage.records import USAGE_RECORDS
from schemas.errors import Refused
from schemas.mt.access import Scope
from schemas.mt.common import PageQuery
from stores.mongo import Database, Document, translated

COUNTED = 100_000
NEWEST_FIRST = [("created_at", -1)]
OLDEST_FIRST = [("created_at", 1)]
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
    unrated: bool = False

    def match(self) -> dict[str, Any]:
        """As a filter of MongoDB; flat, so that indexes are seen."""
        match: dict[str, Any] = self.scope.match()
        created = {"$gte": self.since, "$lt": self.until}
        if created := {operator: at for operator, at in created.items() if at is not None}:
            match["created_at"] = created
        for field, wanted in (("dept_id", self.dept_ids), ("item", self.items)):
            if wanted is not None:
                match[field] = {"$in": sorted(set(wanted))}
        flags = {"success": self.success, "cached": self.cached}
        match |= {field: flag for field, flag in flags.items() if flag is not None}
        if self.unrated:
            match["state"] = State.UNRATED
        elif self.charged is not None:
            match["state"] = State.CHARGED if self.charged else {"$in": sorted(set(State) - {State.CHARGED})}
        if self.id_card_hashes is not None:
            match["hashes.id_card"] = {"$in": list(self.id_card_hashes)}
        if self.seq_no is not None:
            match["_id"] = self.seq_no
        if self.trade_no is not None:
            match["trade_no"] = self.trade_no
        return match


class Records:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._records = database[USAGE_RECORDS]

    async def page(self, which: RecordFilter, query: PageQuery, unpaged_rows: int) -> tuple[list[Document], int]:
        """The rows of the page, newest first, and how many there are, at most COUNTED.

        Refuses bad_field where everything is asked for at once and that is more than `unpaged_rows`.
        """
        match, limit = which.match(), query.page_size
        with translated():
            total = await self._records.count_documents(match, limit=max(COUNTED, unpaged_rows + 1))
            found = self._records.find(match, HIDDEN).sort(NEWEST_FIRST)
            if query.non_page:
                if total > unpaged_rows:
                    raise Refused("bad_field", f"nonPage: more than {unpaged_rows} rows; export them, or ask by pages")
                return await found.to_list(), total
            return await found.skip(query.skip).limit(limit).to_list(), total

    async def find(self, seq_no: str, scope: Scope) -> Document | None:
        """One record, with what is sealed in it, where the caller may know of it."""
        with translated():
            found: Document | None = await self._records.find_one({"_id": seq_no, **scope.match()})
            return found

    async def accounts_of(self, seq_nos: Sequence[str], scope: Scope) -> dict[str, int]:
        """The dept ids of those records that are there and unrated, by seqNo."""
        match = {"_id": {"$in": list(seq_nos)}, "state": State.UNRATED, **scope.match()}
        with translated():
            found = await self._records.find(match, {"dept_id": 1}).to_list()
        return {record["_id"]: record["dept_id"] for record in found}

    async def unrated_of(self, merchants: Sequence[int] | None, limit: int) -> dict[str, int]:
        """The same for what is unrated of some customers' accounts (None: of all), at most `limit` of them."""
        match: dict[str, Any] = {"state": State.UNRATED}
        if merchants is not None:
            match["merchant_id"] = {"$in": sorted(merchants)}
        with translated():
            found = await self._records.find(match, {"dept_id": 1}).limit(limit).to_list()
        return {record["_id"]: record["dept_id"] for record in found}

    async def each(self, match: Mapping[str, Any]) -> AsyncIterator[Document]:
        """All of them, oldest first, a bounded number at a time in memory."""
        with translated():
            async for record in self._records.find(dict(match), HIDDEN).sort(OLDEST_FIRST).batch_size(BATCH):
                yield record
