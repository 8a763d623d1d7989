"""How fast the folder folds, against what its store could take at all and against two peers.

    python -m bench.folder [--events 60000] [--accounts 500] [--rounds 3]

Every contender gets the same events from the same broker into the same embedded
store, each in a database of its own, in turn, in one run:

- limit: the final documents written in bulk and nothing else (no Kafka, no decoding);
- folder: `fanfold worker folder` as a process;
- peers: a FastStream batch subscriber and a Faust agent, one insert and one upsert per event.

Times run from the first document seen to the last. Ratios are of medians.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from pymongo import InsertOne, UpdateOne
from rich.console import Console

from bench.contest import contest, environment, options_of, servers
from config.settings import KafkaSettings, MongoSettings
from config.topics import TOPICS, topic_of
from schemas.account import SessionChanged
from schemas.events import Event
from stores.collections import ensure_indexes
from stores.mongo import Database, open_database
from streams.cluster import Cluster, open_cluster
from streams.publisher import Publisher, partition_for
from workers.embedded.child import Command, running

LIMIT_BATCH = 2_000
PARTITIONS = topic_of("account.session.changed").partitions
POLL_SECONDS = 0.05
BACKLOG_FOLDED = 100_000
BACKLOG_LIMIT_MIB = 300
CHUNK = 5_000


class Bench:
    """The broker, the store and the events that all contenders share."""

    def __init__(self, bootstrap: str, mongo_uri: str, work: Path, events: int, accounts: int) -> None:
        self.bootstrap = bootstrap
        self.mongo_uri = mongo_uri
        self.work = work
        self.count = events
        self.accounts = accounts

    def events(self) -> list[Event]:
        now = datetime.now(UTC)
        return [
            Event(
                id=f"demo/loginCallBack/{number}",
                source="chat",
                type="account.session.changed",
                subject=user_id,
                time=now,
                data=msgspec.json.encode(
                    SessionChanged(user_id=user_id, online=number % 3 != 0, cause="callback", user_name="Someone")
                ),
            )
            for number in range(self.count)
            for user_id in (f"account-{number % self.accounts}",)
        ]

    def last_accounts(self) -> list[int]:
        """The accounts in the order in which their last events come."""
        return [number % self.accounts for number in range(self.count - self.accounts, self.count)]

    def expected(self, user_id: str) -> int:
        """How many of the events are this account's."""
        return len(range(int(user_id.removeprefix("account-")), self.count, self.accounts))

    def kafka(self, prefix: str) -> KafkaSettings:
        return KafkaSettings(bootstrap=self.bootstrap, prefix=prefix, idempotent=False, session_timeout_seconds=2)

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[Database]:
        async with open_database(MongoSettings(uri=self.mongo_uri, database=name)) as database:
            yield database


async def limit(bench: Bench, name: str) -> float:
    """Events a second if writing the final documents were all there is to do."""
    now = datetime.now(UTC)
    events = bench.events()
    async with bench.database(name) as database:
        await ensure_indexes(database)
        started = time.perf_counter()
        for first in range(0, len(events), LIMIT_BATCH):
            entries = [
                InsertOne(
                    {
                        "_id": event.identity,
                        "origin": {"fence": "accounts~0123456789abcdef0123456789abcdef-0", "offset": first + index},
                        "recorded_at": now,
                        "number": first + index,
                        "user_id": event.subject,
                        "user_name": "Someone",
                        "corp_id": None,
                        "online": True,
                        "cause": "callback",
                        "at": now,
                    }
                )
                for index, event in enumerate(events[first : first + LIMIT_BATCH])
            ]
            await database["login_log"].bulk_write(entries, ordered=False)
        online = {"at": now, "seq": 1, "v": {"online": True, "cause": "callback", "request_id": None}}
        register = {"at": now, "seq": 1, "v": "Someone"}
        await database["accounts"].bulk_write(
            [
                UpdateOne(
                    {"_id": f"account-{account}"},
                    {
                        "$set": {"fence.accounts~0123456789abcdef0123456789abcdef-0": bench.count},
                        "$inc": {"logins": 2, "logouts": 1},
                        "$min": {"first_event_at": now},
                        "$max": {"online": online, "profile.user_name": register},
                    },
                    upsert=True,
                )
                for account in range(bench.accounts)
            ],
            ordered=False,
        )
        return bench.count / (time.perf_counter() - started)


async def store_rate(bench: Bench, name: str) -> float:
    """Plain bulk inserts of a small document, the embedded store's own rate."""
    async with bench.database(name) as database:
        started = time.perf_counter()
        for first in range(0, bench.count, LIMIT_BATCH):
            last = min(first + LIMIT_BATCH, bench.count)
            await database["plain"].bulk_write(
                [InsertOne({"_id": f"document-{number}"}) for number in range(first, last)], ordered=False
            )
        return bench.count / (time.perf_counter() - started)


