"""Bills by product and by source: the daily and monthly totals of usage, as lists."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.sheets import Cell, Column, download, xlsx
from gateway.system import Reply
from schemas.mt.common import page_of, yuan
from schemas.mt.statements import BillLine, ProductBillQuery, UpstreamBillQuery, UpstreamBillTotals
from stores.mongo import Document, translated
from stores.mt.names import product_names
from stores.mt.pages import find_by, find_page
from stores.mt.price_book import ACCOUNTS
from stores.mt.sources import SOURCES, sources_of

UPSTREAM_COLUMNS = (
    Column("日期 Date", 12),
    Column("数据源 Source", 20),
    Column("数据源名称 Name", 24),
    Column("产品 Product", 18),
    Column("产品名称 Name", 28),
    Column("标签 Tag", 14),
    Column("调用量 Calls", 14),
    Column("计费量 Charged", 14),
    Column("成本 Cost", 16),
)


class UsageBills:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._database = tools.database

    async def products(self, asked: Asked) -> Reply:
        """Of accounts, by product and tag; the latest first."""
        query: ProductBillQuery = asked.body
        field = field_of(query.bill_type)
        match = {**asked.scope.match(), **span(field, query.bill_date_gte, query.bill_date_lte)}
        if query.dept_ids:
            match["dept_id"] = {"$in": query.dept_ids}
        found, total = await self._page(query.bill_type, match, query)
        names = await product_names(self._database, {each["item"] for each in found})
        accounts = await find_by(self._database, ACCOUNTS, "_id", {each["dept_id"] for each in found})
        known = {account["_id"]: account for account in accounts}
        rows = [
            BillLine(
                bill_date=each[field],
                bill_type=query.bill_type,
                dept_id=each["dept_id"],
                dept_name=known.get(each["dept_id"], {}).get("name"),
                app_id=each.get("app_id"),
                check_item=each["item"],
                check_item_name=names.get(each["item"]),
                tag=each["tag"],
                count=each["count"],
                free_count=each["free"],
                charge_count=each["charged"],
                price=mean(each["fee_micro"], each["charged"]),
                total_fee=yuan(each["fee_micro"]),
                total_cost=yuan(each["cost_micro"]),
            )
            for each in found
        ]
        return Reply(page_of(rows, total, query))

    async def upstream(self, asked: Asked) -> Reply:
        """Of sources, by product and tag; the latest first."""
        query: UpstreamBillQuery = asked.body
        found, total = await self._page(query.bill_type, await self._match(query), query)
        names = await product_names(self._database, {each["item"] for each in found})
        known = await self._sources(found)
        rows = [
            BillLine(
                bill_date=each[field_of(query.bill_type)],
                bill_type=query.bill_type,
                check_item=each["item"],
                check_item_name=names.get(each["item"]),
                tag=each["tag"],
                data_source_id=known.get(each["source"], {}).get("_id"),
                data_source=known.get(each["source"], {}).get("name"),
                data_source_code=each["source"],
                count=each["count"],
                charge_count=each["charged"],
                price=mean(each["cost_micro"], each["charged"]),
                total_fee=yuan(each["fee_micro"]),
                total_cost=yuan(each["cost_micro"]),
            )
            for each in found
        ]
        return Reply(page_of(rows, total, query))

    async def upstream_totals(self, asked: Asked) -> Reply:
        query: UpstreamBillQuery = asked.body
        pipeline = [
            {"$match": await self._match(query)},
            {"$group": {"_id": None, "count": {"$sum": "$count"}, "cost": {"$sum": "$cost_micro"}}},
        ]
        with translated():
            found = await (await self._database[query.bill_type].aggregate(pipeline)).to_list()
        summed = found[0] if found else {}
        return Reply(UpstreamBillTotals(total_count=summed.get("count", 0), total_cost=yuan(summed.get("cost", 0))))

    async def upstream_export(self, asked: Asked) -> Reply:
        """A workbook of all rows of the query, whatever page it asks for."""
        query: UpstreamBillQuery = asked.body
        table = xlsx("upstream", UPSTREAM_COLUMNS, self._cells(query, await self._match(query)))
        return Reply(await download("upstream.xlsx", table))

    async def _cells(self, query: UpstreamBillQuery, match: dict[str, Any]) -> AsyncIterator[Sequence[Cell]]:
        field = field_of(query.bill_type)
        with translated():
            sources = {each["code"]: each["name"] async for each in self._database[SOURCES].find({})}
            products: dict[str, str] = {}
            async for each in self._database[query.bill_type].find(match).sort(newest_first(field)):
                item = each["item"]
                if item not in products:
                    products[item] = (await product_names(self._database, [item])).get(item, "")
                yield (
                    each[field],
                    each["source"],
                    sources.get(each["source"]),
                    item,
                    products[item],
                    each["tag"],
                    each["count"],
                    each["charged"],
                    yuan(each["cost_micro"]),
                )

    async def _match(self, query: UpstreamBillQuery) -> dict[str, Any]:
        match = span(field_of(query.bill_type), query.start_date, query.end_date)
        if query.data_source_id_list:
            known = await sources_of(self._database, query.data_source_id_list)
            match["source"] = {"$in": sorted(source.code for source in known.values())}
        if query.check_item_list:
            match["item"] = {"$in": query.check_item_list}
        return match

    async def _page(
        self, bill_type: str, match: dict[str, Any], query: ProductBillQuery | UpstreamBillQuery
    ) -> tuple[list[Document], int]:
        unpaged = self._tools.settings.metering.unpaged_rows
        return await find_page(self._database, bill_type, match, query, newest_first(field_of(bill_type)), unpaged)

    async def _sources(self, found: Sequence[Document]) -> dict[str, Document]:
        sources = await find_by(self._database, SOURCES, "code", {each["source"] for each in found})
        return {source["code"]: source for source in sources}


def field_of(bill_type: str) -> str:
    """What a kind of totals is by: a day or a month. The kinds are named as their collections are."""
    return "month" if bill_type.endswith("_monthly") else "day"


def newest_first(field: str) -> list[tuple[str, int]]:
    # Both backwards: an index has them forwards.
    return [(field, -1), ("_id", -1)]


def span(field: str, first: str | None, last: str | None) -> dict[str, Any]:
    """From first to last, both included. A month stands for its days, a day for its month."""
    length = 7 if field == "month" else 10
    bounds: dict[str, str] = {}
    if first:
        bounds["$gte"] = first[:length]
    if last:
        # "~" is behind whatever follows a month.
        bounds["$lte"] = last[:length] if len(last) >= length else f"{last}~"
    return {field: bounds} if bounds else {}


def mean(micro: int, calls: int) -> Any:
    """Of one call, rounded to the micro-unit; None where there was none."""
    return None if calls == 0 else yuan((2 * micro + calls) // (2 * calls))


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = UsageBills(tools)
    crm = "/mt/crm/bill"
    upstream = f"{crm}/upstream"
    return (
        MtOperation(
            "crmBillUpstreamStatistics", "POST", f"{upstream}/statistics", own.upstream_totals, UpstreamBillQuery
        ),
        MtOperation("crmBillUpstreamList", "POST", f"{upstream}/list", own.upstream, UpstreamBillQuery),
        MtOperation("crmBillUpstreamExport", "POST", f"{upstream}/export", own.upstream_export, UpstreamBillQuery),
        MtOperation("crmBillBeeBillList", "POST", f"{crm}/beeBill/list", own.products, ProductBillQuery),
    )
