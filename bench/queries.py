"""Lists and figures of the portals at a million records: how long they take, and by which indexes they go.

    python -m bench.queries [--records 1000000] [--calls 50]

Each list is asked for as it opens and with its usual filter (`bench.portal_calls`), over HTTP,
one call after another. The ratio is to `crm/api/health`, the same way without a query, in the
same run. What a call asks the store is taken down and explained by it afterwards: a walk
through a whole collection is named, and the status is 1 where there is one.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from cryptography.fernet import Fernet
from pymongo import monitoring
from rich.console import Console
from rich.table import Table

from bench.portal_calls import BASELINE, CUSTOMER, OPERATOR, Ask, calls
from bench.rest import at_rest
from bench.stored_portals import fill_portals
from bench.stored_usage import DAYS, fill
from bench.visible import percentile
from config.settings import Settings
from config.topics import TOPICS
from schemas.mt.common import Zone
from stores.collections import ensure_indexes
from stores.mongo import Database, open_database
from stores.mt.api_docs import API_DOCS
from stores.mt.products import PRODUCTS
from stores.mt.sources import SOURCES
from stores.usage.personal import Personal
from streams.cluster import open_cluster
from workers.embedded import secantus, tansu
from workers.embedded.child import running
from workers.embedded.ports import LOOPBACK, free_port
from workers.gateway import open_gateway
from workers.health import Health

ASKED = ("find", "aggregate", "count", "distinct")


class Asked(monitoring.CommandListener):
    """Takes down what is asked of the store while it is switched on."""

    def __init__(self) -> None:
        self.on = False
        self.commands: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.on and event.command_name in ASKED:
            command = dict(event.command)
            self.commands.append({name: command[name] for name in command if name not in _NOT_EXPLAINED})

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to take down."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """The call fails, and says so."""


_NOT_EXPLAINED = ("lsid", "$db", "$clusterTime", "$readPreference", "readConcern", "txnNumber")


@asynccontextmanager
async def portals(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """A gateway ready to be asked."""
    async with open_cluster(settings.kafka) as cluster:
        await cluster.sync(TOPICS)
    health = Health()
    async with open_gateway(settings, health) as port:
        while health.problems:  # noqa: ASYNC110 - another task's work
            await asyncio.sleep(0.05)
        async with aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http:
            yield http


async def ask(http: aiohttp.ClientSession, call: Ask) -> float:
    """Seconds."""
    started = time.perf_counter()
    headers = {"Authorization": f"Bearer {call.token}"}
    async with http.request(call.method, call.path, json=call.body, headers=headers) as answer:
        content = await answer.read()
    seconds = time.perf_counter() - started
    if answer.status != 200 or (call.body is not None and b'"code":0' not in content):
        raise SystemExit(f"{call.path}: {answer.status} {content[:300]!r}")
    return seconds


FEW = (PRODUCTS, SOURCES, API_DOCS)
"""Collections of some hundred documents at most, which no index would make faster to list."""


async def walks(database: Database, commands: list[dict[str, Any]]) -> list[str]:
    """Which of the commands would go through a whole collection."""
    found = []
    for command in commands:
        name = next(iter(command))
        if command[name] in FEW:
            continue
        if name == "count" and not command.get("query"):
            continue  # a number that the store keeps
        if not await _walked(database, command):
            continue
        # By one condition of several the embedded store goes as well, and its explain does not tell.
        conditions = _filter_of(command)
        apart = [{"find": command[name], "filter": {field: wanted}} for field, wanted in conditions.items()]
        if len(apart) < 2 or all([await _walked(database, each) for each in apart]):
            found.append(f"{name} {command[name]} {str(conditions)[:200]}")
    return found


async def _walked(database: Database, command: dict[str, Any]) -> bool:
    command = {**command, "cursor": {}} if "aggregate" in command else command
    plan = await database.command("explain", command)
    return "COLLSCAN" in str(plan.get("queryPlanner", plan))


def _filter_of(command: dict[str, Any]) -> dict[str, Any]:
    """What a command begins with."""
    first: dict[str, Any] = next(iter(command.get("pipeline", ())), {})
    conditions: dict[str, Any] = command.get("filter") or command.get("query") or first.get("$match") or {}
    return conditions


async def measure(chosen: argparse.Namespace, settings: Settings, heard: Asked, store: int) -> int:
    zone = Zone(settings.metering.zone)
    now = datetime.now(UTC)
    table = Table(
        title=f"{chosen.records:,} records over {DAYS} days, {chosen.calls} calls each, {os.cpu_count()} cores"
    )
    for heading in ("", "p50 ms", "p99 ms", "p99 by health's", "indexes"):
        table.add_column(heading, justify="left" if heading in ("", "indexes") else "right")
    bad = 0
    async with open_database(settings.mongo) as database, portals(settings) as http:
        await ensure_indexes(database)
        started = time.perf_counter()
        await fill(database, Personal(settings.metering.secrets_keys), zone, chosen.records, now)
        await fill_portals(database, zone, chosen.records, now)
        await at_rest(store)
        Console().print(f"filled, and at rest after {time.perf_counter() - started:.0f} s")
        baseline = 0.0
        for name, call in calls(now, zone, chosen.records).items():
            heard.commands, heard.on = [], True
            await ask(http, call)
            heard.on = False
            seconds = [await ask(http, call) for _ in range(chosen.calls)]
            p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
            baseline = p99 if name == BASELINE else baseline
            walked = await walks(database, heard.commands)
            bad += len(walked)
            verdict = "; ".join(walked) or ("none needed" if name == BASELINE else "all by index")
            table.add_row(name, f"{p50 * 1000:.1f}", f"{p99 * 1000:.1f}", f"{p99 / baseline:.1f}", verdict)
    Console(width=150).print(table)
    return 1 if bad else 0


async def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=1_000_000)
    options.add_argument("--calls", type=int, default=50)
    chosen = options.parse_args()
    heard = Asked()
    monitoring.register(heard)
    broker, store = free_port(), free_port()
    with TemporaryDirectory(prefix="fanfold-bench-") as work:
        async with (
            running(tansu.command(broker, Path(work) / "broker.log")),
            running(secantus.command(store, None, output=Path(work) / "store.log")) as filled,
        ):
            settings = Settings.model_validate(
                {
                    "kafka": {"bootstrap": f"{LOOPBACK}:{broker}", "idempotent": False},
                    "mongo": {"uri": secantus.uri(store), "database": "bench"},
                    "gateway": {"port": 0},
                    "metrics": {"port": 0},
                    "metering": {
                        "secrets_keys": [Fernet.generate_key().decode()],
                        "tokens": {
                            OPERATOR: {"role": "operator", "user_id": 1},
                            CUSTOMER: {"role": "customer", "user_id": 2, "merchant_id": 1},
                        },
                    },
                    "log": {"level": "warning"},
                }
            )
            return await measure(chosen, settings, heard, filled.pid)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
