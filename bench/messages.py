"""Messages between two: how many a second from HTTP to stored and counted, how soon, and with how many there already.

    python -m bench.messages [--messages 10000] [--rounds 3] [--rate 100] [--stored 10000 1000000]

One run, one embedded broker and store, two contenders in interleaved rounds, each a gateway and a worker as
processes, loaded by another process:

- bare: the same HTTP server and producer with nothing checked, one insert per message by a plain consumer;
- fanfold: `fanfold gateway` and `fanfold worker folder`, `sendmsg` with its UserSig, every message new.

Each with 1,000 pairs of people, and with one hot pair, whose messages share a partition and two documents. A rate
runs from the first call to the moment in which all that was answered is stored and, by fanfold, counted as unread.
Then, at a steady pace, from an answer to the message being in `get_c2c_unread_msg_num`. All of it again with more
messages in the store, written there in bulk; the store has come to rest before.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table

from bench.gateway import Contender as Loaded
from bench.gateway import cpu_seconds, load, server
from bench.load import ADMIN, APP, KEY, PAIRS, Measured, a_message, query, talkers
from bench.peers import bare_messages
from bench.rest import at_rest
from bench.stored_messages import fill
from bench.visible import percentile
from config.settings import KafkaSettings, MongoSettings
from config.topics import TOPICS, topic_of
from handlers.im.conversations import CONVERSATIONS, MESSAGES
from schemas.im.message import SENT
from stores.collections import ensure_indexes
from stores.mongo import Database, open_database
from streams.cluster import Cluster, open_cluster
from workers.embedded import secantus, tansu
from workers.embedded.child import running
from workers.embedded.ports import LOOPBACK, free_port

SHAPES = {"pairs": f"{PAIRS:,} pairs", "hot": "one hot pair"}
DEADLINE_SECONDS = 300.0
ASK_EVERY_SECONDS = 0.01
WATCHED = 10
"""Every so many messages one is watched until it shows."""
READINGS = 20


class Contender(msgspec.Struct, frozen=True):
    name: str
    port: int
    processes: Mapping[str, int]
    """Ids, by what they do."""
    cluster: Cluster
    counted: Callable[[], Awaitable[int]]
    """How many messages are stored, and counted where they are."""


class Round(msgspec.Struct, frozen=True):
    measured: Measured
    a_second: float
    """Stored and counted."""
    cpu: Mapping[str, float]
    """Seconds of each process for each message."""


class Waited(msgspec.Struct, frozen=True):
    """Seconds, of each watched message."""

    answered: list[float]
    visible: list[float]


class Level(msgspec.Struct):
    """All that was measured with so many messages in the store."""

    stored: int
    rounds: dict[tuple[str, str], list[Round]]
    waited: dict[tuple[str, str], Waited]
    calls: dict[str, list[float]]


# ---- what runs -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def contenders(
    work: Path, database: Database, bootstrap: str, port: int, store: int
) -> AsyncIterator[list[Contender]]:
    """Both at work; `port` is the store's, and `store` its process."""
    ours, bares, metrics = free_port(), free_port(), free_port()
    uri = secantus.uri(port)
    environment = {
        "FANFOLD_KAFKA__BOOTSTRAP": bootstrap,
        "FANFOLD_KAFKA__IDEMPOTENT": "false",
        "FANFOLD_KAFKA__SESSION_TIMEOUT_SECONDS": str(tansu.SESSION_SECONDS),
        "FANFOLD_MONGO__URI": uri,
        "FANFOLD_MONGO__PARALLEL_WRITES": str(secantus.PARALLEL_WRITES),
        "FANFOLD_GATEWAY__PORT": str(ours),
        "FANFOLD_IM__APPS": f'{{"{APP}": {{"key": "{KEY}", "admins": ["{ADMIN}"]}}}}',
        "FANFOLD_IM__CALLS_PER_SECOND": "0",
        "FANFOLD_IM__ROAMING_DAYS": "36500",
        "FANFOLD_LOG__LEVEL": "warning",
    }
    bare = ("-m", "bench.peers.bare_messages")
    async with AsyncExitStack() as stack:
        clusters = []
        for kafka in (KafkaSettings(bootstrap=bootstrap), bare_messages.kafka(bootstrap)):
            clusters.append(await stack.enter_async_context(open_cluster(kafka)))
            await clusters[-1].sync(TOPICS)

        async def start(name: str, arguments: tuple[str, ...], port: int, **variables: str) -> int:
            command = server(name, arguments, port, environment | variables, work)
            return (await stack.enter_async_context(running(command))).pid

        gateway = await start("gateway", ("-m", "workers.cli", "gateway"), ours, FANFOLD_METRICS__PORT="0")
        folder = await start(
            "folder", ("-m", "workers.cli", "worker", "folder"), metrics, FANFOLD_METRICS__PORT=str(metrics)
        )
        bare_gateway = await start("bare-gateway", (*bare, "serve", str(bares), bootstrap, uri), bares)
        # It answers nobody: that its gateway does says enough.
        bare_consumer = await start("bare-consumer", (*bare, "consume", bootstrap, uri), bares)

        async def inserted() -> int:
            return await database[bare_messages.COLLECTION].estimated_document_count()

        async def unread() -> int:
            summing: list[dict[str, Any]] = [{"$group": {"_id": None, "n": {"$sum": "$unread"}}}]
            found = await (await database[CONVERSATIONS].aggregate(summing)).to_list()
            return int(found[0]["n"]) if found else 0

        theirs = {"gateway": bare_gateway, "worker": bare_consumer, "store": store}
        yield [
            Contender("bare", bares, theirs, clusters[1], inserted),
            Contender("fanfold", ours, {"gateway": gateway, "worker": folder, "store": store}, clusters[0], unread),
        ]


