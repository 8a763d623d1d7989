"""Call records put straight into the store, as the rater writes them."""

import itertools
import secrets
from datetime import UTC, datetime
from typing import Any

import msgspec

from handlers.usage.prices import Account, Grant, PriceBook, Wallet, price_book
from handlers.usage.rating import rate
from handlers.usage.records import USAGE_RECORDS, call_of, document_of
from schemas.events import Event
from schemas.mt.common import Zone
from schemas.usage import UsageRecorded
from stores.mongo import Database
from stores.usage.personal import Personal

_numbers = itertools.count(1)
_run = secrets.token_hex(3)
ZONE = Zone("Asia/Shanghai")
AT = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def a_seq_no() -> str:
    return f"seq-{_run}-{next(_numbers)}"


def a_book(dept_id: int, merchant_id: int, item: str) -> PriceBook:
    """An account that may call the product, without a price."""
    return price_book(
        accounts=[Account(dept_id=dept_id, merchant_id=merchant_id, app_id="app-1")],
        grants=[Grant(dept_id=dept_id, item=item)],
        wallets=[Wallet(wallet_id=1, merchant_id=merchant_id, is_default=True)],
    )


async def insert_record(
    database: Database, personal: Personal, merchant_id: int, at: datetime = AT, **fields: Any
) -> str:
    """The seqNo of a record; `fields` are those of `usage.recorded`."""
    reported = {"seqNo": a_seq_no(), "deptId": merchant_id * 10, "checkItem": "P1", "success": 1, **fields}
    usage = msgspec.convert(reported, UsageRecorded)
    event = Event(id=usage.seq_no, source="api", type="usage.recorded", subject=str(usage.dept_id), time=at, data=b"{}")
    call = call_of(event, usage, ZONE)
    rated = rate(call, a_book(usage.dept_id, merchant_id, usage.check_item))
    document = document_of(usage, call, rated) | personal.protected(usage, call.hour[:10])
    origin = {"fence": "test", "offset": next(_numbers)}
    await database[USAGE_RECORDS].insert_one({"_id": usage.seq_no, "origin": origin, "recorded_at": at, **document})
    return usage.seq_no
