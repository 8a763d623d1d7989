"""Home pages: index/apiStatistics of the client console, index/bee/* of the operators' platform.

All of it from the totals that usage is folded into. Days are those of the platform's zone.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from handlers.usage import charts
from handlers.usage.charts import ProductSum, growth
from handlers.usage.periods import Days, days_between, months_between, preset
from schemas.errors import Refused
from schemas.mt.access import Scope
from schemas.mt.common import yuan
from schemas.mt.statistics import (
    MAX_DAYS,
    CallTrendRequest,
    ConsoleStatisticsRequest,
    CoreStatistics,
    CustomerCallsRequest,
    CustomerRanking,
    DateRangeRequest,
    Unit,
)
from stores.mt.names import account_names, product_names
from stores.mt.statistics import Period, Span, Statistics, Sums

BY_PRODUCT = ("item", "tag")
RANKED = 100
PERIODS: Mapping[Unit, Period] = {"HOURS": "hour", "DAYS": "day", "MONTHS": "month"}


class HomePages:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._statistics = Statistics(tools.database)

    async def console(self, asked: Asked) -> Reply:
        """Calls and fees of the customer's own accounts."""
        query: ConsoleStatisticsRequest = asked.body
        span, dates = self._span(query.unit, query.start_date, query.end_date)
        sums = await self._by_date(span, asked.scope)
        names = await product_names(self._tools.database, {each.item for each in sums})
        if query.keyword:
            wanted = query.keyword.casefold()
            sums = [each for each in sums if wanted in f"{each.item}\n{names.get(each.item, '')}".casefold()]
        return Reply(charts.statistics(sums, dates, names))

    async def trend(self, asked: Asked) -> Reply:
        query: CallTrendRequest = asked.body
        span, dates = self._span(query.unit, query.start_date, query.end_date)
        filters = {"dept_id": query.dept_id_list, "item": query.check_item_list}
        rest = {field: {"$in": wanted} for field, wanted in filters.items() if wanted}
        sums = await self._by_date(span, asked.scope, rest)
        names = await product_names(self._tools.database, {each.item for each in sums})
        return Reply(charts.trend(sums, dates, names))

    async def core(self, asked: Asked) -> Reply:
        """Orders are charged calls; what is served from the cache and what sources did stands beside them."""
        query: DateRangeRequest = asked.body
        compared = preset(query.date_type, self._tools.zone.today(asked.at))
        now, before = [
            (await self._statistics.calls(_span_of(days), (), asked.scope) or [Sums(of=())])[0]
            for days in (compared.span, compared.before)
        ]
        upstream = await self._statistics.upstream(_span_of(compared.span))
        return Reply(
            CoreStatistics(
                order_count=now.charged,
                compared_count=before.charged,
                order_count_increase_rate=growth(now.charged, before.charged),
                order_amount=yuan(now.fee_micro),
                compared_amount=yuan(before.fee_micro),
                order_amount_increase_rate=growth(now.fee_micro, before.fee_micro),
                upstream_count=upstream.count,
                upstream_amount=yuan(upstream.cost_micro),
                cache_count=now.cached,
            )
        )

    async def ranking(self, asked: Asked) -> Reply:
        """The accounts with most calls, at most RANKED."""
        query: DateRangeRequest = asked.body
        compared = preset(query.date_type, self._tools.zone.today(asked.at))
        by = ("dept_id", "merchant_id")
        sums = await self._statistics.calls(_span_of(compared.span), by, asked.scope)
        sums = sorted(sums, key=lambda each: (-each.count, each.of[0]))[:RANKED]
        depts = [each.of[0] for each in sums]
        earlier = await self._statistics.calls(
            _span_of(compared.before), ("dept_id",), asked.scope, {"dept_id": {"$in": depts}}
        )
        before = {each.of[0]: each for each in earlier}
        names = await account_names(self._tools.database, depts)
        return Reply([_ranked(each, before.get(each.of[0], Sums(of=())), names) for each in sums])

    async def customer_calls(self, asked: Asked) -> Reply:
        query: CustomerCallsRequest = asked.body
        days = preset(query.date_type, self._tools.zone.today(asked.at)).span
        rest = {} if query.dept_id is None else {"dept_id": query.dept_id}
        found = await self._statistics.calls(_span_of(days), BY_PRODUCT, asked.scope, rest)
        sums = [_product(("", *each.of), each) for each in found]
        names = await product_names(self._tools.database, {each.item for each in sums})
        return Reply(charts.product_rows(sorted(sums, key=charts.by_count), names))

    async def _by_date(self, span: Span, scope: Scope, rest: Mapping[str, Any] | None = None) -> list[ProductSum]:
        found = await self._statistics.calls(span, (span.period, *BY_PRODUCT), scope, rest)
        return [_product(each.of, each) for each in found]

    def _span(self, unit: Unit, start: str, end: str) -> tuple[Span, list[str]]:
        """What is asked for, and each date of it. Refuses bad_field."""
        try:
            if unit == "MONTHS":
                dates = months_between(start, end)
            elif unit == "DAYS":
                dates = list(days_between(start, end).each())
            else:
                dates = self._hours(start, end)
        except ValueError as error:
            raise Refused("bad_field", str(error)) from None
        return Span(PERIODS[unit], dates[0], dates[-1]), dates

    def _hours(self, start: str, end: str) -> list[str]:
        """yyyy-MM-dd HH, ascending. An hour that the clocks leave out is not there."""
        zone = self._tools.zone
        first, after = zone.moment(start, "startDate"), zone.moment_after(end, "endDate")
        if not timedelta() < after - first <= timedelta(days=MAX_DAYS):
            raise ValueError(f"endDate: after startDate, and at most {MAX_DAYS} days")
        hours = int((after - first) / timedelta(hours=1)) + 2
        texts = (zone.text(first + timedelta(hours=number))[:13] for number in range(hours))
        last = zone.text(after - timedelta(seconds=1))[:13]
        return list(dict.fromkeys(text for text in texts if text <= last))


