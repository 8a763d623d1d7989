"""What the traffic supposes: users of the IM app; customers, products, prices and money of the metering platform."""

import asyncio
from datetime import datetime
from typing import Any

import aiohttp
import orjson

from stores.mongo import Database
from stores.mt.customers import CUSTOMERS
from stores.mt.price_book import ACCOUNTS
from workers.demo.messages import IMPORT_ACCOUNTS, TALKERS, path_of
from workers.demo.sending import send
from workers.demo.traffic import BATCH, EVENTS, JSON, OK, Request
from workers.demo.usage import MERCHANTS, MICRO, OPERATOR_TOKEN, PRODUCTS, RECHARGED_YUAN, account_of, customers

CRM = "/mt/crm"
KNOWN_SECONDS = 30.0


async def prepare(http: aiohttp.ClientSession, database: Database, now: datetime) -> None:
    """All of it, by the APIs that are there for it.

    Raises RuntimeError for an answer that must not be, TimeoutError where the customers do not become known.
    """
    await _ok(http, path_of(IMPORT_ACCOUNTS), {"Accounts": TALKERS})
    await _ok(http, EVENTS, list(customers(now)), BATCH)
    for product in PRODUCTS:
        about = {"checkItem": product.code, "itemName": product.name, "feeType": product.fee_type}
        await operate(http, "checkItem/add", {**about, "price": product.fee_micro / MICRO})
    await _known(database)
    for merchant_id in MERCHANTS:
        await operate(http, "customer/wallet/add", {"merchantId": merchant_id, "appcode": ""})
        (wallet,) = await operate(http, "customer/wallet/list", {"merchantId": merchant_id})
        recharge = {"merchantId": merchant_id, "walletId": wallet["id"], "rechargeAmount": RECHARGED_YUAN}
        await operate(http, "customer/wallet/recharge", recharge)
        granted = [
            {
                "itemCode": product.code,
                "feeType": product.fee_type,
                "fee": product.fee_micro / MICRO,
                "freeCount": product.free,
            }
            for product in PRODUCTS
        ]
        grants = {"deptId": account_of(merchant_id), "checkItemList": granted}
        await operate(http, "customer/deptItem/accredit", grants)


async def operate(http: aiohttp.ClientSession, operation: str, body: Any) -> Any:
    """The data of an operator's call that must go well."""
    return (await _ok(http, f"{CRM}/{operation}", body, {**JSON, **OPERATOR})).get("data")


OPERATOR = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}


async def _known(database: Database) -> None:
    """Return when the events are folded that tell of the customers: to ask before would be refused, and counted."""
    accounts = [account_of(merchant_id) for merchant_id in MERCHANTS]
    async with asyncio.timeout(KNOWN_SECONDS):
        for collection, ids in ((CUSTOMERS, list(MERCHANTS)), (ACCOUNTS, accounts)):
            while await database[collection].count_documents({"_id": {"$in": ids}}) < len(ids):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def _ok(http: aiohttp.ClientSession, path: str, body: Any, headers: dict[str, str] = JSON) -> Any:
    outcome, answer = await send(http, Request(path, orjson.dumps(body), headers=headers))
    if outcome != OK:
        raise RuntimeError(f"{path.partition('?')[0]}: {outcome}: {answer[:200]!r}")
    return orjson.loads(answer)
