"""Accounts, prices and calls for tests of the rater, in a store of the test's own."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.fernet import Fernet

from config.settings import MeteringSettings, Settings
from handlers.usage.records import USAGE_RECORDS
from schemas.events import Event
from stores.mongo import Database
from stores.mt.revisions import bump
from tests.integration.chat_api import eventually
from workers.health import Health
from workers.rater import run_rater

DEPT, MERCHANT, WALLET = 1001, 1, 7
CALLED_AT = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
"""Noon of the first of March in Shanghai."""
_numbers = itertools.count(1)


def with_keys(settings: Settings) -> Settings:
    metering = MeteringSettings.model_validate({"secrets_keys": [Fernet.generate_key().decode()]})
    return settings.model_copy(update={"metering": metering})


async def open_account(database: Database, *, dept_id: int = DEPT, balance_micro: int = 0) -> None:
    """An account with a wallet, which may call nothing yet."""
    now = datetime.now(UTC)
    await database["mt_accounts"].insert_one(
        {"_id": dept_id, "merchant_id": MERCHANT, "app_id": "app", "name": "account", "updated_at": now}
    )
    await database["wallets"].update_one(
        {"_id": str(WALLET)},
        {
            "$setOnInsert": {
                "wallet_id": WALLET,
                "merchant_id": MERCHANT,
                "is_default": True,
                "balance_micro": balance_micro,
                "state": 10,
                "updated_at": now,
            }
        },
        upsert=True,
    )
    await bump(database)


async def grant(database: Database, item: str, fee_micro: int, *, dept_id: int = DEPT, free_count: int = 0) -> None:
    """The account may call the product, since ever, at this price."""
    now = datetime.now(UTC)
    number = next(_numbers)
    await database["grants"].insert_one(
        {
            "_id": number,
            "dept_id": dept_id,
            "merchant_id": MERCHANT,
            "item": item,
            "state": 10,
            "free_count": free_count,
            "prices": [{"from": datetime(2000, 1, 1, tzinfo=UTC), "fee_micro": fee_micro}],
            "created_at": now,
            "updated_at": now,
        }
    )
    await bump(database)


def a_call(item: str = "id", *, dept_id: int = DEPT, event_id: str | None = None, **fields: Any) -> Event:
    """A call that found what was asked for, unless `fields` (those of the payload) say otherwise."""
    number = next(_numbers)
    payload = {"seqNo": f"seq-{number}", "deptId": dept_id, "checkItem": item, "success": 1, **fields}
    return Event(
        id=event_id or f"call-{number}",
        source="api",
        type="usage.recorded",
        subject=str(dept_id),
        time=CALLED_AT,
        data=msgspec.json.encode(payload),
    )


@asynccontextmanager
async def rating(settings: Settings) -> AsyncIterator[Health]:
    """A rater at work; stopped in order."""
    stop, health = asyncio.Event(), Health()
    task = asyncio.create_task(run_rater(settings, stop, health))
    try:
        yield health
    finally:
        stop.set()
        await task


async def recorded(database: Database, count: int) -> list[dict[str, Any]]:
    """All records, once there are so many and they are counted."""

    async def counted() -> bool:
        days = await database["cust_daily"].find().to_list()
        return sum(day["count"] for day in days) >= count

    await eventually(counted)
    return await database[USAGE_RECORDS].find().sort("created_at").to_list()
