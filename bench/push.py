"""How many webhooks are delivered a second, against what the HTTP client could post at all; and what hanging ones cost.

    python -m bench.push [--deliveries 10000] [--rounds 3] [--hanging]

One embedded broker and store, one receiver that answers at once. In interleaved rounds of one run:

- limit: bare aiohttp client posts of the same bodies, so many at once as the dispatcher has under way;
- dispatcher: `fanfold worker dispatcher`, from deliveries that wait in Kafka, signed, each recorded;
- push: `fanfold worker router dispatcher`, from pushes that wait in Kafka.

`--hanging`: 1,000 endpoints at a steady pace, once with all well and once with 100 that never answer; from asked
for to received, by those that are well.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import msgspec
from cryptography.fernet import Fernet
from rich.console import Console
from rich.table import Table

from bench.gateway import server
from bench.peers.webhook_sink import Seen
from bench.visible import percentile
from channels.channel import Message
from channels.signing import new_secret
from channels.ways.webhook import payload
from config.settings import Settings
from config.topics import TOPICS
from schemas.delivery import DeliveryPlanned, delivery_id
from schemas.endpoint import Endpoint
from schemas.events import Event
from schemas.push import PushRequested
from stores.collections import DELIVERIES, ensure_indexes
from stores.endpoints import Endpoints
from stores.mongo import Database, open_database
from stores.vault import Vault
from streams.cluster import open_cluster
from streams.publisher import Publisher
from workers.embedded import secantus, tansu
from workers.embedded.child import running
from workers.embedded.ports import LOOPBACK, free_port

ENDPOINTS, CONCURRENCY = 50, 4
TEXT = "Order 4711 has been paid; it will be sent tomorrow. " * 8
HANGING_ENDPOINTS, HANGING = 1_000, 100
PACE, PACED_SECONDS = 100, 30
DEADLINE_SECONDS = 300.0


class Bench:
    """Everything that runs, and how to ask for pushes."""

    def __init__(self, settings: Settings, database: Database, http: aiohttp.ClientSession, port: int) -> None:
        self.settings = settings
        self.database = database
        self.http = http
        self.port = port

    @property
    def environment(self) -> dict[str, str]:
        return {
            "FANFOLD_KAFKA__BOOTSTRAP": self.settings.kafka.bootstrap,
            "FANFOLD_KAFKA__IDEMPOTENT": "false",
            "FANFOLD_KAFKA__SESSION_TIMEOUT_SECONDS": "2",
            "FANFOLD_MONGO__URI": self.settings.mongo.uri.get_secret_value(),
            "FANFOLD_MONGO__PARALLEL_WRITES": str(secantus.PARALLEL_WRITES),
            "FANFOLD_PUSH__SECRETS_KEYS": f'["{self.settings.push.secrets_keys[0].get_secret_value()}"]',
            "FANFOLD_PUSH__ALLOW_NETWORKS": f'["{LOOPBACK}/32"]',
            "FANFOLD_LOG__LEVEL": "warning",
        }

    async def register(self, count: int, path: Callable[[int], str]) -> None:
        endpoints = Endpoints(self.database, Vault(self.settings.push.secrets_keys))
        now = datetime.now(UTC)
        for number in range(count):
            endpoint = Endpoint(
                id=f"ep_{number}",
                owner=f"user/{number}",
                channel="webhook",
                url=f"http://{LOOPBACK}:{self.port}{path(number)}",
                secrets=(new_secret(),),
                concurrency=CONCURRENCY,
                created_at=now,
                updated_at=now,
            )
            await endpoints.create(endpoint)

    async def seen(self) -> Seen:
        async with self.http.get(f"http://{LOOPBACK}:{self.port}/seen") as answer:
            return msgspec.json.decode(await answer.read(), type=Seen)

    async def recorded(self, count: int) -> None:
        """Return when so many deliveries are recorded as delivered."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await self.database[DELIVERIES].count_documents({"state": "delivered"}) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    async def publish(self, events: Sequence[Event]) -> None:
        async with Publisher(self.settings.kafka) as publisher:
            await publisher.wait_connected()
            for first in range(0, len(events), 1_000):
                await publisher.publish(events[first : first + 1_000])


def a_push(run: str, number: int, endpoints: int = ENDPOINTS) -> Event:
    recipient = f"user/{number % endpoints}"
    push = PushRequested(recipient=recipient, kind="order.paid", title="Paid", body=TEXT, fields={"order": number})
    return Event(
        id=f"{run}-{number}",
        source="bench",
        type="push.requested",
        subject=recipient,
        time=datetime.now(UTC),
        data=msgspec.json.encode(push),
    )


def a_delivery(run: str, number: int) -> Event:
    endpoint, recipient = f"ep_{number % ENDPOINTS}", f"user/{number % ENDPOINTS}"
    planned = DeliveryPlanned(
        id=delivery_id(f"bench/{run}-{number}", recipient, "webhook", endpoint),
        lane=f"webhook/{endpoint}",
        push=f"bench/{run}-{number}",
        recipient=recipient,
        channel="webhook",
        target=endpoint,
        kind="order.paid",
        title="Paid",
        body=TEXT,
        fields={"order": number},
        requested_at=datetime.now(UTC),
    )
    return Event(
        id=planned.id,
        source="bench",
        type="delivery.planned",
        subject=planned.lane,
        time=planned.requested_at,
        data=msgspec.json.encode(planned),
    )