def _product(of: tuple[Any, ...], sums: Sums) -> ProductSum:
    date, item, tag = of
    return ProductSum(date, item, tag, sums.count, sums.fee_micro)


def _span_of(days: Days) -> Span:
    return Span("day", days.first.isoformat(), days.last.isoformat())


def _ranked(now: Sums, before: Sums, names: Mapping[int, str]) -> CustomerRanking:
    dept_id, merchant_id = now.of
    return CustomerRanking(
        dept_id=dept_id,
        organization_id=merchant_id,
        dept_name=names.get(dept_id),
        count=now.count,
        amount=yuan(now.fee_micro),
        compare_count=before.count,
        compare_amount=yuan(before.fee_micro),
        count_increase_rate=growth(now.count, before.count),
        amount_increase_rate=growth(now.fee_micro, before.fee_micro),
    )


def operations(tools: Tools) -> Sequence[MtOperation]:
    own, index = HomePages(tools), "/mt/crm/index/bee"
    statistics = "/mt/beeback/index/apiStatistics"
    return (
        MtOperation("indexApiStatistics", "POST", statistics, own.console, ConsoleStatisticsRequest),
        MtOperation("crmIndexBeeCoreStatistics", "POST", f"{index}/coreStatistics", own.core, DateRangeRequest),
        MtOperation("crmIndexBeeApiCallStatistics", "POST", f"{index}/apiCallStatistics", own.trend, CallTrendRequest),
        MtOperation("crmIndexBeeCustomerRanking", "POST", f"{index}/customerRanking", own.ranking, DateRangeRequest),
        MtOperation(
            "crmIndexBeeCustomerCallStatistics",
            "POST",
            f"{index}/customerCallStatistics",
            own.customer_calls,
            CustomerCallsRequest,
        ),
    )
