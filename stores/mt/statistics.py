"""Sums over the totals that usage is folded into; records are never looked at."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from handlers.usage.totals import CUST_DAILY, CUST_HOURLY, CUST_MONTHLY, SOURCE_DAILY
from schemas.mt.access import Scope
from stores.mongo import Database, translated

Period = Literal["hour", "day", "month"]
COLLECTIONS: Mapping[Period, str] = {"hour": CUST_HOURLY, "day": CUST_DAILY, "month": CUST_MONTHLY}


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What a group of totals comes to. `of` has what it was grouped by."""

    of: tuple[Any, ...]
    count: int = 0
    charged: int = 0
    cached: int = 0
    fee_micro: int = 0
    cost_micro: int = 0


FIGURES = ("count", "charged", "cached", "fee_micro", "cost_micro")


class Span(msgspec.Struct, frozen=True):
    """Hours, days or months from first to last, both included, as texts that sort by time."""

    period: Period
    first: str
    last: str

    @property
    def match(self) -> dict[str, Any]:
        if self.period == "hour":
            # By day as well, for that is what the index has.
            return {"day": {"$gte": self.first[:10], "$lte": self.last[:10]}, **self._own}
        return self._own

    @property
    def _own(self) -> dict[str, Any]:
        return {self.period: {"$gte": self.first, "$lte": self.last}}


class Statistics:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def calls(
        self, span: Span, by: Sequence[str], scope: Scope, rest: Mapping[str, Any] | None = None
    ) -> list[Sums]:
        """Calls of customers, grouped by fields of the totals; `rest` is what else a total must be."""
        return await self._sums(COLLECTIONS[span.period], ({**scope.match(), **span.match}, rest or {}), by)

    async def upstream(self, span: Span) -> Sums:
        """All calls of sources in some days."""
        found = await self._sums(SOURCE_DAILY, (span.match,), ())
        return found[0] if found else Sums(of=())

    async def _sums(self, collection: str, matches: Sequence[Mapping[str, Any]], by: Sequence[str]) -> list[Sums]:
        # What an index knows comes first, in a stage of its own: the embedded store looks no further for one.
        stages: list[Mapping[str, Any]] = [{"$match": match} for match in matches if match]
        group: dict[str, Any] = {"_id": {field: f"${field}" for field in by} or None}
        group |= {figure: {"$sum": f"${figure}"} for figure in FIGURES}
        with translated():
            cursor = await self._database[collection].aggregate([*stages, {"$group": group}])
            found = await cursor.to_list()
        return [
            Sums(
                of=tuple((each["_id"] or {}).get(field) for field in by),
                **{figure: int(each[figure]) for figure in FIGURES},
            )
            for each in found
        ]

    async def count(self, collection: str, match: Mapping[str, Any]) -> int:
        """How many of something wait; few, of all there are."""
        with translated():
            return await self._database[collection].count_documents(dict(match))
