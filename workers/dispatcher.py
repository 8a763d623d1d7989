"""Dispatcher: sends deliveries by their channels, tries again, gives up, and records each attempt."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from channels.net import open_net
from channels.registry import open_channels, ways
from config.settings import Settings
from gateway.background import end
from stores.deliveries import Deliveries
from stores.endpoints import Endpoints
from stores.files import Files
from stores.mongo import open_database
from stores.vault import Vault
from streams.cluster import Cluster
from streams.publisher import Publisher
from workers.dispatch.book import Book
from workers.dispatch.dispatching import Dispatching
from workers.dispatch.recorder import Recorder
from workers.dispatch.sending import Sending
from workers.health import Health
from workers.reader import Limits, patience_with, run_reader

GROUP = "dispatcher"


async def run_dispatcher(settings: Settings, stop: asyncio.Event, health: Health) -> None:
    """Dispatch until `stop`; then the attempts under way are finished. Raises what is a bug."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo))
        publisher = await stack.enter_async_context(Publisher(settings.kafka))
        net = await stack.enter_async_context(open_net(settings.push))
        channels = await stack.enter_async_context(open_channels(settings, net))
        deliveries = Deliveries(database)
        files = Files(database)
        endpoints = Endpoints(database, Vault(settings.push.secrets_keys))

        @asynccontextmanager
        async def steps(_: Cluster) -> AsyncIterator[Dispatching]:
            # All of it anew with each consumer: what the last one had in hand is read again, or is in the store.
            patience = patience_with(health, "deliveries", lambda waits: dispatching.waiting(waits))
            recorder, book = Recorder(deliveries, patience), Book(endpoints)
            sending = Sending(
                ways(), channels, deliveries, recorder, book, files, publisher, settings.dispatcher, patience
            )
            async with asyncio.TaskGroup() as tasks:
                recording = tasks.create_task(recorder.run(), name="record deliveries")
                dispatching = Dispatching(
                    sending, deliveries, recorder, book, ways(), publisher, settings.dispatcher, tasks
                )
                looking = tasks.create_task(dispatching.run(), name="look after deliveries")
                try:
                    yield dispatching
                finally:
                    # However the reader ended: what was sent is recorded, or it would be sent again.
                    await dispatching.leave_all()
                await end(looking)
                await end(recording)

        await run_reader(GROUP, settings.kafka, limits_of(settings), steps, stop, health)


def limits_of(settings: Settings) -> Limits:
    own = settings.dispatcher
    return msgspec.structs.replace(
        Limits.of(settings.folder), batch_records=own.batch_records, drain_seconds=own.drain_seconds
    )
