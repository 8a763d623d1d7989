"""How many calls the gateway acknowledges a second, against what its HTTP server could answer at all and a peer.

    python -m bench.gateway [--seconds 5] [--rounds 3] [--connections 64]

Each contender is one process, loaded by another over keep-alive connections, in
interleaved rounds of one run, over one embedded broker:

- limit: the same aiohttp server answering a POST without doing anything;
- events: `fanfold gateway`, `POST /events` in binary mode, every event new;
- callbacks: the same process, `loginCallBack`, every call new and signed;
- peer: FastAPI on uvicorn and FastStream, the same requests as `events`.
"""

import argparse
import asyncio
import os
import statistics
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console
from rich.table import Table

from bench.load import Measured
from config.settings import KafkaSettings
from config.topics import TOPICS, topic_of
from streams.cluster import open_cluster
from workers.embedded import secantus, tansu
from workers.embedded.child import Command, running
from workers.embedded.ports import LOOPBACK, answers, free_port

GATEWAY_ENVIRONMENT = {
    "FANFOLD_KAFKA__IDEMPOTENT": "false",
    "FANFOLD_EVENTS__TOKENS": '["bench"]',
    "FANFOLD_CHAT__SECRETS": '{"bench": "bench-secret"}',
    "FANFOLD_METRICS__PORT": "0",
    "FANFOLD_LOG__LEVEL": "warning",
}


class Contender(msgspec.Struct, frozen=True):
    name: str
    kind: str
    """What `bench.load` sends it."""
    port: int
    pid: int


class Round(msgspec.Struct, frozen=True):
    measured: Measured
    cpu: float
    """Seconds of processor time the server took for each request."""


@asynccontextmanager
async def contenders(work: Path) -> AsyncIterator[list[Contender]]:
    """All of them running, over one broker and one store."""
    broker_port, store_port, gateway_port, noop_port, peer_port = (free_port() for _ in range(5))
    bootstrap = f"{LOOPBACK}:{broker_port}"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(tansu.command(broker_port, work / "broker")))
        await stack.enter_async_context(running(secantus.command(store_port, None, output=work / "store")))
        async with open_cluster(KafkaSettings(bootstrap=bootstrap)) as cluster:
            await cluster.sync(TOPICS)
        environment = GATEWAY_ENVIRONMENT | {
            "FANFOLD_KAFKA__BOOTSTRAP": bootstrap,
            "FANFOLD_MONGO__URI": secantus.uri(store_port),
            "FANFOLD_GATEWAY__PORT": str(gateway_port),
        }
        topic = topic_of("account.session.changed").name
        peer = ("-m", "bench.peers.faststream_gateway", str(peer_port), bootstrap, topic)
        pids = {}
        for name, arguments, port in (
            ("noop", ("-m", "bench.peers.noop_gateway", str(noop_port)), noop_port),
            ("gateway", ("-m", "workers.cli", "gateway"), gateway_port),
            ("peer", peer, peer_port),
        ):
            child = await stack.enter_async_context(running(server(name, arguments, port, environment, work)))
            pids[name] = child.pid
        yield [
            Contender("limit", "events", noop_port, pids["noop"]),
            Contender("events", "events", gateway_port, pids["gateway"]),
            Contender("callbacks", "callbacks", gateway_port, pids["gateway"]),
            Contender("peer", "events", peer_port, pids["peer"]),
        ]


def server(name: str, arguments: tuple[str, ...], port: int, environment: Mapping[str, str], work: Path) -> Command:
    async def probe() -> str | None:
        return None if await answers(port) else f"nobody answers at port {port}"

    return Command(
        name=name, argv=(sys.executable, *arguments), probe=probe, environment=environment, output=work / name
    )


async def load(contender: Contender, connections: int, seconds: float, run: str) -> Measured:
    arguments = (contender.kind, contender.port, connections, seconds, run)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"the load on {contender.name} failed with status {process.returncode}")
    return msgspec.json.decode(output, type=Measured)


def cpu_seconds(pid: int) -> float:
    """What a process has used so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def one_round(contender: Contender, arguments: argparse.Namespace, number: int) -> Round:
    before = cpu_seconds(contender.pid)
    measured = await load(contender, arguments.connections, arguments.seconds, f"{contender.name}-{number}")
    spent = cpu_seconds(contender.pid) - before
    return Round(measured, spent / (measured.requests + measured.warm_up))


async def run(arguments: argparse.Namespace) -> dict[str, list[Round]]:
    rounds: dict[str, list[Round]] = {}
    with TemporaryDirectory() as work:
        async with contenders(Path(work)) as all_of_them:
            for number in range(arguments.rounds):
                for contender in all_of_them:
                    rounds.setdefault(contender.name, []).append(await one_round(contender, arguments, number))
    return rounds


def show(rounds: Mapping[str, list[Round]], arguments: argparse.Namespace) -> None:
    measured = {name: [one.measured for one in done] for name, done in rounds.items()}
    rates = {name: statistics.median(m.requests / m.seconds for m in done) for name, done in measured.items()}
    table = Table(
        title=f"{arguments.connections} connections, {arguments.rounds} rounds of {arguments.seconds:g} s, "
        f"{os.cpu_count()} cores; medians of the rounds"
    )
    for heading in ("", "requests/s", "p50 ms", "p99 ms", "CPU us each", "of limit", "x peer", "refused"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, done in measured.items():
        table.add_row(
            name,
            f"{rates[name]:,.0f}",
            f"{statistics.median(m.p50 for m in done) * 1000:.1f}",
            f"{statistics.median(m.p99 for m in done) * 1000:.1f}",
            f"{statistics.median(one.cpu for one in rounds[name]) * 1e6:.0f}",
            f"{rates[name] / rates['limit']:.2f}",
            f"{rates[name] / rates['peer']:.1f}",
            str(sum(m.refused for m in done)),
        )
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.gateway")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    show(asyncio.run(run(arguments)), arguments)


if __name__ == "__main__":
    main()