async def post_bare(bench: Bench, count: int) -> float:
    """Posts a second, of bodies that are there already."""
    bodies = [
        payload(
            Message(
                id=str(number),
                kind="order.paid",
                title="Paid",
                body=TEXT,
                fields={"order": number},
                urgency="normal",
                language="en",
                recipient=f"user/{number}",
                at=datetime.now(UTC),
            )
        )
        for number in range(count)
    ]
    url, headers, left = f"http://{LOOPBACK}:{bench.port}/bare", {"Content-Type": "application/json"}, iter(bodies)

    async def client() -> None:
        for body in left:
            async with bench.http.post(url, data=body, headers=headers) as answer:
                await answer.read()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(ENDPOINTS * CONCURRENCY)))
    await bench.seen()
    return count / (time.perf_counter() - started)


async def dispatch(bench: Bench, work: Path, run: int, count: int, *, routed: bool) -> float:
    """Deliveries a second, from the first that is received to the last that is recorded."""
    workers = ("router", "dispatcher") if routed else ("dispatcher",)
    make = a_push if routed else a_delivery
    name = f"{workers[0]}-{run}"
    await bench.publish([make(name, number) for number in range(count)])
    before = await bench.database[DELIVERIES].count_documents({"state": "delivered"})
    await bench.seen()
    port = free_port()
    environment = {**bench.environment, "FANFOLD_METRICS__PORT": str(port)}
    async with running(server(name, ("-m", "workers.cli", "worker", *workers), port, environment, work)):
        await bench.recorded(before + count)
        ended = time.monotonic()
        seen = await bench.seen()
    if seen.count != count:
        raise SystemExit(f"{seen.count} webhooks were received, {count} were asked for")
    return count / (ended - seen.first)


async def paced(bench: Bench, work: Path, name: str) -> list[float]:
    """Seconds from asked for to received, of endpoints that are well."""
    port = free_port()
    environment = {**bench.environment, "FANFOLD_METRICS__PORT": str(port)}
    command = server(name, ("-m", "workers.cli", "worker", "router", "dispatcher"), port, environment, work)
    async with running(command), Publisher(bench.settings.kafka) as publisher:
        await publisher.wait_connected()
        delays: list[float] = []
        for part in ("warm", "measured"):
            started = time.monotonic()
            for number in range(PACE * PACED_SECONDS):
                await asyncio.sleep(max(0.0, started + number / PACE - time.monotonic()))
                await publisher.publish([a_push(f"{name}-{part}", number, HANGING_ENDPOINTS)])
            delays = (await bench.seen()).delays
        return delays


@asynccontextmanager
async def everything(work: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        broker_port, store_port, sink_port = free_port(), free_port(), free_port()
        await stack.enter_async_context(running(tansu.command(broker_port, work / "broker")))
        await stack.enter_async_context(running(secantus.command(store_port, None, output=work / "store")))
        sink = server("sink", ("-m", "bench.peers.webhook_sink", str(sink_port)), sink_port, {}, work)
        await stack.enter_async_context(running(sink))
        settings = Settings.model_validate(
            {
                "kafka": {"bootstrap": f"{LOOPBACK}:{broker_port}", "idempotent": False},
                "mongo": {"uri": secantus.uri(store_port)},
                "push": {"secrets_keys": [Fernet.generate_key().decode()]},
            }
        )
        database = await stack.enter_async_context(open_database(settings.mongo))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        async with open_cluster(settings.kafka) as cluster:
            await cluster.sync(TOPICS)
        await ensure_indexes(database)
        yield Bench(settings, database, http, sink_port)


async def throughput(deliveries: int, rounds: int) -> None:
    rates: dict[str, list[float]] = {"limit": [], "dispatcher": [], "push": []}
    with TemporaryDirectory(prefix="fanfold-bench-") as name:
        work = Path(name)
        async with everything(work) as bench:
            await bench.register(ENDPOINTS, lambda number: f"/{number}")
            for run in range(rounds):
                rates["limit"].append(await post_bare(bench, deliveries))
                rates["dispatcher"].append(await dispatch(bench, work, run, deliveries, routed=False))
                rates["push"].append(await dispatch(bench, work, run, deliveries, routed=True))
    table = Table(title=f"{deliveries} deliveries a round, median of {rounds}, {os.cpu_count()} cores")
    for heading in ("", "a second", "of the limit"):
        table.add_column(heading, justify="right" if heading else "left")
    limit = statistics.median(rates["limit"])
    for contender, measured in rates.items():
        rate = statistics.median(measured)
        table.add_row(contender, f"{rate:,.0f}", f"{rate / limit:.2f}")
    Console().print(table)


async def hanging() -> None:
    delays: dict[str, list[float]] = {}
    for name, path in (
        ("all well", lambda number: f"/timed/{number}"),
        (f"{HANGING} hang", lambda number: f"/hangs/{number}" if number < HANGING else f"/timed/{number}"),
    ):
        with TemporaryDirectory(prefix="fanfold-bench-") as work:
            async with everything(Path(work)) as bench:
                await bench.register(HANGING_ENDPOINTS, path)
                delays[name] = await paced(bench, Path(work), name.replace(" ", "-"))
    table = Table(title=f"{HANGING_ENDPOINTS} endpoints, {PACE} pushes a second, {os.cpu_count()} cores")
    for heading in ("", "received", "p50, ms", "p99, ms"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, seconds in delays.items():
        cells = (f"{percentile(seconds, share) * 1000:.1f}" for share in (0.5, 0.99))
        table.add_row(name, f"{len(seconds):,}", *cells)
    well, others = (percentile(seconds, 0.99) for seconds in delays.values())
    table.add_row("p99, ratio", "", "", f"{others / well:.2f}")
    Console().print(table)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--deliveries", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--hanging", action="store_true")
    chosen = options.parse_args()
    asyncio.run(hanging() if chosen.hanging else throughput(chosen.deliveries, chosen.rounds))


if __name__ == "__main__":
    main()
