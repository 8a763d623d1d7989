"""Everything on one machine: an embedded broker and store, the gateway and all workers, watched and stopped together.

Children in two stages: what keeps (broker, store), then what works on it. They are
the same processes as in production, told by environment variables where everything is.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import partial

import aiohttp
import msgspec
import structlog

from config.logging import setup_logging
from config.settings import KafkaSettings, MongoSettings, Settings, load
from config.topics import TOPICS
from stores.collections import ensure_indexes
from stores.mongo import open_database
from streams.cluster import open_cluster
from workers.commands.process import stop_on_signals
from workers.embedded import apache, secantus, tansu
from workers.embedded.child import Command
from workers.embedded.ports import LOOPBACK, free_port
from workers.embedded.status import SharedMetrics, readiness, serve_status
from workers.embedded.supervisor import Service, Supervisor, nothing
from workers.retry import Patience
from workers.up_plan import (
    Keys,
    Place,
    UpOptions,
    address,
    applied,
    environment,
    environment_file,
    link_key,
    made,
    metering_keys,
    open_place,
    overridden,
    push_keys,
    ready_line,
    refuse_taken,
    token_key,
)

__all__ = ["UpOptions", "up"]

log = structlog.get_logger()

WORKERS = {
    "folder": ("folder",),
    "dispatcher": ("router", "dispatcher"),
    "rater": ("rater",),
    "sentinel": ("sentinel",),
    "clock": ("clock",),
    "jobs": ("jobs",),
}
"""Process to the workers in it: where pushes are few, routing and delivering them share one."""
READERS = frozenset({"folder", "dispatcher", "rater", "sentinel"})
"""Those that are members of a consumer group."""
LAG = "fanfold_reader_lag_events"


async def up(options: UpOptions) -> int:
    """Run everything until SIGINT or SIGTERM; the exit status. Raises CannotStart, BrokerAway, StoreAway."""
    settings = load()
    setup_logging(settings.log)
    stop = stop_on_signals()
    work = asyncio.create_task(_run(options, settings), name="up")
    waiting = asyncio.create_task(stop.wait(), name="signal")
    await asyncio.wait((work, waiting), return_when=asyncio.FIRST_COMPLETED)
    work.cancel()
    waiting.cancel()
    await asyncio.wait((work, waiting))
    if not work.cancelled():
        work.result()
    return 0


async def _run(options: UpOptions, given: Settings) -> None:
    """Start everything, say so, and look after it until cancelled."""
    refuse_taken(given.gateway.host, options.port, "--port")
    refuse_taken(given.metrics.host, options.metrics_port, "--metrics-port")
    async with AsyncExitStack() as stack:
        place = stack.enter_context(open_place(options))
        keys = Keys(
            token=token_key(given, place),
            link=link_key(given, place),
            push=push_keys(given, place),
            metering=metering_keys(given, place),
        )
        overrides = overridden(options, given, keys)
        settings = applied(given, overrides)
        shared = SharedMetrics(made(place.run / "metrics"))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        supervisor = await stack.enter_async_context(Supervisor(ended=shared.ended))
        await stack.enter_async_context(serve_status(settings.metrics, shared, supervisor.states))
        supervisor.add(*[service async for service in _keepers(options, settings, place, shared)])
        supervisor.add(*_workers(options, settings, {**environment(overrides), **shared.environment}, session))
        await supervisor.start_next()
        await asyncio.gather(sync_topics(settings.kafka), sync_indexes(settings.mongo))
        await supervisor.start_next()
        for_others = stack.enter_context(environment_file(place, overrides))
        sys.stdout.write(ready_line(options, settings, place, for_others) + "\n")
        sys.stdout.flush()
        await supervisor.watch()


async def _keepers(
    options: UpOptions, settings: Settings, place: Place, shared: SharedMetrics
) -> AsyncIterator[Service]:
    """Broker and store, those of them that are ours to run."""
    if options.kafka is None:
        port, output = int(settings.kafka.bootstrap.rpartition(":")[2]), place.output("broker")
        if options.broker == "apache":
            # It may fetch and format first, which takes seconds.
            make = partial(apache.command, port, place.kept / "kafka", durable=not options.ephemeral, output=output)
            yield Service(await asyncio.to_thread(make))
        else:
            yield Service(
                tansu.command(port, output),
                dependents=tuple(WORKERS),
                restored=partial(_with_new_log, settings.kafka, shared),
            )
    if options.mongo is None:
        port = secantus.port_of(settings.mongo.uri.get_secret_value())
        storage = None if options.ephemeral else made(place.kept / "store")
        command = secantus.command(port, storage, output=place.output("store"))
        command = msgspec.structs.replace(command, environment={"TMPDIR": str(place.run)})
        restored = partial(_with_empty_store, settings.mongo) if options.ephemeral else nothing
        yield Service(command, restored=restored)


def _workers(
    options: UpOptions, settings: Settings, shared: Mapping[str, str], session: aiohttp.ClientSession
) -> Iterator[Service]:
    """The gateway and the workers: the same processes as in production."""
    drain = {
        "gateway": settings.gateway.drain_seconds,
        "folder": settings.folder.drain_seconds,
        "rater": settings.folder.drain_seconds,
        "dispatcher": settings.dispatcher.drain_seconds,
        "jobs": settings.jobs.drain_seconds,
    }
    workers = ((name, ("worker", *parts)) for name, parts in WORKERS.items())
    for name, arguments in (("gateway", ("gateway",)), *workers):
        port = free_port()
        own = environment({"metrics": {"host": LOOPBACK, "port": port}})
        if name in READERS and options.kafka is None and options.broker == "apache":
            # A restart takes its partitions back at once, in place of waiting for its former self's session to end.
            own |= environment({"kafka": {"instance_id": "up"}})
        # The gateway counts as ready when it answers callers, at its own address.
        answering = address(settings.gateway) if name == "gateway" else f"http://{LOOPBACK}:{port}"
        yield Service(
            Command(
                name=name,
                argv=(sys.executable, "-m", "workers.cli", *arguments),
                probe=readiness(session, f"{answering}/readyz"),
                environment={**shared, **own},
                # A little more than it gives itself.
                drain_seconds=drain.get(name, 5.0) + 2.0,
            )
        )


async def _with_new_log(kafka: KafkaSettings, shared: SharedMetrics) -> None:
    log.error(
        "broker_log_lost",
        lost="events acknowledged and not yet folded, and all consumer positions",
        events_not_folded_at_last_look=int(shared.total(LAG)),
        next="going on with a new, empty log",
    )
    await _patience().while_transient(sync_topics, kafka)


async def _with_empty_store(mongo: MongoSettings) -> None:
    log.error("documents_lost", lost="all documents: the store was in memory", next="going on with an empty store")
    await _patience().while_transient(sync_indexes, mongo)


def _patience() -> Patience:
    return Patience(waiting=lambda away: log.warning("waiting", error=str(away)))


async def sync_topics(kafka: KafkaSettings) -> None:
    async with open_cluster(kafka) as cluster:
        await cluster.sync(TOPICS)


async def sync_indexes(mongo: MongoSettings) -> None:
    async with open_database(mongo) as database:
        await ensure_indexes(database)
