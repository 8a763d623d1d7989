"""The walk's calls of the home pages."""

from datetime import UTC, datetime

from mt_api import MERCHANT, Portals
from mt_contract import Builder, Request

from handlers.usage.totals import CUST_DAILY, CUST_HOURLY, CUST_MONTHLY, SOURCE_DAILY
from stores.mongo import open_database

FIGURES = {"count": 5, "success": 4, "free": 1, "charged": 3, "cached": 1, "unrated": 0}
MONEY = {"fee_micro": 1_500_000, "cost_micro": 20_000}


async def totals(portals: Portals) -> None:
    """Of today and of a day in March."""
    today = datetime.now(UTC).date().isoformat()
    about = {"merchant_id": MERCHANT, "dept_id": MERCHANT * 10, "item": "P1", "tag": "night"}
    async with open_database(portals.settings.mongo) as database:
        for day in (today, "2026-03-01"):
            for name, period in ((CUST_DAILY, {"day": day}), (CUST_MONTHLY, {"month": day[:7]})):
                key = {"_id": f"walk/{next(iter(period.values()))}"}
                await database[name].replace_one(key, {**key, **about, **FIGURES, **MONEY, **period}, upsert=True)
            hour = {"_id": f"walk/{day} 12"}
            document = {**hour, **about, **FIGURES, **MONEY, "hour": f"{day} 12", "day": day}
            await database[CUST_HOURLY].replace_one(hour, document, upsert=True)
            source = {"_id": f"walk/S1/{day}"}
            await database[SOURCE_DAILY].replace_one(
                source, {**source, "source": "S1", "item": "P1", "tag": "", "day": day, **FIGURES, **MONEY}, upsert=True
            )


async def by_day_and_month(portals: Portals) -> list[Request]:
    await totals(portals)
    return [
        Request({"unit": "DAYS", "startDate": "2026-03-01", "endDate": "2026-03-03", "keyword": "p"}),
        Request({"unit": "MONTHS", "startDate": "2026-01", "endDate": "2026-03"}),
    ]


async def by_hour_too(portals: Portals) -> list[Request]:
    hours = {"unit": "HOURS", "startDate": "2026-03-01 10:00:00", "endDate": "2026-03-01 13:00:00"}
    days, months = await by_day_and_month(portals)
    del days.body["keyword"]
    return [days, months, Request({**hours, "deptIdList": [MERCHANT * 10], "checkItemList": ["P1"]})]


async def by_preset(portals: Portals) -> list[Request]:
    await totals(portals)
    return [Request({"dateType": date_type}) for date_type in (10, 20, 30, 40)]


async def by_account(portals: Portals) -> list[Request]:
    return [*await by_preset(portals), Request({"dateType": 10, "deptId": MERCHANT * 10})]


async def waiting(_portals: Portals) -> list[Request]:
    return [Request()]


CALLS: dict[str, Builder] = {
    "indexApiStatistics": by_day_and_month,
    "crmIndexBeeCoreStatistics": by_preset,
    "crmIndexBeeApiCallStatistics": by_hour_too,
    "crmIndexBeeCustomerRanking": by_preset,
    "crmIndexBeeCustomerCallStatistics": by_account,
    "crmIndexBeeBacklog": waiting,
}
