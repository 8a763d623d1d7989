"""`make chaos`: real processes, a load with duplicates, SIGKILL at random; at the end every document is compared.

Exit status 0 only when all is exact.
"""

import asyncio
import logging
import secrets
import shutil
import sys
import tempfile
import time
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Annotated

import aiohttp
import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from stores.mongo import open_database
from tests.chaos.audits import audits
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load, post, readers
from tests.chaos.receiver import open_receiver
from tests.chaos.stage import DISPATCHERS, Died, Stage, open_stage, register
from tests.chaos.talk import Talk
from tests.chaos.talk_verdict import judge_talk
from tests.chaos.usage_ledger import UsageLedger
from tests.chaos.usage_load import UsageLoad
from tests.chaos.usage_set_up import set_up
from tests.chaos.verdict import NotFolded, Verdict, judge, read_documents, wait_folded

console = Console()

CALM_SECONDS = (1.0, 4.0)
"""Between two kills."""
FOLDED_SECONDS = 300.0


class Broker(StrEnum):
    apache = "apache"
    tansu = "tansu"


def default_broker() -> Broker:
    """Only Apache Kafka keeps its log, so only it may be killed."""
    return Broker.apache if shutil.which("java") and shutil.which("mvn") else Broker.tansu


def main(
    events: Annotated[int, typer.Option(help="Facts to send; duplicates come on top.", min=1)] = 50_000,
    seed: Annotated[int | None, typer.Option(help="Of the load and the kills. Timing is the machine's.")] = None,
    broker: Annotated[Broker | None, typer.Option(help="Default: Apache Kafka where Java and Maven are.")] = None,
    pace: Annotated[float, typer.Option(help="Facts a second.", min=1)] = 500.0,
    calls: Annotated[
        int | None, typer.Option(help="Calls of metered products meanwhile. Default: a fifth of the facts.", min=1)
    ] = None,
) -> None:
    """Exactly once, with real processes."""
    # A broker that is away is what this is about: no need to hear of it.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    chosen_seed = seed if seed is not None else secrets.randbelow(1_000_000)
    chosen_broker = broker or default_broker()
    console.print(f"seed {chosen_seed}, {events:,} facts, broker {chosen_broker.value}")
    with tempfile.TemporaryDirectory(prefix="fanfold-chaos-", ignore_cleanup_errors=True) as name:
        running = run(Path(name), chosen_broker, events, calls or max(1, events // 5), chosen_seed, pace)
        sys.exit(0 if asyncio.run(running) else 1)


async def run(place: Path, broker: Broker, events: int, calls: int, seed: int, pace: float) -> bool:
    started = time.monotonic()
    ledger, usage_ledger = Ledger(), UsageLedger()
    async with open_receiver(Random(seed + 2)) as receiver, open_stage(place, broker.value) as stage:
        await register(stage.settings, {f"user/{reader}": receiver.url(reader) for reader in readers()})
        await set_up(stage, usage_ledger)
        load = Load(stage, ledger, Random(seed), events, pace)
        usage = UsageLoad(stage, usage_ledger, Random(seed + 3), calls, pace * calls / events)
        try:
            await _under_fire(stage, load, usage, Random(seed + 1), events)
            console.print(f"sent after {time.monotonic() - started:.0f} s; waiting until all is folded")
            await wait_folded(stage.settings, FOLDED_SECONDS)
            if dead := stage.dead():
                raise Died("; ".join(stage.parts[name].obituary() for name in dead))
            kills = [at for name in DISPATCHERS for at in stage.parts[name].killed_at]
            verdict = await judge(stage.settings, ledger, usage_ledger, receiver, kills)
            verdict.mistakes += await audits(stage.settings)
            more = await _judge_talk(stage, ledger, Random(seed))
            verdict = Verdict([*verdict.mistakes, *more.mistakes], verdict.counts | more.counts)
        except (Died, NotFolded) as error:
            verdict = Verdict([str(error)], {})
        _show(stage, load, usage, verdict)
    seconds = time.monotonic() - started
    for mistake in verdict.mistakes[:20]:
        console.print(mistake, style="red", markup=False)
    outcome = "exact" if not verdict.mistakes else f"{len(verdict.mistakes)} mistakes"
    again = f"make chaos SEED={seed} EVENTS={events} CALLS={calls}"
    console.print(f"[bold]{outcome}[/] after {seconds:.0f} s; again with: {again}")
    if verdict.mistakes:
        console.print(f"what the processes said is in {_keep_logs(place)}")
    return not verdict.mistakes


async def _judge_talk(stage: Stage, ledger: Ledger, rng: Random) -> Verdict:
    """What people see of their conversations, asked by the API."""
    async with open_database(stage.settings.mongo) as database, aiohttp.ClientSession() as http:
        talk = Talk(lambda path, body, kind: post(http, stage.url + path, body, kind), ledger, rng)
        return Verdict(*await judge_talk(ledger, await read_documents(database), talk))


def _keep_logs(place: Path) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="fanfold-chaos-logs-"))
    for log in place.glob("*.log"):
        shutil.copy(log, kept)
    return kept


async def _under_fire(stage: Stage, load: Load, usage: UsageLoad, rng: Random, events: int) -> None:
    """Send while killing."""
    columns = (TextColumn("sending under fire"), BarColumn(), TextColumn("{task.fields[state]}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=events, state="")
        sending = asyncio.ensure_future(asyncio.gather(load.run(), usage.run()))
        killing = asyncio.create_task(_kill(stage, rng))
        try:
            while not sending.done():
                await asyncio.wait({sending, killing}, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
                kills = sum(part.kills for part in stage.parts.values())
                retries = load.retries + usage.retries
                progress.update(bar, completed=load.begun, state=f"{retries} retries, {kills} kills")
                if killing.done():
                    killing.result()
            await sending
        finally:
            sending.cancel()
            killing.cancel()
            await asyncio.gather(sending, killing, return_exceptions=True)
    for name, part in stage.parts.items():
        if name in stage.killable and not part.up:
            await part.start()  # killed, and its restart cut short


async def _kill(stage: Stage, rng: Random) -> None:
    """Each part in its turn, the turns shuffled; often a second one while the first is down."""
    while True:
        turns = list(stage.killable)
        rng.shuffle(turns)
        while turns:
            victims = [turns.pop() for _ in range(min(len(turns), rng.choice((1, 1, 2))))]
            await asyncio.sleep(rng.uniform(*CALM_SECONDS))
            await asyncio.gather(*(stage.kill_and_restart(name, rng) for name in victims))


def _show(stage: Stage, load: Load, usage: UsageLoad, verdict: Verdict) -> None:
    kills = Table("part", "killed with SIGKILL")
    for name, part in stage.parts.items():
        kills.add_row(name, str(part.kills))
    counts = Table("what", "count")
    for what, count in (verdict.counts | {"retries of clients": load.retries + usage.retries}).items():
        counts.add_row(what, f"{count:,}")
    console.print(kills)
    console.print(counts)


if __name__ == "__main__":
    typer.run(main)
