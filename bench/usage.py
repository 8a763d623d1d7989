"""How fast the rater rates, keeps and adds up, against bare inserts of the same records and against a peer.

    python -m bench.usage [--records 60000] [--accounts 200] [--rounds 3]
    python -m bench.usage --grow 1000000    # the cost of a record as the store fills
    python -m bench.usage --ingest          # events a second by POST /events in batches of 500

Every contender gets the same calls from the same broker into a fresh embedded store, in
turn, in one run:

- bare inserts: the very records that the rater keeps, made beforehand, in bulk, into the same
  collection with the same indexes, and nothing else;
- rater: `fanfold worker rater` as a process: decode, rate, seal personal data, keep the
  record, seven totals, wallet and ledger;
- peer: a FastStream batch subscriber that upserts one total for each call, and keeps no record.

Times run from the first total or record seen to the last call's. Ratios are of medians.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import msgspec
from cryptography.fernet import Fernet
from pydantic import SecretStr
from pymongo import InsertOne
from rich.console import Console

from bench.contest import contest, environment, options_of, servers
from bench.folder import at_once, publish
from config.settings import KafkaSettings, MongoSettings
from config.topics import TOPICS
from handlers.usage.rating import rate
from handlers.usage.records import USAGE_RECORDS, call_of, document_of
from handlers.usage.totals import CUST_DAILY, WALLETS
from schemas.cloudevents import encode_structured
from schemas.events import Event
from schemas.mt.common import Zone
from schemas.usage import UpstreamCall, UsageRecorded
from stores.collections import ensure_indexes
from stores.mongo import Database, Document, open_database
from stores.mt.grants import GRANTS
from stores.mt.price_book import ACCOUNTS, PriceBooks
from stores.mt.revisions import bump
from stores.usage.audit import audit_usage
from stores.usage.personal import Personal
from streams.cluster import open_cluster
from streams.publisher import Publisher
from workers.embedded.child import Command, running
from workers.embedded.ports import LOOPBACK, free_port

BULK = 2_000
CHUNK = 5_000
POLL_SECONDS = 0.05
PRODUCTS = ("IDCARD", "FACE", "PHONE")
ACCOUNTS_OF_A_CUSTOMER = 4
NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
ZONE = Zone("Asia/Shanghai")
BATCH = 500
"""Events of one request."""
SENDERS = 4
KEY = Fernet.generate_key().decode()


class Bench:
    """The broker, the store and the calls that all contenders share."""

    def __init__(self, bootstrap: str, mongo_uri: str, work: Path, count: int, accounts: int) -> None:
        self.bootstrap = bootstrap
        self.mongo_uri = mongo_uri
        self.work = work
        self.count = count
        self.accounts = accounts

    def calls(self, first: int = 0, count: int | None = None) -> list[Event]:
        """Two hundred calls a second, dealt out over accounts and products."""
        return [self._call(number) for number in range(first, first + (self.count if count is None else count))]

    def _call(self, number: int) -> Event:
        dept_id = 1000 + number % self.accounts
        usage = UsageRecorded(
            seq_no=f"20260301{number:012d}",
            dept_id=dept_id,
            check_item=PRODUCTS[number // self.accounts % len(PRODUCTS)],
            success=int(number % 10 > 0),
            app_id=f"app-{dept_id}",
            trade_no=f"T{number}",
            result="1",
            result_code=0,
            result_msg="consistent",
            final_source="north",
            time=120,
            request_ip="192.0.2.10",
            name="Ada Lovelace",
            id_card=f"11010119900101{number % 10_000:04d}",
            mobile=f"138{number % 100_000_000:08d}",
            upstream_record_list=(
                UpstreamCall(
                    data_source_code="north", third_seq_no=f"N{number}", req_param="{}", response="{}", time=90
                ),
            ),
        )
        at = NOON + timedelta(milliseconds=5 * number)
        data = msgspec.json.encode(usage)
        return Event(f"call-{number}", "bench", "usage.recorded", str(dept_id), at, data)

    def kafka(self, prefix: str) -> KafkaSettings:
        return KafkaSettings(bootstrap=self.bootstrap, prefix=prefix, idempotent=False, session_timeout_seconds=2)

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[Database]:
        async with open_database(MongoSettings(uri=self.mongo_uri, database=name, timeout_seconds=60)) as database:
            await ensure_indexes(database)
            await self._write_prices(database)
            yield database

    async def _write_prices(self, database: Database) -> None:
        now = datetime.now(UTC)
        depts = range(1000, 1000 + self.accounts)
        accounts = [{"_id": dept, "merchant_id": _customer(dept), "updated_at": now} for dept in depts]
        await database[ACCOUNTS].insert_many(accounts)
        prices = [{"from": datetime(2000, 1, 1, tzinfo=UTC), "fee_micro": 150_000}]
        grants: list[Document] = [
            {"dept_id": dept, "item": item, "merchant_id": _customer(dept), "prices": prices, "state": 10}
            for dept in depts
            for item in PRODUCTS
        ]
        stamped = {"created_at": now, "updated_at": now}
        await database[GRANTS].insert_many([{"_id": number, **grant, **stamped} for number, grant in enumerate(grants)])
        customers = sorted({_customer(dept) for dept in depts})
        wallets = [
            {"_id": str(number), "wallet_id": number, "merchant_id": number, "is_default": True, "balance_micro": 0}
            for number in customers
        ]
        await database[WALLETS].insert_many([{**wallet, "updated_at": now} for wallet in wallets])
        await bump(database)


def _customer(dept_id: int) -> int:
    return 1 + (dept_id - 1000) // ACCOUNTS_OF_A_CUSTOMER


async def bare_inserts(bench: Bench, name: str) -> float:
    """Records a second if keeping them were all there is to do."""
    async with bench.database(name) as database:
        return bench.count / await inserted(database, bench.calls())


async def inserted(database: Database, calls: Sequence[Event]) -> float:
    """Seconds that it takes to keep the records of these calls, which are made beforehand."""
    records = await records_of(database, calls)
    started = time.perf_counter()
    for first in range(0, len(records), BULK):
        inserts = [InsertOne(record) for record in records[first : first + BULK]]
        await database[USAGE_RECORDS].bulk_write(inserts, ordered=False)
    return time.perf_counter() - started


async def records_of(database: Database, calls: Sequence[Event]) -> list[Document]:
    """As the rater keeps them."""
    now = datetime.now(UTC)
    book = await PriceBooks(database).latest(now)
    personal = Personal([SecretStr(KEY)])
    records = []
    for offset, event in enumerate(calls):
        usage = msgspec.json.decode(event.data, type=UsageRecorded)
        call = call_of(event, usage, ZONE)
        rated = rate(call, book)
        origin = {"fence": "usage~0123456789abcdef0123456789abcdef-0", "offset": offset}
        body = document_of(usage, call, rated) | personal.protected(usage, rated.day)
        records.append({"_id": usage.seq_no, "origin": origin, "recorded_at": now, **body})
    return records


async def rater(bench: Bench, name: str) -> float:
    """The rater as a process, on a backlog published beforehand."""
    kafka = bench.kafka(f"{name}.")
    async with bench.database(name) as database, open_cluster(kafka) as cluster:
        await publish(kafka, cluster, bench.calls())
        async with running(rater_command(bench, kafka, name)):
            speed = await timed(bench, database)
        audit = await audit_usage(database)
        if audit.differences or audit.records != bench.count:
            raise SystemExit(f"{audit.records} records, {audit.differences[:3]}")
        return speed


def rater_command(bench: Bench, kafka: KafkaSettings, database: str, *arguments: str, port: int = 0) -> Command:
    told = environment(kafka, bench.mongo_uri, database) | {
        "FANFOLD_METERING__SECRETS_KEYS": f'["{KEY}"]',
        "FANFOLD_EVENTS__TOKENS": '["bench"]',
        "FANFOLD_GATEWAY__PORT": str(port),
    }
    argv = (sys.executable, "-m", "workers.cli", *(arguments or ("worker", "rater")))
    return Command(name="fanfold", argv=argv, environment=told, probe=at_once, output=bench.work / "fanfold.log")


async def faststream(bench: Bench, name: str) -> float:
    kafka = bench.kafka(f"{name}.")
    async with bench.database(name) as database, open_cluster(kafka) as cluster:
        await publish(kafka, cluster, bench.calls())
        topic = f"{kafka.prefix}usage"
        argv = (sys.executable, "-m", "bench.peers.faststream_usage", kafka.bootstrap, topic, bench.mongo_uri, name)
        async with running(Command(name="peer", argv=argv, probe=at_once, output=bench.work / "peer.log")):
            return await timed(bench, database)


async def timed(bench: Bench, database: Database) -> float:
    """Calls a second, from the first that were counted to the last."""
    while not (first := await counted(database)):  # noqa: ASYNC110 - another process's work
        await asyncio.sleep(POLL_SECONDS)
    started = time.perf_counter()
    while await counted(database) < bench.count:  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
    return (bench.count - first) / (time.perf_counter() - started)


async def counted(database: Database) -> int:
    """By the daily totals: few documents, so a look at them slows nobody."""
    return sum([total["count"] async for total in database[CUST_DAILY].find({}, {"count": 1})])


async def grow(bench: Bench, console: Console, window: int = 100_000) -> None:
    """What each of a further hundred thousand records costs, and bare inserts of the same into a database beside it.

    Both fill up alike, in one store: the rater's part is what its cost grows by beyond theirs.
    """
    kafka = bench.kafka("grow.")
    async with bench.database("grow") as database, bench.database("bare") as bare, open_cluster(kafka) as cluster:
        await cluster.sync(TOPICS)
        async with running(rater_command(bench, kafka, "grow")), Publisher(kafka) as publisher:
            await publisher.wait_connected()
            for first in range(0, bench.count, window):
                calls = bench.calls(first, min(window, bench.count - first))
                last = first + len(calls)
                started = time.perf_counter()
                for start in range(0, len(calls), CHUNK):
                    await publisher.publish(calls[start : start + CHUNK])
                while await counted(database) < last:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)
                rated = (time.perf_counter() - started) / len(calls) * 1e6
                # In parts: whole records of a window are more than one wants in memory.
                parts = [await inserted(bare, calls[start : start + CHUNK]) for start in range(0, len(calls), CHUNK)]
                alone = sum(parts) / len(calls) * 1e6
                line = f"{last:>9,} records: {rated:.0f} us each, bare inserts {alone:.0f} us"
                console.print(line, highlight=False)


async def ingest(bench: Bench, console: Console) -> None:
    """Events a second by POST /events in batches, each answered once Kafka has it."""
    kafka, port = bench.kafka("ingest."), free_port()
    async with bench.database("ingest"), open_cluster(kafka) as cluster:
        await cluster.sync(TOPICS)
        bodies = _bodies(bench.calls())
        async with running(rater_command(bench, kafka, "ingest", "gateway", port=port)):
            headers = {"Authorization": "Bearer bench", "Content-Type": "application/cloudevents-batch+json"}
            async with aiohttp.ClientSession(f"http://{LOOPBACK}:{port}", headers=headers) as http:
                await _until_ready(http)
                started = time.perf_counter()
                waiting = iter(bodies)
                await asyncio.gather(*(_send(http, waiting) for _ in range(SENDERS)))
                seconds = time.perf_counter() - started
    rate = bench.count / seconds
    console.print(f"POST /events, {BATCH} a request, {SENDERS} at once: {rate:,.0f} events/s", highlight=False)


def _bodies(calls: Sequence[Event]) -> list[bytes]:
    structured = []
    for call in calls:
        event = encode_structured(call)
        del event["subject"]
        structured.append(event)
    return [msgspec.json.encode(structured[first : first + BATCH]) for first in range(0, len(structured), BATCH)]


async def _until_ready(http: aiohttp.ClientSession) -> None:
    while True:
        try:
            async with http.get("/readyz") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(POLL_SECONDS)


async def _send(http: aiohttp.ClientSession, bodies: Iterator[bytes]) -> None:
    for body in bodies:
        async with http.post("/events", data=body) as answer:
            if answer.status != 202:
                raise SystemExit(f"{answer.status}: {await answer.text()}")


CONTENDERS: dict[str, Callable[[Bench, str], Awaitable[float]]] = {
    "bare inserts of the same records": bare_inserts,
    "rater": rater,
    "peer: FastStream, one upsert a call": faststream,
}


async def main() -> None:
    options = options_of(__doc__, "records", accounts=200)
    options.add_argument("--grow", type=int, help="fill the store with so many, and nothing else")
    options.add_argument("--ingest", action="store_true", help="measure POST /events, and nothing else")
    chosen = options.parse_args()
    console = Console()
    if chosen.grow or chosen.ingest:
        async with servers() as (bootstrap, mongo_uri, work):
            bench = Bench(bootstrap, mongo_uri, work, chosen.grow or chosen.count, chosen.accounts)
            await (grow(bench, console) if chosen.grow else ingest(bench, console))
        return
    await contest(CONTENDERS, Bench, chosen, "records", "rater", console)


if __name__ == "__main__":
    asyncio.run(main())