async def folder(bench: Bench, name: str) -> float:
    """The folder as a process, on a backlog published beforehand."""
    kafka = bench.kafka(f"{name}.")
    async with bench.database(name) as database, open_cluster(kafka) as cluster:
        await ensure_indexes(database)
        await publish(kafka, cluster, bench.events())
        rate = await timed(bench, database, folder_command(bench, kafka, name))
        async for account in database["accounts"].find():
            if account.get("logins", 0) + account.get("logouts", 0) != bench.expected(account["_id"]):
                raise SystemExit(f"{account} does not add up to {bench.expected(account['_id'])}")
        return rate


def folder_command(bench: Bench, kafka: KafkaSettings, database: str) -> Command:
    argv = (sys.executable, "-m", "workers.cli", "worker", "folder")
    told = environment(kafka, bench.mongo_uri, database)
    return Command(name="folder", argv=argv, environment=told, probe=at_once)


def peer(module: str) -> Callable[[Bench, str], Awaitable[float]]:
    async def run(bench: Bench, name: str) -> float:
        kafka = bench.kafka(f"{name}.")
        async with bench.database(name) as database, open_cluster(kafka) as cluster:
            await publish(kafka, cluster, bench.events())
            argv = (sys.executable, "-m", module, kafka.bootstrap, f"{kafka.prefix}accounts", bench.mongo_uri, name)
            output = bench.work / f"{name}.log"
            return await timed(bench, database, Command(name="peer", argv=argv, probe=at_once, output=output))

    return run


async def publish(kafka: KafkaSettings, cluster: Cluster, events: Sequence[Event]) -> None:
    await cluster.sync(TOPICS)
    async with Publisher(kafka) as publisher:
        await publisher.wait_connected()
        for first in range(0, len(events), CHUNK):
            await publisher.publish(events[first : first + CHUNK])


async def timed(bench: Bench, database: Database, command: Command) -> float:
    """Events a second from the first document seen to the last event's effect on its account."""
    async with running(command):
        while await database["login_log"].find_one({}, {"_id": 1}) is None:  # noqa: ASYNC110 - another process's work
            await asyncio.sleep(POLL_SECONDS)
        started = time.perf_counter()
        first = await database["login_log"].estimated_document_count()
        while not await finished(bench, database):  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
        return (bench.count - first) / (time.perf_counter() - started)


async def finished(bench: Bench, database: Database) -> bool:
    """Whether the last account of each partition is complete: a look at few documents, which slows nobody."""
    last = {partition_for(f"account-{n}".encode(), PARTITIONS): f"account-{n}" for n in bench.last_accounts()}
    cursor = database["accounts"].find({"_id": {"$in": list(last.values())}})
    folded = [account async for account in cursor]
    return len(folded) == len(last) and all(
        account.get("logins", 0) + account.get("logouts", 0) == bench.expected(account["_id"]) for account in folded
    )


async def at_once() -> str | None:
    return None


async def backlog(bench: Bench, name: str, console: Console) -> None:
    """Peak memory of a folder that finds so many events waiting; it is bounded, so a part of them shows it."""
    kafka = bench.kafka(f"{name}.")
    enough = min(bench.count, BACKLOG_FOLDED)
    async with bench.database(name) as database, open_cluster(kafka) as cluster:
        await ensure_indexes(database)
        await publish(kafka, cluster, bench.events())
        async with running(folder_command(bench, kafka, name)) as child:
            while await database["login_log"].estimated_document_count() < enough:  # noqa: ASYNC110
                await asyncio.sleep(1)
            peak = peak_memory_mib(child.pid)
    verdict = "under" if peak < BACKLOG_LIMIT_MIB else "OVER"
    console.print(
        f"backlog of {bench.count:,} events: folder's peak {peak:.0f} MiB, {verdict} {BACKLOG_LIMIT_MIB} MiB "
        f"(ratio {peak / BACKLOG_LIMIT_MIB:.2f}) after {enough:,} folded, {os.cpu_count()} cores"
    )


def peak_memory_mib(pid: int) -> float:
    """VmHWM of a process, MiB (proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


CONTENDERS: dict[str, Callable[[Bench, str], Awaitable[float]]] = {
    "store, plain inserts": store_rate,
    "limit: final documents only": limit,
    "folder": folder,
    "peer: FastStream": peer("bench.peers.faststream_folder"),
    "peer: Faust": peer("bench.peers.faust_folder"),
}


async def main() -> None:
    options = options_of(__doc__, "events", accounts=500)
    options.add_argument(
        "--backlog", type=int, help="measure peak memory with so many events waiting, and nothing else"
    )
    chosen = options.parse_args()
    console = Console()
    if chosen.backlog:
        async with servers() as (bootstrap, mongo_uri, work):
            await backlog(Bench(bootstrap, mongo_uri, work, chosen.backlog, chosen.accounts), "backlog", console)
        return
    await contest(CONTENDERS, Bench, chosen, "events", "folder", console)


if __name__ == "__main__":
    asyncio.run(main())
