"""Clock: what falls due at a time becomes an event. One process leads, the others stand by.

Nothing is lost or doubled whoever leads: what is due is read from the documents
until the folder has folded its end, and an end's id names the ban that it ends.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
import structlog
from ulid import ULID

from config.settings import Settings
from schemas.account import BanExpired
from schemas.errors import StoreAway, Transient
from schemas.events import Event
from schemas.mt.common import Zone
from stores.bans import DueBan, due_bans
from stores.files import Files
from stores.jobs import Jobs
from stores.leases import Lease
from stores.mongo import Database, open_database
from streams.publisher import Publisher
from workers import clock_metrics as metrics
from workers.fold_batch import Publishes
from workers.health import Health
from workers.im_days import FigureDays
from workers.im_hours import HistoryHours
from workers.planned_changes import PlannedChanges
from workers.statement_duties import MonthEnd, Settling, StatementMails
from workers.sweeping import Sweeper

log = structlog.get_logger()

LEASE = "clock"
SOURCE = "clock"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BATCH = 500
"""Ends published at once; between two batches the lease is looked at."""

REPEAT_SECONDS = 60.0
"""How long the folder is given to fold an end before it is published again: it may be that far behind."""


async def run_clock(settings: Settings, stop: asyncio.Event, health: Health) -> None:
    """Tick until `stop`, then give the lease back. Store or broker away: goes on trying, and says so."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo))
        publisher = await stack.enter_async_context(Publisher(settings.kafka))
        lease = Lease(database, LEASE, str(ULID()), settings.clock.lease_seconds)
        stack.push_async_callback(_give_back, lease)
        clock = Clock(database, publisher, lease)
        duties: tuple[Duty, ...] = (
            Sweeper(Files(database)),
            PlannedChanges(database),
            HistoryHours(Jobs(database), settings.im.apps if settings.im.hourly_history else ()),
            FigureDays(Jobs(database), settings.im.apps),
            MonthEnd(
                Jobs(database), Zone(settings.metering.zone), timedelta(hours=settings.metering.statements_after_hours)
            ),
            StatementMails(database, publisher),
            Settling(database, publisher),
        )
        health.problem("clock", "starting")
        while not stop.is_set():
            await _tick(clock, duties, health)
            await _pause(stop, settings.clock.tick_seconds)


class Duty(Protocol):
    """What else is done at its time, by the one process that leads."""

    async def tick(self, now: datetime, /) -> None:
        """Do what is due. Called once a tick; raises Transient, and is then called again."""


class Clock:
    """Publishes what is due, while it leads."""

    def __init__(
        self, database: Database, publisher: Publishes, lease: Lease, repeat_seconds: float = REPEAT_SECONDS
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._lease = lease
        self._repeat_seconds = repeat_seconds
        self._published: dict[str, float] = {}
        self._led = False

    @property
    def leads(self) -> bool:
        """As of the last tick."""
        return self._led

    async def tick(self, now: datetime) -> int:
        """Publish what is due at `now`; returns how many. Raises Transient; then some may be published."""
        leads = await self._lease.hold()
        if leads != self._led:
            log.info("clock_leads" if leads else "clock_stands_by")
            self._led = leads
        metrics.LEADING.set(leads)
        return await self._publish_due(now) if leads else 0

    async def _publish_due(self, now: datetime) -> int:
        count = 0
        self._forget_old()
        batch: list[Event] = []
        async with aclosing(due_bans(self._database, now)) as bans:
            async for ban in bans:
                event = expiry(ban)
                if event.id in self._published:
                    continue
                metrics.LATE_SECONDS.observe((now - ban.until).total_seconds())
                batch.append(event)
                if len(batch) == BATCH:
                    count += await self._publish(batch)
                    batch = []
                    if not self._lease.held:
                        return count
        return count + await self._publish(batch)

    async def _publish(self, events: list[Event]) -> int:
        await self._publisher.publish(events)
        published_at = time.monotonic()
        self._published.update((event.id, published_at) for event in events)
        metrics.EXPIRED.inc(len(events))
        return len(events)

    def _forget_old(self) -> None:
        oldest = time.monotonic() - self._repeat_seconds
        self._published = {key: at for key, at in self._published.items() if at > oldest}


def expiry(ban: DueBan) -> Event:
    """The event that ends this ban: the same, by id, whoever publishes it and how often."""
    expired = BanExpired(user_id=ban.user_id, ban_at=ban.at, ban_seq=ban.seq, until=ban.until)
    return Event(
        id=f"{ban.user_id}/{(ban.at - EPOCH) // timedelta(milliseconds=1)}/{ban.seq}",
        source=SOURCE,
        type="account.ban.expired",
        subject=ban.user_id,
        time=ban.until,
        data=msgspec.json.encode(expired),
    )


async def _tick(clock: Clock, duties: Sequence[Duty], health: Health) -> None:
    started = time.perf_counter()
    try:
        expired = await clock.tick(datetime.now(UTC))
        if clock.leads:
            for duty in duties:
                await duty.tick(datetime.now(UTC))
    except Transient as away:
        metrics.FAILURES.labels(type(away).__name__).inc()
        log.warning("clock_waits", error=str(away)[:300])
        health.problem("clock", f"waiting: {away}"[:300])
        return
    metrics.TICK_SECONDS.observe(time.perf_counter() - started)
    health.well("clock")
    if expired:
        log.info("bans_expired", count=expired)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


async def _give_back(lease: Lease) -> None:
    metrics.LEADING.set(0)
    try:
        await lease.release()
    except StoreAway as away:
        log.warning("lease_not_released", error=str(away)[:300])
