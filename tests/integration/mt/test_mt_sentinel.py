"""The sentinel at work on a broker and a store: an episode is told once, whatever happens to who tells it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
from chat_api import eventually
from prometheus_client.parser import text_string_to_metric_families
from published import published

from config.settings import KafkaSettings, Settings
from config.topics import Topic
from schemas.alert import AlertClosed, AlertRaised
from schemas.events import Event
from schemas.usage import UsageFailed
from stores.mongo import Database
from stores.mt.alert_contacts import AlertContact, keep_contact, recipient_of
from stores.mt.alert_rules import AlertRule, drop_rules, keep_rules, rule_id
from streams.publisher import Publisher
from workers.commands.topics import read_lag
from workers.embedded.ports import LOOPBACK, free_port

MERCHANT, DEPT, ITEM, CONTACT = 1001, 77, "idcheck", 5
KEY = f"{DEPT}/{ITEM}"
PERIOD = 60


def failure(number: str, at: datetime, dept: int = DEPT) -> Event:
    key = f"{dept}/{ITEM}"
    failed = UsageFailed(grant=key, dept_id=dept, check_item=ITEM, seq_no=number, merchant_id=MERCHANT)
    return Event(
        id=f"{number}/failed",
        source="rater",
        type="usage.failed",
        subject=key,
        time=at,
        data=msgspec.json.encode(failed),
    )


async def watching(database: Database, since: datetime, error_count: int = 3) -> None:
    """So many failures within a minute are told to one contact."""
    contact = AlertContact(id=CONTACT, merchant_id=MERCHANT, linkman="Li", created_at=since, updated_at=since)
    await keep_contact(database, contact)
    rule = AlertRule(
        id=rule_id(MERCHANT, ITEM),
        merchant_id=MERCHANT,
        item=ITEM,
        period_seconds=PERIOD,
        error_count=error_count,
        contacts=(CONTACT,),
        since=since,
        set_by=1,
    )
    await keep_rules(database, [rule])


class Sentinel:
    """`fanfold worker sentinel`, as a process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self._port = port

    async def ready(self) -> None:
        async with aiohttp.ClientSession() as http:

            async def answers() -> bool:
                try:
                    async with http.get(f"http://{LOOPBACK}:{self._port}/readyz") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    assert self._process.returncode is None, "the sentinel has ended"
                    return False

            await eventually(answers, seconds=60)

    async def read(self, outcome: str) -> float:
        """How many failures it has read of which this came."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://{LOOPBACK}:{self._port}/metrics") as answer,
        ):
            shown = await answer.text()
        families = {family.name: family for family in text_string_to_metric_families(shown)}
        samples = families["fanfold_sentinel_failures"].samples
        return sum(sample.value for sample in samples if sample.labels.get("outcome") == outcome)

    async def end(self, how: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(how)
        await self._process.wait()


@asynccontextmanager
async def sentinel(settings: Settings) -> AsyncIterator[Sentinel]:
    port = free_port()
    environment = {
        "FANFOLD_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "FANFOLD_KAFKA__PREFIX": settings.kafka.prefix,
        "FANFOLD_KAFKA__IDEMPOTENT": str(settings.kafka.idempotent),
        "FANFOLD_KAFKA__SESSION_TIMEOUT_SECONDS": str(settings.kafka.session_timeout_seconds),
        "FANFOLD_MONGO__URI": settings.mongo.uri.get_secret_value(),
        "FANFOLD_MONGO__DATABASE": settings.mongo.database,
        "FANFOLD_METRICS__PORT": str(port),
        "FANFOLD_SENTINEL__TICK_SECONDS": "0.1",
        "FANFOLD_SENTINEL__GRACE_SECONDS": "0",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers.cli", "worker", "sentinel"), env={**os.environ, **environment}
    )
    running = Sentinel(process, port)
    try:
        await running.ready()
        yield running
    finally:
        await running.end(signal.SIGKILL)


async def episodes(database: Database) -> list[dict[str, Any]]:
    return await database["alert_episodes"].find({}).sort([("_id", 1)]).to_list()


async def all_read(running: Sentinel, outcome: str, count: int) -> bool:
    return await running.read(outcome) >= count


def to_ms(at: datetime) -> datetime:
    """As the store keeps it."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


async def told(kafka: KafkaSettings) -> Sequence[Event]:
    return [event for event in await published(kafka) if event.type.startswith("alert.")]


