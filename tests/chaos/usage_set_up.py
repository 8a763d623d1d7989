"""What calls suppose, made by the APIs that are there for it: customers, accounts, products, grants, wallets."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from schemas.events import Event
from tests.chaos.stage import Stage
from tests.chaos.usage_client import RETRY_SECONDS, Client, an_event, new_session
from tests.chaos.usage_ledger import PRODUCTS, UsageLedger, merchant_of

MERCHANTS = (2001, 2002, 2003)
APP_ACCOUNT = 1
"""The second account of a merchant belongs to an app that has a wallet of its own."""
MICRO = 1_000_000
BY_QUERY, BY_HIT = 10, 20
ANSWER_SECONDS = 60.0
"""Nobody is killed yet: an answer that takes long is worth waiting for, as not all of it may be done twice."""


def accounts() -> list[int]:
    return [merchant * 10 + number for merchant in MERCHANTS for number in (0, APP_ACCOUNT)]


async def set_up(stage: Stage, ledger: UsageLedger) -> None:
    """All of it, and what it is known by put into the ledger. Raises AssertionError."""
    async with new_session(ANSWER_SECONDS) as http:
        client = Client(stage, http)
        # The gateway may not have found the broker yet.
        while not await client.report(list(_customers())):  # noqa: ASYNC110 - another process's work
            await asyncio.sleep(RETRY_SECONDS)
        for product in PRODUCTS:
            about = {"checkItem": product.code, "itemName": product.code, "feeType": _fee_type(product.by_hit)}
            await client.until_done("checkItem/add", about | {"price": product.fee_micro / MICRO})
        for merchant in MERCHANTS:
            for app_code in ("", _app(merchant)):
                await client.until_done("customer/wallet/add", {"merchantId": merchant, "appcode": app_code})
            default, own = await client.until_done("customer/wallet/list", {"merchantId": merchant})
            ledger.wallets[merchant] = default["id"], own["id"]
        for dept_id in accounts():
            await client.until_done("customer/deptItem/accredit", {"deptId": dept_id, "checkItemList": _granted()})
            page = await client.until_done("customer/deptItem/list", {"deptIdList": [dept_id]})
            ledger.grants |= {(dept_id, row["checkItem"]): row["id"] for row in page["results"]}
    if len(ledger.grants) != len(PRODUCTS) * len(accounts()):
        raise AssertionError(f"grants: {ledger.grants}")


def _customers() -> Iterator[Event]:
    now = datetime.now(UTC)
    for merchant in MERCHANTS:
        about = {"merchantId": merchant, "name": f"Customer {merchant}"}
        yield an_event(f"merchant-{merchant}", "merchant.synced", merchant, now, about)
    for dept_id in accounts():
        merchant = merchant_of(dept_id)
        account = {"deptId": dept_id, "merchantId": merchant, "name": f"Account {dept_id}", "appId": f"id-{dept_id}"}
        if dept_id % 10 == APP_ACCOUNT:
            account["appCode"] = _app(merchant)
        yield an_event(f"account-{dept_id}", "merchant.account.synced", dept_id, now, account)


def _granted() -> list[dict[str, Any]]:
    return [
        {
            "itemCode": product.code,
            "feeType": _fee_type(product.by_hit),
            "fee": product.fee_micro / MICRO,
            "freeCount": product.free,
        }
        for product in PRODUCTS
    ]


def _fee_type(by_hit: bool) -> int:
    return BY_HIT if by_hit else BY_QUERY


def _app(merchant: int) -> str:
    return f"app-{merchant}"
