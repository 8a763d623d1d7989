"""Sentinel: counts failures within periods of time, and raises and closes error alerts.

What happens to a failure is in `workers.sentinel_stream`, what follows from it in
`workers.sentinel_watch`; here a stream that has broken is followed by a new one.
"""

import asyncio
import logging
from contextlib import AsyncExitStack
from tempfile import TemporaryDirectory

import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import FaustError

from config.settings import Settings
from schemas.errors import Halted, Transient
from stores.mongo import Database, open_database
from streams.cluster import open_cluster
from streams.publisher import Publisher
from workers import reader_metrics as metrics
from workers.health import Health
from workers.reader import patience_with
from workers.sentinel_stream import GROUP, FailureStream
from workers.sentinel_watch import Watch

log = structlog.get_logger()

PAUSE_SECONDS = 1.0
TALKATIVE = ("faust", "mode", "workers.sentinel_recovery")
"""Loggers of Faust's, also for classes made of its own: a start tells of thirty parts."""


async def run_sentinel(settings: Settings, stop: asyncio.Event, health: Health) -> None:
    """Watch until `stop`. Broker or store away: goes on trying, and says so. Raises what is a bug."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo))
        publisher = await stack.enter_async_context(Publisher(settings.kafka))
        health.problem(GROUP, "starting")
        while not stop.is_set():
            try:
                await _stream(settings, database, publisher, stop, health)
            except Halted as halted:
                log.error("sentinel_halted", reason=str(halted)[:500])
                health.problem(GROUP, str(halted)[:300])
                metrics.HALTED.labels(GROUP).set(1)
                await stop.wait()
            except (KafkaError, FaustError, Transient, OSError) as error:
                metrics.RESTARTS.labels(GROUP, type(error).__name__).inc()
                log.warning("sentinel_restarts", reason=type(error).__name__, error=str(error)[:300])
                health.problem(GROUP, f"{type(error).__name__}: {str(error)[:200]}")
                await _pause(stop)


async def _stream(
    settings: Settings, database: Database, publisher: Publisher, stop: asyncio.Event, health: Health
) -> None:
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(open_cluster(settings.kafka))
        folder = stack.enter_context(TemporaryDirectory(prefix="fanfold-sentinel-"))
        ready = asyncio.Event()
        watch = Watch(database, publisher, settings.sentinel)
        patience = patience_with(health, f"{GROUP} stream")
        stream = FailureStream(settings, watch, publisher, cluster, patience, folder)
        telling = asyncio.create_task(_tell(ready, health), name="sentinel ready")
        try:
            await stream.run(stop, ready)
        finally:
            telling.cancel()


async def _tell(ready: asyncio.Event, health: Health) -> None:
    """Show in the health of the process whether failures are read."""
    while True:
        if ready.is_set():
            health.well(GROUP)
        else:
            health.problem(GROUP, "joining the group, building the windows, or waiting for Kafka")
        await asyncio.sleep(0.2)


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(PAUSE_SECONDS):
            await stop.wait()
    except TimeoutError:
        pass
