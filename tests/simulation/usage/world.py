"""Accounts, prices and calls of the simulated metering platform."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec

from handlers.products.prices import ChargeType, FeeType, Price, Terms
from handlers.usage.prices import Account, CacheHits, Cost, Grant, PriceBook, Product, SourceCosts, Wallet, price_book
from schemas.cloudevents import encode_headers
from schemas.events import Event
from schemas.mt.common import Zone
from schemas.usage import SubItem, UpstreamCall, UsageCorrected, UsageRecorded, UsageRerateRequested
from tests.simulation.clients import Sending

PARTITIONS = {"usage": 2, "failures": 1, "dead-letters": 1}
TOPIC_OF = {"usage.failed": "failures", "event.dead-lettered": "dead-letters"}
ZONE = Zone("Asia/Shanghai")
MORNING = datetime(2026, 3, 31, 15, 59, 59, tzinfo=UTC)
"""A second before midnight there, and before another month."""
NOON = MORNING + timedelta(hours=12)
TIMES = (MORNING, MORNING + timedelta(seconds=1), NOON, NOON + timedelta(minutes=1))
EVER = datetime(2000, 1, 1, tzinfo=UTC)
MERCHANT_OF = {1: 10, 2: 20, 3: 20, 4: 30}
"""The last one has no wallet at first."""
ITEMS = ("id", "face", "bundle")
MISSING = (3, "face")
"""The grant that somebody forgot, and makes up for later."""

Payload = UsageRecorded | UsageCorrected | UsageRerateRequested


def first_book(rng: Random) -> PriceBook:
    """Prices that change at noon, free calls, a bundle; and what is missing."""
    grants = [
        Grant(dept_id=dept_id, item=item, free_count=rng.choice((0, 1, 3, 5)), history=_history(rng, item))
        for dept_id in MERCHANT_OF
        for item in ITEMS
        if (dept_id, item) != MISSING
    ]
    return price_book(
        1,
        accounts=[
            Account(dept_id=dept, merchant_id=merchant, app_id=f"app{dept}") for dept, merchant in MERCHANT_OF.items()
        ],
        grants=grants,
        products=[Product(code="face", cache_hits=(CacheHits(NOON, charged=False),))],
        wallets=[
            Wallet(wallet_id=100, merchant_id=10, is_default=True),
            Wallet(wallet_id=200, merchant_id=20, is_default=True),
            Wallet(wallet_id=203, merchant_id=20, app_codes=("app3",)),
        ],
        costs=[
            SourceCosts(source="north", item="id", costs=(Cost(EVER, 3), Cost(NOON, 4))),
            SourceCosts(source="north", item="id", costs=(Cost(EVER, 5), Cost(NOON, 6)), config_id=9),
        ],
    )


def repaired(book: PriceBook, rng: Random) -> PriceBook:
    """The same book, with the grant and the wallet that were missing."""
    dept_id, item = MISSING
    grant = Grant(dept_id=dept_id, item=item, free_count=rng.choice((0, 2)), history=_history(rng, item))
    wallet = Wallet(wallet_id=300, merchant_id=MERCHANT_OF[4], is_default=True)
    return book.changed(book.revision + 1, grants=[grant], wallets={wallet.merchant_id: [wallet]})


def edited(book: PriceBook, rng: Random) -> PriceBook:
    """As no operation does it: prices of calls that were made already. So a redelivery sees others."""
    grants = [msgspec.structs.replace(grant, history=_history(rng, grant.item)) for grant in book.grants.values()]
    return book.changed(book.revision + 1, grants=grants)


def _history(rng: Random, item: str) -> tuple[Price, ...]:
    return (Price(EVER, _terms(rng, item)), Price(NOON, _terms(rng, item)))


def _terms(rng: Random, item: str) -> Terms:
    fee_type = rng.choice((FeeType.QUERY, FeeType.HIT))
    if item != "bundle":
        return Terms(rng.randrange(1, 50), fee_type)
    return Terms(rng.randrange(50, 90), fee_type, rng.choice(tuple(ChargeType)), {"id": rng.randrange(1, 20)})


def payloads(rng: Random, count: int) -> Iterator[tuple[str, Payload]]:
    """Calls, corrections and requests to rate again; each with its event's id."""
    seen: list[UsageRecorded] = []
    for number in range(count):
        kind = rng.choices(("call", "correct", "rerate"), (80, 12, 8))[0]
        if kind == "call" or not seen:
            seen.append(_call(rng, number))
            yield f"e{number}", seen[-1]
        elif kind == "correct":
            yield f"e{number}", _correction(rng, rng.choice(seen))
        else:
            dept_id = rng.choice(seen).dept_id
            asked = tuple(dict.fromkeys(call.seq_no for call in seen if call.dept_id == dept_id))
            yield f"e{number}", UsageRerateRequested(dept_id=dept_id, seq_nos=asked)


def _call(rng: Random, number: int) -> UsageRecorded:
    item = rng.choice(ITEMS)
    upstream = [
        UpstreamCall(data_source_code="north", item="id", check_config_id=rng.choice((None, 9))),
        UpstreamCall(data_source_code="south", cost_micro=7),
    ]
    return UsageRecorded(
        seq_no=f"s{number}",
        dept_id=rng.choice(tuple(MERCHANT_OF)),
        check_item=item,
        success=rng.randrange(2),
        cache_flag=int(rng.random() < 0.2),
        tag=rng.choice(("", "a/b")),
        create_date=rng.choice(TIMES),
        final_source=rng.choice((None, "north")),
        sub_items=tuple(
            SubItem(check_item=code, success=rng.randrange(2)) for code in ("id", "face")[: rng.randrange(3)]
        )
        if item == "bundle"
        else (),
        upstream_record_list=tuple(upstream[: rng.randrange(3)]),
    )


def _correction(rng: Random, call: UsageRecorded) -> UsageCorrected:
    said = rng.choice(
        ({"is_fee": 0}, {"fee_micro": rng.randrange(9)}, {"success": 1}, {"success": 0, "tag": "c"}, {"is_fee": 1})
    )
    return UsageCorrected(seq_no=call.seq_no, dept_id=call.dept_id, by=1, **said)


def event_of(event_id: str, payload: Payload) -> Event:
    kind = {
        UsageRecorded: "usage.recorded",
        UsageCorrected: "usage.corrected",
        UsageRerateRequested: "usage.rerate.requested",
    }[type(payload)]
    data = msgspec.json.encode(payload)
    return Event(id=event_id, source="client", type=kind, subject=str(payload.dept_id), time=MORNING, data=data)


def sending(event: Event, partition: int) -> Sending:
    return Sending("usage", partition, event.subject.encode(), event.data, encode_headers(event))


def sendings(rng: Random, count: int) -> list[Sending]:
    """What clients send: calls, some of them again under the same or another id, changes, and poison."""
    sent: list[Sending] = []
    for event_id, payload in payloads(rng, count):
        event = event_of(event_id, payload)
        partition = payload.dept_id % PARTITIONS["usage"]
        sent.append(sending(event, partition))
        while rng.random() < 0.25:
            again = event if rng.random() < 0.5 or not isinstance(payload, UsageRecorded) else _under_another_id(event)
            sent.insert(rng.randrange(max(0, len(sent) - 8), len(sent) + 1), sending(again, partition))
        if rng.random() < 0.05:
            sent.append(Sending("usage", partition, b"1", b"\xff not an event", ()))
    return sent


def _under_another_id(event: Event) -> Event:
    return msgspec.structs.replace(event, id=f"{event.id}-again")
