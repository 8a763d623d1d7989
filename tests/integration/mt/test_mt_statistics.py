"""Home pages: the figures of a span, each portal within its scope."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from mt_api import MERCHANT, OTHER_MERCHANT, Portals

from handlers.usage.totals import CUST_DAILY, CUST_HOURLY, SOURCE_DAILY
from schemas.mt.common import Zone
from stores.mongo import Database

CONSOLE, TREND = "/mt/beeback/index/apiStatistics", "/mt/crm/index/bee/apiCallStatistics"
INDEX = "/mt/crm/index/bee"
YUAN = 1_000_000


async def a_day(
    database: Database, merchant_id: int, day: str, item: str, count: int, fee_yuan: int, **more: Any
) -> None:
    document = {"merchant_id": merchant_id, "dept_id": merchant_id * 10, "item": item, "tag": "", "day": day}
    figures = {"count": count, "charged": count, "cached": 0, "fee_micro": fee_yuan * YUAN, "cost_micro": 0}
    key = f"{merchant_id}/{item}/{day}"
    await database[CUST_DAILY].insert_one({"_id": key, **document, **figures, **more})


async def test_a_customer_sees_own_calls_by_day_and_product(portals: Portals, mt_database: Database) -> None:
    await a_day(mt_database, MERCHANT, "2026-04-01", "A", 5, 2)
    await a_day(mt_database, MERCHANT, "2026-04-03", "B", 1, 9)
    await a_day(mt_database, OTHER_MERCHANT, "2026-04-01", "A", 70, 70)

    span = {"unit": "DAYS", "startDate": "2026-04-01", "endDate": "2026-04-03"}
    shown = await portals.customer.ok(CONSOLE, span)
    whole = await portals.operator.ok(TREND, span)

    assert (shown["totalCount"], shown["totalFee"]) == (6, 11)
    assert [row["checkItem"] for row in shown["itemCounts"]] == ["A", "B"]
    assert [row["checkItem"] for row in shown["itemFees"]] == ["B", "A"]
    dates = [(row["date"], row["totalCount"]) for row in shown["dates"]]
    assert dates == [("2026-04-01", 5), ("2026-04-02", 0), ("2026-04-03", 1)]
    assert [row["totalCount"] for row in whole] == [75, 0, 1]


async def test_hours_of_the_platforms_zone_are_shown_with_those_that_had_no_call(
    portals: Portals, mt_database: Database
) -> None:
    for hour, count in (("2026-05-01 09", 4), ("2026-05-01 11", 6), ("2026-05-01 12", 9)):
        about = {"merchant_id": MERCHANT, "dept_id": 1, "item": "H", "tag": "", "hour": hour, "day": hour[:10]}
        await mt_database[CUST_HOURLY].insert_one({"_id": f"h/{hour}", **about, "count": count, "fee_micro": YUAN})

    span = {"unit": "HOURS", "startDate": "2026-05-01 09:30:00", "endDate": "2026-05-01 11:00:00"}
    shown = await portals.operator.ok(TREND, {**span, "checkItemList": ["H"]})

    hours = [(row["date"], row["totalCount"]) for row in shown]
    assert hours == [("2026-05-01 09", 4), ("2026-05-01 10", 0), ("2026-05-01 11", 6)]


async def test_a_day_is_compared_with_the_one_before(portals: Portals, mt_database: Database) -> None:
    now = datetime.now(UTC)
    today, yesterday = (Zone("Asia/Shanghai").day(now - timedelta(days=days)) for days in (0, 1))
    await a_day(mt_database, MERCHANT, today, "C", 30, 3, cached=4)
    await a_day(mt_database, OTHER_MERCHANT, today, "C", 10, 5)
    await a_day(mt_database, MERCHANT, yesterday, "C", 20, 4)
    source = {"_id": f"S/{today}", "source": "S", "item": "C", "tag": "", "day": today, "count": 7, "cost_micro": YUAN}
    await mt_database[SOURCE_DAILY].insert_one(source)

    core = await portals.operator.ok(f"{INDEX}/coreStatistics", {"dateType": 10})
    ranking = await portals.operator.ok(f"{INDEX}/customerRanking", {"dateType": 10})
    calls = await portals.operator.ok(f"{INDEX}/customerCallStatistics", {"dateType": 10, "deptId": MERCHANT * 10})

    assert (core["orderCount"], core["comparedCount"], core["orderCountIncreaseRate"]) == (40, 20, 100)
    assert (core["orderAmount"], core["orderAmountIncreaseRate"]) == (8, 100)
    assert (core["upstreamCount"], core["upstreamAmount"], core["cacheCount"]) == (7, 1, 4)
    first, second = ranking
    assert (first["deptId"], first["count"], first["compareCount"]) == (MERCHANT * 10, 30, 20)
    assert (first["countIncreaseRate"], first["amountIncreaseRate"]) == (50, -25)
    assert (second["organizationId"], second["amount"]) == (OTHER_MERCHANT, Decimal(5))
    assert "countIncreaseRate" not in second
    assert [(row["checkItem"], row["count"]) for row in calls] == [("C", 30)]


async def test_a_span_that_is_too_long_or_none_is_refused(portals: Portals) -> None:
    for span in (
        {"unit": "DAYS", "startDate": "2026-01-01", "endDate": "2026-02-01"},
        {"unit": "MONTHS", "startDate": "2026-02", "endDate": "2026-01"},
        {"unit": "DAYS", "startDate": "January", "endDate": "2026-01-02"},
        {"unit": "WEEKS", "startDate": "2026-01-01", "endDate": "2026-01-02"},
    ):
        refused = await portals.customer.ask(CONSOLE, span)
        assert (refused.status, refused.code) == (400, 40001), refused


async def test_the_backlog_is_what_waits_for_an_operator(portals: Portals, mt_database: Database) -> None:
    before = await portals.operator.get(f"{INDEX}/backlog")
    for number, state in ((1, 0), (2, 10)):
        grant = {"_id": 900 + number, "dept_id": 7, "item": f"W{number}", "state": state, "deleted_at": None}
        await mt_database["grants"].insert_one({**grant, "merchant_id": MERCHANT})
        await mt_database["statements"].insert_one({"_id": f"W{number}", "id": number, "state": state})
        await mt_database["invoices"].insert_one({"_id": 900 + number, "state": state})

    now = await portals.operator.get(f"{INDEX}/backlog")

    grown = {name: now[name] - before[name] for name in now}
    assert grown == {"waitAuditItemCount": 1, "waitRecheckBillCount": 1, "waitInvoiceCount": 2}
