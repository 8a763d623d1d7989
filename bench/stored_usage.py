"""Usage that is there already: records and totals as the rater leaves them, written into the store in bulk."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from handlers.products.prices import EVER, Price, Terms
from handlers.usage.prices import Account, Grant, PriceBook, Wallet, price_book
from handlers.usage.rating import Rated, rate
from handlers.usage.records import USAGE_RECORDS, call_of, document_of
from handlers.usage.totals import Totals
from schemas.events import Event
from schemas.mt.common import Zone
from schemas.usage import UsageRecorded
from stores.mongo import Database
from stores.usage.personal import Personal

CUSTOMERS, PRODUCTS, DAYS, SOURCES = 50, 10, 60, 5
BATCH = 2_000


def merchant(number: int) -> int:
    return 1 + number % CUSTOMERS


def book() -> PriceBook:
    """Every customer has one account, one wallet and all products, at 0.01 yuan a hit."""
    terms = Terms(fee_micro=10_000, fee_type=20, charge_type=20, fee_detail={})
    merchants = range(1, CUSTOMERS + 1)
    return price_book(
        accounts=[Account(dept_id=10 * each, merchant_id=each, app_id=f"app-{each}") for each in merchants],
        grants=[
            Grant(dept_id=10 * each, item=f"P{item}", history=(Price(EVER, terms),))
            for each in merchants
            for item in range(PRODUCTS)
        ],
        wallets=[Wallet(wallet_id=each, merchant_id=each, is_default=True) for each in merchants],
    )


async def fill(database: Database, personal: Personal, zone: Zone, count: int, now: datetime) -> None:
    """So many calls over the last DAYS, the newest just now; their totals beside them."""
    prices = book()
    totals = Totals(lambda day: datetime.fromisoformat(day).replace(tzinfo=UTC))
    for start in range(0, count, BATCH):
        documents = []
        for number in range(start, min(start + BATCH, count)):
            usage, at = _call(number, count, now)
            document, rated = _rated(usage, at, zone, prices, personal)
            origin = {"fence": "before", "offset": number}
            documents.append({"_id": usage.seq_no, "origin": origin, "recorded_at": at, **document})
            totals.post(number, rated)
        await database[USAGE_RECORDS].insert_many(documents, ordered=False)
    for collection, documents in _sums(totals).items():
        for start in range(0, len(documents), BATCH):
            await database[collection].insert_many(documents[start : start + BATCH], ordered=False)


def _call(number: int, count: int, now: datetime) -> tuple[UsageRecorded, datetime]:
    at = now - timedelta(days=DAYS) * ((count - number) / count)
    reported: dict[str, Any] = {
        "seqNo": f"seq-{number:09}",
        "deptId": 10 * merchant(number),
        "checkItem": f"P{number // CUSTOMERS % PRODUCTS}",
        "success": int(number % 7 > 0),
        "tradeNo": f"trade-{number}",
        "finalSource": f"S{number % SOURCES}",
        "resultCode": 0,
        "time": 40,
        "name": "张三",
        "idCard": f"11010119900307{number % 10_000:04}",
        "mobile": f"138{number % 100_000_000:08}",
        "upstreamRecordList": [{"dataSourceCode": f"S{number % SOURCES}", "costMicro": 3_000}],
    }
    return msgspec.convert(reported, UsageRecorded), at


def _rated(
    usage: UsageRecorded, at: datetime, zone: Zone, prices: PriceBook, personal: Personal
) -> tuple[dict[str, Any], Rated]:
    event = Event(id=usage.seq_no, source="api", type="usage.recorded", subject="", time=at, data=b"")
    call = call_of(event, usage, zone)
    rated = rate(call, prices)
    return document_of(usage, call, rated) | personal.protected(usage, call.hour[:10]), rated


def _sums(totals: Totals) -> dict[str, Sequence[dict[str, Any]]]:
    """By collection the documents that the totals come to."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for collection, documents in totals.documents():
        for total in documents:
            found[collection].append({"_id": total.key, **total.labels, **dict(_figures(total))})
    return found


def _figures(total: Any) -> Iterator[tuple[str, int]]:
    yield from zip(total.fields, total.sums, strict=True)
