"""The clock at work: one leads, another takes over, and what is away is waited for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from chat_api import eventually
from prometheus_client import REGISTRY
from published import published

from config.settings import ClockSettings, KafkaSettings, MongoSettings, Settings
from config.topics import Topic
from schemas.errors import BrokerAway
from schemas.events import Event
from stores.collections import ensure_indexes
from stores.leases import Lease
from stores.mongo import Database
from workers.clock import BATCH, Clock, run_clock
from workers.embedded.ports import LOOPBACK, free_port
from workers.health import Health

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """Ticks and terms short enough to wait for."""
    return settings.model_copy(update={"clock": ClockSettings(tick_seconds=0.05, lease_seconds=3.0)})


@asynccontextmanager
async def ticking(settings: Settings) -> AsyncIterator[tuple[asyncio.Task[None], Health]]:
    stop, health = asyncio.Event(), Health()
    task = asyncio.create_task(run_clock(settings, stop, health))
    try:
        yield task, health
    finally:
        stop.set()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def ban(database: Database, user_id: str, until: datetime | None, seq: int = 2) -> None:
    """As the folder would have folded it."""
    register = {"at": NOW - timedelta(days=1), "seq": seq, "v": {"status": 2, "until": until}}
    await database["accounts"].update_one({"_id": user_id}, {"$set": {"ban": register}}, upsert=True)


async def holder_of(database: Database) -> str | None:
    found = await database["leases"].find_one({"_id": "clock"})
    return found["holder"] if found else None


async def expiries(kafka: KafkaSettings) -> list[str]:
    return sorted(event.subject for event in await published(kafka))


@pytest.fixture
def expired() -> Callable[[int], Awaitable[bool]]:
    """Whether so many ends were published in this test."""

    def count() -> float:
        return REGISTRY.get_sample_value("fanfold_clock_bans_expired_total") or 0.0

    before = count()

    async def at_least(wanted: int) -> bool:
        return count() - before >= wanted

    return at_least


async def test_what_is_due_is_published_and_nothing_else(
    quick: Settings, synced: tuple[Topic, ...], database: Database, expired: Callable[[int], Awaitable[bool]]
) -> None:
    await ensure_indexes(database)
    await ban(database, "past", datetime.now(UTC) - timedelta(hours=1))
    await ban(database, "to come", datetime.now(UTC) + timedelta(hours=1))
    await ban(database, "without end", None)

    async with ticking(quick) as (_, health):
        await eventually(lambda: expired(1))
        await eventually(lambda: ready(health))
    assert await expiries(quick.kafka) == ["past"]


async def ready(health: Health) -> bool:
    return not health.problems


async def test_of_two_clocks_one_leads_and_the_other_follows_when_it_stops(
    quick: Settings, synced: tuple[Topic, ...], database: Database, expired: Callable[[int], Awaitable[bool]]
) -> None:
    async with ticking(quick) as (first, _):
        leader = await eventually(lambda: holder_of(database))
        async with ticking(quick):
            await ban(database, "u1", NOW)
            await eventually(lambda: expired(1))
            assert await holder_of(database) == leader

            first.cancel()
            await eventually(lambda: other_holder(database, leader))
            await ban(database, "u2", NOW)
            await eventually(lambda: expired(3))  # u1's once more: no folder runs here
    assert await holder_of(database) is None
    assert set(await expiries(quick.kafka)) == {"u1", "u2"}


async def test_a_clock_takes_over_from_a_leader_that_was_killed(
    quick: Settings, synced: tuple[Topic, ...], database: Database, expired: Callable[[int], Awaitable[bool]]
) -> None:
    assert await Lease(database, "clock", "killed", 60.0).hold()  # and never renews or gives back
    await ban(database, "u1", NOW)

    async with ticking(quick):
        await eventually(lambda: expired(1))
        assert await other_holder(database, "killed")


async def other_holder(database: Database, former: str) -> bool:
    return await holder_of(database) not in (None, former)


class Broker:
    """Takes events, or is away."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.away = False

    async def publish(self, events: list[Event]) -> None:
        if self.away:
            raise BrokerAway("away")
        self.events += events


def a_clock(database: Database, broker: Broker, holder: str = "a") -> Clock:
    return Clock(database, broker, Lease(database, "clock", holder, 10.0))


async def test_an_end_is_published_once_by_a_leader_and_under_the_same_id_by_the_next(
    database: Database,
) -> None:
    broker = Broker()
    await ban(database, "u1", NOW)
    clock = a_clock(database, broker)

    assert [await clock.tick(NOW) for _ in range(3)] == [1, 0, 0]
    # The folder may be behind, or the event lost with a broker's memory: it is published again, later.
    forgetful = Clock(database, broker, Lease(database, "clock", "a", 10.0), repeat_seconds=-1.0)
    assert [await forgetful.tick(NOW) for _ in range(2)] == [1, 1]
    assert len({event.identity for event in broker.events}) == 1
    await ban(database, "u1", NOW, seq=4)
    assert await clock.tick(NOW) == 1
    assert len({event.identity for event in broker.events}) == 2


async def test_a_ban_ends_at_its_very_moment_and_not_before(database: Database) -> None:
    clock = a_clock(database, Broker())
    await ban(database, "u1", NOW)

    assert await clock.tick(NOW - timedelta(milliseconds=1)) == 0
    assert await clock.tick(NOW) == 1


async def test_more_than_a_batch_is_published_whole(database: Database) -> None:
    broker = Broker()
    await database["accounts"].insert_many(
        [{"_id": f"u{n}", "ban": {"at": NOW, "seq": n, "v": {"status": 2, "until": NOW}}} for n in range(2 * BATCH + 7)]
    )

    assert await a_clock(database, broker).tick(NOW) == 2 * BATCH + 7
    assert len({event.id for event in broker.events}) == 2 * BATCH + 7


async def test_who_stands_by_publishes_nothing(database: Database) -> None:
    broker = Broker()
    await ban(database, "u1", NOW)
    assert await a_clock(database, broker, "a").tick(NOW) == 1

    assert await a_clock(database, broker, "b").tick(NOW) == 0


async def test_a_broker_that_is_away_costs_nothing_but_time(database: Database) -> None:
    broker = Broker()
    await ban(database, "u1", NOW)
    clock = a_clock(database, broker)
    broker.away = True

    with pytest.raises(BrokerAway):
        await clock.tick(NOW)
    broker.away = False
    assert await clock.tick(NOW) == 1


async def test_a_store_that_is_away_shows_in_the_health_and_does_not_hold_up_a_stop(quick: Settings) -> None:
    nowhere = MongoSettings.model_validate(
        {"uri": f"mongodb://{LOOPBACK}:{free_port()}/", "timeout_seconds": 0.1, "database": "none"}
    )
    async with ticking(quick.model_copy(update={"mongo": nowhere})) as (task, health):

        async def waits() -> bool:
            return health.problems.get("clock", "").startswith("waiting")

        await eventually(waits)
        assert not task.done()