async def test_an_episode_is_told_once_though_the_sentinel_is_killed_in_the_middle(
    settings: Settings, synced: tuple[Topic, ...], database: Database
) -> None:
    now = datetime.now(UTC)
    await watching(database, now - timedelta(hours=1))
    begun = now - timedelta(seconds=5)
    times = {name: begun + timedelta(seconds=index) for index, name in enumerate("abcd")}

    async with Publisher(settings.kafka) as publisher:
        await publisher.wait_connected()
        async with sentinel(settings) as first:
            await publisher.publish([failure("a", times["a"]), failure("b", times["b"])])
            # Its windows have both; whether it has committed them is not known, and need not be.
            await eventually(lambda: all_read(first, "counted", 2))
            await first.end(signal.SIGKILL)
        # Published again by a rater that crashed as well: known by their numbers.
        await publisher.publish([failure("a", times["a"]), failure("b", times["b"])])
        async with sentinel(settings) as second:
            await eventually(lambda: all_read(second, "known", 2))
            assert await episodes(database) == []
            await publisher.publish([failure("c", times["c"])])
            [raised] = await eventually(lambda: episodes(database), seconds=60)
            await eventually(lambda: database["alert_episodes"].find_one({"told_raised": True}))
            await second.end(signal.SIGKILL)
        async with sentinel(settings) as third:
            await publisher.publish([failure("c", times["c"]), failure("d", times["d"])])
            await eventually(lambda: all_read(third, "counted", 1))
            assert [each["_id"] for each in await episodes(database)] == [f"{KEY}/1"]
            # Whoever wants no more alerts is told of none.
            await drop_rules(database, MERCHANT, [ITEM])
            await eventually(lambda: database["alert_episodes"].find_one({"pending": False}))

    assert raised["errors"] == 3
    assert raised["opened_at"] == to_ms(times["c"])
    [event] = await told(settings.kafka)
    assert event.id == f"{KEY}/1/raised"
    alert = msgspec.json.decode(event.data, type=AlertRaised)
    assert (alert.errors, alert.recipients) == (3, (recipient_of(CONTACT),))


async def test_of_failures_none_is_left_out_however_often_the_sentinel_is_killed(
    settings: Settings, synced: tuple[Topic, ...], database: Database
) -> None:
    """What waits while windows are being built, and what came before, is in the windows: told again, it is known."""
    now = datetime.now(UTC)
    await watching(database, now - timedelta(hours=1), error_count=1_000)
    failures = [failure(str(index), now, dept=index % 12) for index in range(120)]

    async def all_committed() -> bool:
        return not any(part.behind for part in await read_lag(settings.kafka) if part.group == "sentinel")

    async with Publisher(settings.kafka) as publisher:
        await publisher.wait_connected()
        for begin in range(0, len(failures), 30):
            await publisher.publish(failures[begin : begin + 30])
            async with sentinel(settings) as running:
                await eventually(all_committed, seconds=60)
                await running.end(signal.SIGKILL)
        await publisher.publish(failures)
        async with sentinel(settings) as last:

            async def all_told_again() -> bool:
                return await last.read("counted") + await last.read("known") >= len(failures)

            await eventually(all_told_again, seconds=60)
            assert await last.read("counted") == 0


async def test_of_two_sentinels_one_goes_on_with_the_windows_of_the_other(
    settings: Settings, synced: tuple[Topic, ...], database: Database
) -> None:
    now = datetime.now(UTC)
    await watching(database, now - timedelta(hours=1))
    times = [now - timedelta(seconds=9 - index) for index in range(3)]

    async with Publisher(settings.kafka) as publisher:
        await publisher.wait_connected()
        async with sentinel(settings) as one, sentinel(settings) as other:
            await publisher.publish([failure("a", times[0]), failure("b", times[1])])

            async def counting() -> list[Sentinel]:
                return [each for each in (one, other) if await each.read("counted") >= 2]

            [has_it] = await eventually(counting, seconds=60)
            await has_it.end(signal.SIGKILL)
            await publisher.publish([failure("c", times[2])])
            [raised] = await eventually(lambda: episodes(database), seconds=60)

    assert (raised["_id"], raised["errors"]) == (f"{KEY}/1", 3)


async def test_an_episode_ends_by_the_time_alone_and_the_end_is_told(
    settings: Settings, synced: tuple[Topic, ...], database: Database
) -> None:
    now = datetime.now(UTC)
    await watching(database, now - timedelta(hours=1))
    # Over in a moment: of three failures two are half, and the second one is nearly a period old.
    times = [now - timedelta(seconds=PERIOD) + timedelta(seconds=each) for each in (1, 2, 3)]

    async with Publisher(settings.kafka) as publisher, sentinel(settings):
        await publisher.wait_connected()
        await publisher.publish([failure(str(index), at) for index, at in enumerate(times)])
        [closed] = await eventually(lambda: database["alert_episodes"].find({"pending": False}).to_list(), seconds=60)

    assert closed["closed_at"] == to_ms(times[1] + timedelta(seconds=PERIOD))
    assert [event.type for event in await told(settings.kafka)] == ["alert.raised", "alert.closed"]
    ended = msgspec.json.decode((await told(settings.kafka))[1].data, type=AlertClosed)
    assert ended.closed_at == closed["closed_at"]
