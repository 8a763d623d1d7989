"""Products, accounts and grants that tests bring about by the API, under names of their own."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from mt_api import MERCHANT, Portals

from stores.mongo import open_database
from stores.mt.price_book import ACCOUNTS

_numbers = count(1)
CHECK_ITEM, DEPT_ITEM = "/mt/crm/checkItem/", "/mt/crm/customer/deptItem/"


async def an_account(portals: Portals, merchant_id: int = MERCHANT) -> int:
    """Of a customer; returns the dept id."""
    dept_id = 50_000 + next(_numbers)
    async with open_database(portals.settings.mongo) as database:
        await database[ACCOUNTS].insert_one(
            {
                "_id": dept_id,
                "merchant_id": merchant_id,
                "name": f"Account {dept_id}",
                "app_id": f"app-{dept_id}",
                "emails": ["people@example.com"],
                "updated_at": datetime.now(UTC),
            }
        )
    return dept_id


async def a_product(portals: Portals, **fields: Any) -> str:
    """Its code."""
    code = f"ITEM_{next(_numbers)}"
    body = {"checkItem": code, "itemName": f"Product {code}", "price": 1.5, "applicable": True, **fields}
    await portals.operator.ok(CHECK_ITEM + "add", body)
    return code


async def a_bundle(portals: Portals, parts: list[str]) -> str:
    code = await a_product(portals, isFusion=True)
    await portals.operator.ok(CHECK_ITEM + "saveDefaultSubItems", {"checkItem": code, "subItems": parts})
    return code


async def product_id(portals: Portals, code: str) -> int:
    page = await portals.operator.ok(CHECK_ITEM + "list", {"checkItemList": [code]})
    return int(page["results"][0]["id"])


async def a_grant(portals: Portals, dept_id: int, item: str, **fields: Any) -> int:
    """Its id (deptItemId)."""
    body = {"deptId": dept_id, "checkItemList": [{"itemCode": item, "fee": 2, **fields}]}
    await portals.operator.ok(DEPT_ITEM + "accredit", body)
    return int((await grant_of(portals, dept_id, item))["id"])


async def an_application(portals: Portals, merchant: str = "customer") -> tuple[int, int, str]:
    """A grant that waits: account, grant and product."""
    item = await a_product(portals)
    await portals.customer.ok("/mt/beeback/deptItem/apply", {"checkItemList": [{"itemCode": item}]})
    page = await portals.operator.ok(DEPT_ITEM + "list", {"checkItemList": [item]})
    row = page["results"][0]
    return int(row["deptId"]), int(row["id"]), item


async def grant_of(portals: Portals, dept_id: int, item: str, **query: Any) -> dict[str, Any]:
    body = {"deptIdList": [dept_id], "checkItemList": [item], **query}
    page = await portals.operator.ok(DEPT_ITEM + "list", body)
    row: dict[str, Any] = page["results"][0]
    return row


async def a_source(portals: Portals) -> tuple[int, str]:
    """Id and code."""
    code = f"SRC_{next(_numbers)}"
    await portals.operator.ok(
        CHECK_ITEM + "datasource/save", {"dataSourceName": f"Source {code}", "dataSourceCode": code}
    )
    page = await portals.operator.ok(CHECK_ITEM + "datasource/list", {"keyword": code})
    return int(page["results"][0]["id"]), code


async def an_upstream(portals: Portals, item: str) -> int:
    """Of a source of its own."""
    source_id, _ = await a_source(portals)
    body = {"dataSourceId": source_id, "checkItem": item, "service": "Demo", "cost": 0.25, "reqSecret": "hush"}
    await portals.operator.ok(CHECK_ITEM + "upstream/save", body)
    page = await portals.operator.ok(CHECK_ITEM + "upstream/list", {"dataSourceId": source_id})
    return int(page["results"][0]["id"])


def later(**delta: float) -> str:
    """A time to come, as the API writes it."""
    at = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(**delta)
    return at.strftime("%Y-%m-%d %H:%M:%S")


async def a_price_task(portals: Portals) -> int:
    """An adjustment that is planned for tomorrow; the id of its task."""
    dept_id, item = await an_account(portals), await a_product(portals)
    grant = await a_grant(portals, dept_id, item)
    await portals.operator.ok(
        DEPT_ITEM + "adjust", {"effectTime": later(days=1), "itemList": [{"deptItemId": grant, "fee": 3}]}
    )
    page = await portals.operator.ok("/mt/crm/schedule/adjustTaskList", {"deptIdList": [dept_id]})
    return int(page["results"][0]["id"])
