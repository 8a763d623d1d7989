"""The gateway as a process: takes calls in, publishes them, answers queries."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from channels.net import open_net
from config.settings import Settings
from gateway.app import build_app, serving
from gateway.health import watching_readiness
from gateway.systems import systems
from stores.mongo import open_database
from streams.publisher import Publisher
from workers.health import Health, serve_health

log = structlog.get_logger()


async def run_gateway(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop`; then finish what is in flight. Broker and store may be away, at the start too."""
    health = Health()
    async with serve_health(settings.metrics, health), open_gateway(settings, health):
        # What exists by now is never garbage: the collector need not walk it again and again while requests wait.
        gc.freeze()
        await stop.wait()
        log.info("gateway_stopping")


@asynccontextmanager
async def open_gateway(settings: Settings, health: Health) -> AsyncIterator[int]:
    """The gateway at work; yields its port."""
    # Closed upwards: the server first, which finishes its requests with all they need still open.
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo))
        publisher = await stack.enter_async_context(Publisher(settings.kafka))
        net = await stack.enter_async_context(open_net(settings.push))
        app = build_app(settings.gateway, systems(settings, database, net), publisher, lambda: health.problems)
        await stack.enter_async_context(watching_readiness(settings.kafka, publisher, database, health))
        port = await stack.enter_async_context(serving(app, settings.gateway))
        log.info("gateway_ready", host=settings.gateway.host, port=port)
        yield port