class Client:
    """The IM server API as its callers use it."""

    def __init__(self, http: aiohttp.ClientSession, port: int) -> None:
        self._http = http
        self._base = f"http://{LOOPBACK}:{port}/v4/"
        self._query = query()

    async def call(self, call: str, body: bytes | dict[str, Any]) -> tuple[dict[str, Any], float]:
        """The answer, and the seconds that it took."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        started = time.perf_counter()
        async with self._http.post(f"{self._base}{call}?{self._query}", data=data) as got:
            answer = msgspec.json.decode(await got.read())
        if answer["ErrorCode"]:
            raise SystemExit(f"{call}: {answer}")
        return answer, time.perf_counter() - started

    async def unread(self, receiver: str) -> int:
        answer, _ = await self.call("openim/get_c2c_unread_msg_num", {"To_Account": receiver})
        return int(answer["AllC2CUnreadMsgNum"])

    async def until(self, receiver: str, reached: Callable[[int], bool]) -> int:
        """How much is unread, once that is so."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not reached(unread := await self.unread(receiver)):  # noqa: ASYNC110 - another process's work
                await asyncio.sleep(ASK_EVERY_SECONDS)
        return unread

    async def until_shown(self, sender: str, receiver: str, key: str) -> None:
        """On the bare path: return when the message is stored."""
        message = {"From_Account": sender, "To_Account": receiver, "MsgKey": key}
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (await self.call("shown", message))[0]["Shown"]:  # noqa: ASYNC110 - as above
                await asyncio.sleep(ASK_EVERY_SECONDS)


async def import_everybody(client: Client) -> None:
    everybody = [name for kind in SHAPES for number in range(PAIRS) for name in talkers(kind, number)]
    names = list(dict.fromkeys(everybody))
    for first in range(0, len(names), 100):
        await client.call("im_open_login_svc/multiaccount_import", {"Accounts": names[first : first + 100]})


# ---- what is measured ------------------------------------------------------------------------------------------------


