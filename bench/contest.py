"""Contenders that do the same work in turn, each with a fresh broker and store, and how their rates compare."""

import argparse
import os
import secrets
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from config.settings import KafkaSettings
from workers.embedded import secantus, tansu
from workers.embedded.child import running
from workers.embedded.ports import LOOPBACK, free_port

PEERS_DO = 6
"""Peers, which are slow, get one so-many-th of the work."""

B = TypeVar("B")


@asynccontextmanager
async def servers() -> AsyncIterator[tuple[str, str, Path]]:
    """A fresh broker and store, for both slow down as they fill; and a folder for output."""
    broker_port, store_port = free_port(), free_port()
    with TemporaryDirectory(prefix="fanfold-bench-") as name:
        work = Path(name)
        broker = tansu.command(broker_port, work / "broker.log")
        store = secantus.command(store_port, None, output=work / "store.log")
        async with running(broker), running(store):
            yield f"{LOOPBACK}:{broker_port}", secantus.uri(store_port), work


def environment(kafka: KafkaSettings, mongo_uri: str, database: str) -> dict[str, str]:
    """What a process of Fanfold's is told of the embedded broker and store."""
    return {
        "FANFOLD_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "FANFOLD_KAFKA__PREFIX": kafka.prefix,
        "FANFOLD_KAFKA__IDEMPOTENT": "false",
        "FANFOLD_KAFKA__SESSION_TIMEOUT_SECONDS": str(tansu.SESSION_SECONDS),
        "FANFOLD_MONGO__URI": mongo_uri,
        "FANFOLD_MONGO__DATABASE": database,
        "FANFOLD_MONGO__PARALLEL_WRITES": str(secantus.PARALLEL_WRITES),
        "FANFOLD_METRICS__PORT": str(free_port()),
        "FANFOLD_LOG__LEVEL": "warning",
    }


def options_of(description: str | None, unit: str, accounts: int) -> argparse.ArgumentParser:
    """The options that every contest has; `unit` is what is counted: events, records."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(f"--{unit}", dest="count", type=int, default=60_000)
    options.add_argument("--accounts", type=int, default=accounts)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", nargs="*", help="words of the contenders to run")
    return options


async def contest(
    contenders: Mapping[str, Callable[[B, str], Awaitable[float]]],
    bench: Callable[[str, str, Path, int, int], B],
    chosen: argparse.Namespace,
    unit: str,
    ours: str,
    console: Console,
) -> None:
    """Run the chosen contenders in rounds and print their rates; `ours` is the one that is set against the others.

    `bench` makes what a contender works with, of broker, store, folder, count and accounts.
    """
    taking_part = {
        title: run for title, run in contenders.items() if not chosen.only or any(word in title for word in chosen.only)
    }
    rates: dict[str, list[float]] = {title: [] for title in taking_part}
    for _ in range(chosen.rounds):
        for title, run in taking_part.items():
            async with servers() as (bootstrap, mongo_uri, work):
                count = chosen.count // PEERS_DO if "peer" in title else chosen.count
                part = bench(bootstrap, mongo_uri, work, count, chosen.accounts)
                rates[title].append(await run(part, f"b{secrets.token_hex(4)}"))
                console.print(f"{title}: {rates[title][-1]:,.0f} {unit}/s", highlight=False)
    report(console, rates, chosen.count, unit, ours)


def report(console: Console, rates: Mapping[str, list[float]], count: int, unit: str, ours: str) -> None:
    medians = {title: statistics.median(values) for title, values in rates.items()}
    table = Table(title=f"{count:,} {unit} a round (peers a sixth), {os.cpu_count()} cores")
    for heading in ("contender", f"{unit}/s, median", "min", "max", f"{ours}'s ratio to it"):
        table.add_column(heading, justify="left" if heading == "contender" else "right")
    for title, values in rates.items():
        ratio = f"{medians[ours] / medians[title]:.2f}" if ours in medians else ""
        table.add_row(title, f"{medians[title]:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}", ratio)
    console.print(table)
