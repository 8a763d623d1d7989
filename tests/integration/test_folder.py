"""The folder's life on a real broker and store: partitions come and go, logs are replaced, things go away."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from config.settings import Settings
from config.topics import TOPICS, Topic
from schemas.account import SessionChanged
from schemas.events import Event, Origin
from stores.mongo import Database, MongoStore
from stores.store import FactDocument
from streams.cluster import Cluster
from streams.publisher import Publisher
from tests.integration.chat_api import eventually, folding, publish
from workers.folder import GROUP, Folding
from workers.health import Health
from workers.reader import Limits, Reader, Stuck, open_consumer


def logins(accounts: int, count: int) -> list[Event]:
    """So many logins, dealt out over the accounts in turn, each with an id of its own."""
    run = secrets.token_hex(4)
    return [
        Event(
            id=f"{run}-{number}",
            source="test",
            type="account.session.changed",
            subject=user_id,
            time=datetime.now(UTC),
            data=msgspec.json.encode(SessionChanged(user_id=user_id, online=True, cause="callback")),
        )
        for number in range(count)
        for user_id in (f"account-{number % accounts}",)
    ]


async def publish_raw(settings: Settings, key: bytes, values: Sequence[bytes]) -> None:
    """Records that are no CloudEvents, to the accounts topic."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(f"{settings.kafka.prefix}accounts", value, key=key)
    finally:
        await producer.stop()


def folded(database: Database, count: int) -> Callable[[], Awaitable[bool]]:
    async def all_in() -> bool:
        return await database["login_log"].count_documents({}) >= count and await counted(database) >= count

    return all_in


async def counted(database: Database) -> int:
    return sum([account["logins"] async for account in database["accounts"].find()])


def committed(cluster: Cluster) -> Callable[[], Awaitable[bool]]:
    async def no_lag() -> bool:
        return sum(lag.behind for lag in await cluster.lag(TOPICS)) == 0

    return no_lag


async def test_a_folder_that_starts_again_goes_on_where_the_last_one_stopped(
    settings: Settings, synced: tuple[Topic, ...], database: Database, cluster: Cluster
) -> None:
    await publish(settings, *logins(accounts=7, count=200))
    async with folding(settings):
        await eventually(folded(database, 200))
        await eventually(committed(cluster))
    await publish(settings, *logins(accounts=7, count=100))

    async with folding(settings):
        await eventually(folded(database, 300))

    assert await counted(database) == 300
    assert await database["accounts"].count_documents({}) == 7


async def test_folders_that_come_and_go_under_load_count_each_event_once(
    settings: Settings, synced: tuple[Topic, ...], database: Database
) -> None:
    events = logins(accounts=40, count=3_000)

    async def load() -> None:
        for first in range(0, len(events), 100):
            await publish(settings, *events[first : first + 100])

    async with folding(settings):
        loading = asyncio.create_task(load())
        for _ in range(2):
            async with folding(settings) as second:
                await eventually(lambda second=second: ready(second))
        await loading
        await eventually(folded(database, 3_000))

    assert await counted(database) == 3_000
    assert await database["login_log"].count_documents({}) == 3_000


async def ready(health: Health) -> bool:
    return not health.problems


async def test_a_run_of_poison_stops_its_partition_and_no_other(
    settings: Settings, synced: tuple[Topic, ...], database: Database, cluster: Cluster
) -> None:
    strict = settings.model_copy(update={"folder": settings.folder.model_copy(update={"poison_run": 5})})
    poisoned_key = b"account-0"
    await publish_raw(strict, poisoned_key, [b"no event"] * 12)
    await publish(strict, *logins(accounts=40, count=400))

    async with folding(strict) as health:
        await eventually(lambda: halted(health))
        await eventually(lambda: steady(database))
        problem = next(text for text in health.problems.values() if "poison" in text)
        lags = [lag for lag in await cluster.lag(TOPICS) if lag.topic.endswith("accounts") and lag.behind]

    assert "not_a_cloudevent" in problem
    assert len(lags) == 1
    assert lags[0].behind > 12 - 5
    # Set aside were those before the ceiling; the rest waits in the log, whole.
    assert await database["dead_letters"].count_documents({}) == 4
    assert await counted(database) == 400 - (lags[0].behind - (12 - 4))


async def halted(health: Health) -> bool:
    return any("poison" in text for text in health.problems.values())


async def steady(database: Database) -> bool:
    """The other partitions are through: four letters and no more events to come."""
    before = await counted(database)
    await asyncio.sleep(0.5)
    return await counted(database) == before and before > 0 and await database["dead_letters"].count_documents({}) == 4


async def test_a_topic_created_again_under_a_running_folder_is_folded_from_its_start(
    settings: Settings, synced: tuple[Topic, ...], database: Database, cluster: Cluster
) -> None:
    async with folding(settings):
        await publish(settings, *logins(accounts=5, count=50))
        await eventually(folded(database, 50))
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap)
        await admin.start()
        await admin.delete_topics([f"{settings.kafka.prefix}accounts"])
        await admin.close()
        await eventually(lambda: created_again(cluster))
        await publish(settings, *logins(accounts=5, count=30))
        await eventually(folded(database, 80))

    assert await counted(database) == 80


async def created_again(cluster: Cluster) -> bool:
    return "accounts" in {cluster.short(name) for name in await cluster.sync(TOPICS)} or not await cluster.missing(
        TOPICS
    )


class HangingStore(MongoStore):
    """The real store until it is told to hang: what a driver's lost wake-up looks like from here."""

    hanging = False

    async def insert_facts(self, collection: str, facts: Sequence[FactDocument]) -> dict[str, Origin]:
        if self.hanging:
            await asyncio.Event().wait()
        return await super().insert_facts(collection, facts)


async def test_a_partition_that_stands_still_without_a_reason_ends_the_consumer(
    settings: Settings, synced: tuple[Topic, ...], database: Database, cluster: Cluster
) -> None:
    limits = Limits.of(settings.folder)
    impatient = msgspec.structs.replace(limits, stuck_after_seconds=1.0, drain_seconds=0.5)
    store = HangingStore(database, 1)
    store.hanging = True
    await publish(settings, *logins(accounts=1, count=3))

    async with Publisher(settings.kafka) as publisher, open_consumer(GROUP, settings.kafka, impatient) as consumer:
        folder = Reader(GROUP, consumer, cluster, Folding(store, publisher), impatient, Health())
        with pytest.raises(ExceptionGroup) as raised:
            await asyncio.wait_for(folder.run(asyncio.Event()), 30)

    assert raised.group_contains(Stuck)
    async with folding(settings):
        await eventually(folded(database, 3))
    assert await counted(database) == 3


async def test_a_folder_waits_for_a_store_that_is_away_and_says_so(
    settings: Settings, synced: tuple[Topic, ...], database: Database, cluster: Cluster
) -> None:
    nowhere = {"uri": SecretStr("mongodb://127.0.0.1:9/"), "timeout_seconds": 0.2}
    away = settings.model_copy(update={"mongo": settings.mongo.model_copy(update=nowhere)})
    await publish(settings, *logins(accounts=3, count=30))

    async with folding(away) as health:
        await eventually(lambda: waiting(health))
        lag = sum(lag.behind for lag in await cluster.lag(TOPICS))
    assert lag == 30

    async with folding(settings):
        await eventually(folded(database, 30))
    assert await counted(database) == 30


async def waiting(health: Health) -> bool:
    return any("waiting" in text for text in health.problems.values())