async def settled(contender: Contender) -> None:
    """Return when all that is in Kafka is written and committed. To count it all the time would cost the store more."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while any(lag.behind for lag in await contender.cluster.lag([topic_of(SENT)])):  # noqa: ASYNC110 - others' work
            await asyncio.sleep(0.1)


async def one_round(contender: Contender, shape: str, arguments: argparse.Namespace, run: int) -> Round:
    before = await contender.counted()
    used = {name: cpu_seconds(pid) for name, pid in contender.processes.items()}
    loaded = Loaded(contender.name, shape, contender.port, contender.processes["gateway"])
    sent = arguments.messages
    measured = await load(loaded, arguments.connections, DEADLINE_SECONDS, f"{run * sent}+{sent}")
    answered = time.perf_counter()
    await settled(contender)
    seconds = measured.seconds + time.perf_counter() - answered
    cpu = {name: (cpu_seconds(pid) - used[name]) / sent for name, pid in contender.processes.items()}
    counted = await contender.counted() - before
    if measured.refused or counted != sent:
        raise SystemExit(f"{contender.name}: {sent} sent, {measured.refused} of them refused, {counted} counted")
    return Round(measured, sent / seconds, cpu)


async def wait_at_pace(contender: Contender, client: Client, shape: str, arguments: argparse.Namespace) -> Waited:
    """Messages at a steady pace. One is visible when all that were begun before its answer are counted; on the bare
    path, where nothing is counted, when it is found by its key."""
    counts = contender.name == "fanfold"
    await settled(contender)
    begun = Counter[str]()
    waited = Waited([], [])

    async def one(number: int) -> None:
        sender, receiver = talkers(shape, number)
        watched = number % WATCHED == 0
        if watched and counts and receiver not in begun:
            begun[receiver] = await client.unread(receiver)
        begun[receiver] += 1
        answer, seconds = await client.call("openim/sendmsg", a_message(shape, number))
        waited.answered.append(seconds)
        if watched:
            wanted, answered = begun[receiver], time.perf_counter()
            if counts:
                await client.until(receiver, lambda unread: unread >= wanted)
            else:
                await client.until_shown(sender, receiver, answer["MsgKey"])
            waited.visible.append(time.perf_counter() - answered)

    # The first alone: what a receiver has unread so far is asked once.
    await one(0)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as sending:
        for number in range(1, int(arguments.rate * arguments.seconds)):
            await asyncio.sleep(max(0.0, started + number / arguments.rate - time.perf_counter()))
            sending.create_task(one(number))
    return waited


async def call_times(client: Client) -> dict[str, list[float]]:
    """Seconds of the calls that read, and from reading to the count that says so."""
    times = defaultdict[str, list[float]](list)
    for number in range(READINGS):
        for shape in SHAPES:
            sender, receiver = talkers(shape, number)
            window = {"Operator_Account": receiver, "Peer_Account": sender, "MinTime": 0, "MaxTime": 2**32 - 1}
            _, seconds = await client.call("openim/admin_getroammsg", {**window, "MaxCnt": 20})
            times[f"admin_getroammsg, 20 messages, {SHAPES[shape]}"].append(seconds)
            _, seconds = await client.call("openim/get_c2c_unread_msg_num", {"To_Account": receiver})
            times[f"get_c2c_unread_msg_num, {SHAPES[shape]}"].append(seconds)
    for number in range(READINGS):
        sender, receiver = talkers("pairs", number)
        reading = {"Report_Account": receiver, "Peer_Account": sender}
        started = time.perf_counter()
        await client.call("openim/admin_set_msg_read", reading)
        await client.until(receiver, lambda unread: unread == 0)
        times[f"admin_set_msg_read to none unread, {SHAPES['pairs']}"].append(time.perf_counter() - started)
    return times


async def read_by_half(client: Client, oldest: int) -> tuple[int, float]:
    """The hot pair's receiver reads half of the time since: how much stays unread, and the seconds until that shows."""
    sender, receiver = talkers("hot", 0)
    before = await client.unread(receiver)
    up_to = (oldest + int(time.time())) // 2
    started = time.perf_counter()
    await client.call(
        "openim/admin_set_msg_read", {"Report_Account": receiver, "Peer_Account": sender, "MsgReadTime": up_to}
    )
    after = await client.until(receiver, lambda unread: unread != before)
    seconds = time.perf_counter() - started
    await client.call("openim/admin_set_msg_read", {"Report_Account": receiver, "Peer_Account": sender})
    await client.until(receiver, lambda unread: unread == 0)
    return after, seconds


async def one_level(
    both: Sequence[Contender], clients: Mapping[str, Client], stored: int, arguments: argparse.Namespace
) -> Level:
    level = Level(stored, {}, {}, {})
    oldest = int(time.time())
    for run in range(arguments.rounds):
        for shape in SHAPES:
            for contender in both:
                done = await one_round(contender, shape, arguments, run)
                level.rounds.setdefault((shape, contender.name), []).append(done)
    for shape in SHAPES:
        for contender in both:
            waited = await wait_at_pace(contender, clients[contender.name], shape, arguments)
            level.waited[shape, contender.name] = waited
    fanfold = clients["fanfold"]
    level.calls = await call_times(fanfold)
    left, seconds = await read_by_half(fanfold, oldest)
    level.calls[f"admin_set_msg_read by half ({left:,} stay unread), {SHAPES['hot']}"] = [seconds]
    return level


