"""`make demo`: exit status 0 only where every number agrees with what was sent."""

import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.events import Record
from stores.mongo import Database, open_database
from streams import records
from streams.cluster import Cluster, open_cluster
from workers.commands.console import quiet
from workers.commands.process import run_loop
from workers.demo import report
from workers.demo.expected import Model
from workers.demo.preparing import prepare
from workers.demo.receiver import Receiver
from workers.demo.running import Place, everything, forget_other_settings
from workers.demo.seeing import (
    bans_lifted,
    by_label,
    panel,
    read_metrics,
    see,
    settled,
    wait_for_bans_lifted,
)
from workers.demo.sending import Phase, Sender
from workers.demo.traffic import Author, Poison, Request
from workers.embedded.errors import CannotStart

ACCOUNTS = 300
PACE = 300.0
"""Requests a second of the first half: what one laptop folds while it does everything else as well."""


def main(
    calls: Annotated[int, typer.Option(min=100, help="How many requests to send, about.")] = 6_000,
    seed: Annotated[int, typer.Option(help="Another seed, another stream.")] = 1,
) -> None:
    """Start everything, send traffic, and check what became of it."""
    quiet()
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="fanfold-demo-") as name:
        forget_other_settings(Path(name))
        try:
            sys.exit(run_loop(demo(console, Path(name), calls, seed)))
        except CannotStart as error:
            console.print(str(error), markup=False)
            sys.exit(1)


async def demo(console: Console, folder: Path, calls: int, seed: int) -> int:
    """The exit status."""
    console.print("Starting broker, store, gateway and workers ...")
    started = time.perf_counter()
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(everything(folder))
        console.print(f"Ready after {time.perf_counter() - started:.1f} s. Described at {place.api}/docs")
        http = await stack.enter_async_context(aiohttp.ClientSession(place.api))
        database = await stack.enter_async_context(open_database(place.mongo))
        cluster = await stack.enter_async_context(open_cluster(place.kafka))
        writer = await stack.enter_async_context(records.open_sender(place.kafka))
        receiver = Receiver()
        await stack.enter_async_context(receiver.serving())
        status = await Demo(console, place, http, database, cluster, writer, receiver).run(calls, seed)
        console.print("Stopping everything ...")
    console.print("Stopped.")
    return status


class Demo:
    """The demo against everything that runs."""

    def __init__(
        self,
        console: Console,
        place: Place,
        http: aiohttp.ClientSession,
        database: Database,
        cluster: Cluster,
        writer: records.Sender,
        receiver: Receiver,
    ) -> None:
        self._console = console
        self._place = place
        self._http = http
        self._database = database
        self._cluster = cluster
        self._writer = writer
        self._receiver = receiver
        self._model = Model()

    async def run(self, calls: int, seed: int) -> int:
        now = datetime.now(UTC)
        author = Author(seed, now, ACCOUNTS)
        traffic = author.traffic(calls)
        await self._receiver.register(self._http, author.readers)
        await prepare(self._http, self._database, now)
        half = len(traffic.requests) // 2
        phases = [
            Phase("At a steady pace", traffic.requests[:half], PACE),
            Phase("As fast as it goes", traffic.requests[half:], None),
        ]
        started = time.perf_counter()
        unexpected = await self._send(author, phases, traffic.poison)
        self._console.print("Waiting until everything is folded and delivered ...")
        await settled(self._cluster, self._database)
        busy_seconds = time.perf_counter() - started
        events = await self._folded()
        await self._bans_end()
        await settled(self._cluster, self._database)
        tables = await self._compare(traffic.poison)
        report.show(self._console, tables)
        report.show_speed(self._console, phases, events, busy_seconds)
        return report.judge(self._console, tables, unexpected)

    async def _send(self, author: Author, phases: list[Phase], poison: list[Poison]) -> list[str]:
        """The answers that were not as they must be."""
        console, requests = self._console, sum(len(phase.requests) for phase in phases)
        columns = (TextColumn("Sending"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn())
        if not console.is_terminal:
            console.print(f"Sending {requests:,} requests and {len(poison)} records of poison ...")
        with Progress(*columns, console=console, disable=not console.is_terminal, expand=True) as progress:
            bar = progress.add_task("", total=requests)

            def sent(request: Request) -> None:
                self._model.take(request)
                progress.advance(bar)

            sender = Sender(self._http, sent)
            newcomers = author.newcomers()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._poison(poison))
                for phase in phases:
                    await sender.send_phase(phase, newcomers)
        return sender.unexpected

    async def _poison(self, poison: list[Poison]) -> None:
        """Among the rest, by somebody who writes to Kafka himself."""
        for number, record in enumerate(poison):
            await asyncio.sleep(0.05)
            now = int(time.time() * 1000)
            topic = self._place.kafka.prefix + record.topic
            await self._writer.send(Record(topic, number % 6, 0, now, record.key, record.value, record.headers))

    async def _folded(self) -> int:
        metrics = await read_metrics(self._http, f"{self._place.metrics}/metrics")
        return sum(by_label(metrics, "fanfold_folder_events", "type").values())

    async def _bans_end(self) -> None:
        """Wait for the bans that end in seconds: nobody calls, the clock lifts them."""
        count, last = self._model.ends_soon(datetime.now(UTC))
        self._console.print(f"Waiting until {count} short bans have ended by themselves ...")
        await asyncio.sleep(max(0.0, (last - datetime.now(UTC)).total_seconds()))
        await wait_for_bans_lifted(self._database, count)

    async def _compare(self, poison: list[Poison]) -> dict[str, list[report.Line]]:
        now = datetime.now(UTC)
        expected = self._model.world(poison, now)
        found = await see(self._http, f"{self._place.metrics}/metrics", self._database, self._receiver, now)
        lifted = (self._model.ends_soon(now)[0], await bans_lifted(self._database))
        received = self._receiver.received
        surplus = received.total() - len(received) + self._receiver.forged
        return report.compare(expected, found, await panel(self._http), lifted, surplus)


if __name__ == "__main__":
    typer.run(main)