async def run(arguments: argparse.Namespace) -> list[Level]:
    levels: list[Level] = []
    broker_port, store_port = free_port(), free_port()
    bootstrap = f"{LOOPBACK}:{broker_port}"
    async with AsyncExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="fanfold-bench-")))
        await stack.enter_async_context(running(tansu.command(broker_port, output=work / "broker")))
        store = await stack.enter_async_context(running(secantus.command(store_port, None, output=work / "store")))
        settings = MongoSettings(uri=secantus.uri(store_port))  # type: ignore[arg-type]
        database = await stack.enter_async_context(open_database(settings))
        await ensure_indexes(database)
        both = await stack.enter_async_context(contenders(work, database, bootstrap, store_port, store.pid))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        clients = {contender.name: Client(http, contender.port) for contender in both}
        await import_everybody(clients["fanfold"])
        for contender in both:  # what the first message waits for: groups, partitions
            await clients[contender.name].call("openim/sendmsg", a_message("pairs", 0))
            await settled(contender)
        filled = 0
        for stored in arguments.stored:
            await fill(database, filled, stored)
            filled = stored
            await at_rest(store.pid)
            there = await database[MESSAGES].estimated_document_count()
            levels.append(await one_level(both, clients, there, arguments))
    return levels


# ---- what is shown ---------------------------------------------------------------------------------------------------


def show(levels: Sequence[Level], arguments: argparse.Namespace) -> None:
    console = Console(width=120)
    for level in levels:
        console.print(rates(level, arguments), waits(level, arguments))
    console.print(growth(levels))


def rates(level: Level, arguments: argparse.Namespace) -> Table:
    table = Table(
        title=f"{level.stored:,} messages stored; {arguments.rounds} rounds of {arguments.messages:,} messages over "
        f"{arguments.connections} connections, {os.cpu_count()} cores; medians"
    )
    for heading in ("", "answered/s", "p50 ms", "p99 ms", "counted/s", "of bare", "CPU us: gateway", "worker", "store"):
        table.add_column(heading, justify="right" if heading else "left")
    for (shape, name), rounds in level.rounds.items():
        measured = [one.measured for one in rounds]
        table.add_row(
            f"{name}, {SHAPES[shape]}",
            f"{statistics.median(m.requests / m.seconds for m in measured):,.0f}",
            *(f"{statistics.median(getattr(m, name) for m in measured) * 1000:.1f}" for name in ("p50", "p99")),
            f"{rate(rounds):,.0f}",
            f"{rate(rounds) / rate(level.rounds[shape, 'bare']):.2f}",
            *(f"{statistics.median(one.cpu[part] for one in rounds) * 1e6:.0f}" for part in rounds[0].cpu),
        )
    return table


def rate(rounds: Sequence[Round]) -> float:
    return statistics.median(one.a_second for one in rounds)


def waits(level: Level, arguments: argparse.Namespace) -> Table:
    table = Table(title=f"{arguments.rate:g} messages a second, every {WATCHED}th watched; ms")
    for heading in ("", "answered p50", "p99", "visible p50", "p99", "of bare: p50", "p99"):
        table.add_column(heading, justify="right" if heading else "left")
    for (shape, name), waited in level.waited.items():
        bare = level.waited[shape, "bare"].visible
        shares = (0.5, 0.99)
        table.add_row(
            f"{name}, {SHAPES[shape]}",
            *(f"{percentile(waited.answered, share) * 1000:.1f}" for share in shares),
            *(f"{percentile(waited.visible, share) * 1000:.1f}" for share in shares),
            *(f"{percentile(waited.visible, share) / percentile(bare, share):.1f}" for share in shares),
        )
    return table


def growth(levels: Sequence[Level]) -> Table:
    """What each costs with so many messages in the store."""
    table = Table(title="fanfold, by messages stored")
    for heading in ("", *(f"{level.stored:,}" for level in levels), "ratio"):
        table.add_column(heading, justify="right" if heading else "left")

    def row(title: str, values: Sequence[float], unit: str) -> None:
        table.add_row(title, *(f"{value:,.1f} {unit}" for value in values), f"{values[-1] / values[0]:.2f}")

    for shape, title in SHAPES.items():
        ours = [level.rounds[shape, "fanfold"] for level in levels]
        row(f"counted a second, {title}", [rate(rounds) for rounds in ours], "/s")
        cpu = [statistics.median(sum(one.cpu.values()) for one in rounds) * 1e6 for rounds in ours]
        row(f"CPU of a message, {title}", cpu, "us")
    for index, title in enumerate(levels[0].calls):
        names = [list(level.calls)[index] for level in levels]
        times = [statistics.median(level.calls[name]) * 1000 for level, name in zip(levels, names, strict=True)]
        row(title, times, "ms")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.messages")
    parser.add_argument("--messages", type=int, default=10_000, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rate", type=float, default=100, help="messages a second, for the time until one shows")
    parser.add_argument("--seconds", type=float, default=10, help="at that rate")
    parser.add_argument("--stored", type=int, nargs="+", default=[10_000, 1_000_000])
    arguments = parser.parse_args()
    show(asyncio.run(run(arguments)), arguments)


if __name__ == "__main__":
    main()
