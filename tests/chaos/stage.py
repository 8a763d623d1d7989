"""The processes of a run: started through the command line, killed with SIGKILL, started again, stopped at the end."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
from cryptography.fernet import Fernet

from channels.signing import new_secret
from config.settings import Settings
from config.topics import TOPICS
from schemas.endpoint import Endpoint
from schemas.im.apps import App
from stores.collections import ensure_indexes
from stores.endpoints import Endpoints
from stores.im.accounts import import_accounts
from stores.mongo import open_database
from stores.vault import Vault
from streams.cluster import open_cluster
from tests.chaos.talk import ADMIN, APP, APPS, KEY, PEOPLE
from workers.embedded import apache, secantus, tansu
from workers.embedded.child import Child, Command, start, tail
from workers.embedded.errors import CannotStart
from workers.embedded.ports import LOOPBACK, answers, free_port

FOLDERS = ("folder-1", "folder-2")
DISPATCHERS = ("dispatcher-1", "dispatcher-2")
RATERS = ("rater-1", "rater-2")
TOKEN = "chaos-events-token"
OPERATOR_TOKEN = "chaos-operator-token"
OPERATOR = {"role": "operator", "user_id": 1, "name": "chaos"}
SECRET_ID, SECRET = "demo", "chaos-secret"
STARTS = 5
"""How often a start is tried before the run is given up."""


class Died(Exception):
    """A part ended that nobody killed: a bug."""


class Part:
    """One process that may be killed at any moment."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.child: Child | None = None
        self.killed_at: list[float] = []
        """Monotonic times."""

    @property
    def kills(self) -> int:
        return len(self.killed_at)

    @property
    def up(self) -> bool:
        return self.child is not None and self.child.running

    def obituary(self) -> str:
        status = None if self.child is None else self.child.process.returncode
        said = tail(self.command.output)[-3:]
        return f"{self.command.name} ended by itself with status {status}; it last said: {said}"

    async def start(self) -> None:
        """Returns once it is ready. Raises CannotStart when it will not."""
        for left in reversed(range(STARTS)):
            self.child = await start(self.command)
            try:
                await self.child.wait_ready()
            except CannotStart:
                await self.child.kill()
                if not left:
                    raise
            else:
                return

    async def kill(self) -> None:
        if self.child is not None and self.child.running:
            await self.child.kill()
            self.killed_at.append(time.monotonic())

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop()


class Stage:
    """All parts by name, in the order in which they start."""

    def __init__(self, settings: Settings, parts: Mapping[str, Part], killable: tuple[str, ...]) -> None:
        self.settings = settings
        self.parts = dict(parts)
        self.killable = killable

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.settings.gateway.port}"

    async def kill_and_restart(self, name: str, rng: Random) -> None:
        part = self.parts[name]
        if not part.up:
            raise Died(part.obituary())
        await part.kill()
        await asyncio.sleep(rng.uniform(0, 2))
        await part.start()

    def dead(self) -> list[str]:
        return [name for name, part in self.parts.items() if not part.up]


@asynccontextmanager
async def open_stage(place: Path, broker: str) -> AsyncIterator[Stage]:
    """Everything running; topics and indexes there. What was started is stopped at the end, whatever happened."""
    settings = settings_for(broker)
    parts = {
        "store": Part(store_command(settings, place)),
        "broker": Part(await asyncio.to_thread(broker_command, settings, place, broker)),
        "gateway": Part(our_command("gateway", settings, place, "gateway")),
        **{name: Part(our_command(name, settings, place, "worker", "folder")) for name in FOLDERS},
        **{name: Part(our_command(name, settings, place, "worker", "router", "dispatcher")) for name in DISPATCHERS},
        **{name: Part(our_command(name, settings, place, "worker", "rater")) for name in RATERS},
        "sentinel": Part(our_command("sentinel", settings, place, "worker", "sentinel")),
        "clock": Part(our_command("clock", settings, place, "worker", "clock", "jobs")),
    }
    try:
        for name in ("store", "broker"):
            await parts[name].start()
        await prepare(settings)
        await asyncio.gather(*(part.start() for name, part in parts.items() if name not in ("store", "broker")))
        # Tansu keeps its log in memory: killed, it has lost what it acknowledged, as it says it does.
        killable = tuple(name for name in parts if name != "broker" or broker == "apache")
        yield Stage(settings, parts, killable)
    finally:
        for part in reversed(parts.values()):
            await part.stop()


def settings_for(broker: str) -> Settings:
    kind = apache if broker == "apache" else tansu
    return Settings.model_validate(
        {
            "kafka": {
                "bootstrap": f"{LOOPBACK}:{free_port()}",
                "idempotent": broker == "apache",
                "session_timeout_seconds": kind.SESSION_SECONDS,
            },
            "mongo": {"uri": secantus.uri(free_port()), "parallel_writes": secantus.PARALLEL_WRITES},
            "gateway": {"port": free_port()},
            # Small batches: more commits, more places to be killed at.
            "folder": {"batch_records": 500, "poison_run": 500, "poison_window": 5000},
            "chat": {"secrets": {SECRET_ID: SECRET}},
            "events": {"tokens": [TOKEN]},
            "metering": {"tokens": {OPERATOR_TOKEN: OPERATOR}, "secrets_keys": [Fernet.generate_key().decode()]},
            "im": {"apps": APPS, "calls_per_second": 0, "roaming_days": 36_500},
            "push": {"secrets_keys": [Fernet.generate_key().decode()], "allow_networks": [f"{LOOPBACK}/32"]},
            # What is refused comes again soon, and is never given up within a run.
            "dispatcher": {"retry_seconds": [0.5, 1.0, *[2.0] * 30], "breaker_seconds": 1.0, "poll_seconds": 0.2},
        }
    )


def environment(settings: Settings, metrics_port: int) -> dict[str, str]:
    """The settings as the processes read them."""
    return {
        "FANFOLD_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "FANFOLD_KAFKA__IDEMPOTENT": str(settings.kafka.idempotent),
        "FANFOLD_KAFKA__SESSION_TIMEOUT_SECONDS": str(settings.kafka.session_timeout_seconds),
        "FANFOLD_MONGO__URI": settings.mongo.uri.get_secret_value(),
        "FANFOLD_MONGO__PARALLEL_WRITES": str(settings.mongo.parallel_writes),
        "FANFOLD_GATEWAY__PORT": str(settings.gateway.port),
        "FANFOLD_METRICS__PORT": str(metrics_port),
        "FANFOLD_FOLDER__BATCH_RECORDS": str(settings.folder.batch_records),
        "FANFOLD_FOLDER__POISON_RUN": str(settings.folder.poison_run),
        "FANFOLD_FOLDER__POISON_WINDOW": str(settings.folder.poison_window),
        "FANFOLD_CHAT__SECRETS": json.dumps({SECRET_ID: SECRET}),
        "FANFOLD_EVENTS__TOKENS": json.dumps([TOKEN]),
        "FANFOLD_IM__APPS": json.dumps(APPS),
        "FANFOLD_IM__CALLS_PER_SECOND": str(settings.im.calls_per_second),
        "FANFOLD_IM__ROAMING_DAYS": str(settings.im.roaming_days),
        "FANFOLD_METERING__TOKENS": json.dumps({OPERATOR_TOKEN: OPERATOR}),
        "FANFOLD_METERING__SECRETS_KEYS": json.dumps(
            [key.get_secret_value() for key in settings.metering.secrets_keys]
        ),
        "FANFOLD_PUSH__SECRETS_KEYS": json.dumps([key.get_secret_value() for key in settings.push.secrets_keys]),
        "FANFOLD_PUSH__ALLOW_NETWORKS": json.dumps([str(network) for network in settings.push.allow_networks]),
        "FANFOLD_DISPATCHER__RETRY_SECONDS": json.dumps(settings.dispatcher.retry_seconds),
        "FANFOLD_DISPATCHER__BREAKER_SECONDS": str(settings.dispatcher.breaker_seconds),
        "FANFOLD_DISPATCHER__POLL_SECONDS": str(settings.dispatcher.poll_seconds),
        "FANFOLD_LOG__LEVEL": "warning",
    }


def our_command(name: str, settings: Settings, place: Path, *arguments: str) -> Command:
    """`fanfold ARGUMENTS`, ready once its metrics port answers."""
    metrics_port = free_port()

    async def probe() -> str | None:
        return None if await answers(metrics_port) else "nobody answers at its metrics port"

    return Command(
        name=name,
        argv=(sys.executable, "-m", "workers.cli", *arguments),
        probe=probe,
        environment=environment(settings, metrics_port),
        output=place / f"{name}.log",
    )


def store_command(settings: Settings, place: Path) -> Command:
    port = secantus.port_of(settings.mongo.uri.get_secret_value())
    (place / "store").mkdir()
    return secantus.command(port, place / "store", output=place / "store.log")


def broker_command(settings: Settings, place: Path, broker: str) -> Command:
    port = int(settings.kafka.bootstrap.rpartition(":")[2])
    output = place / "broker.log"
    if broker == "apache":
        # Killed by a signal, not by a power cut: what the operating system has is kept.
        return apache.command(port, place / "kafka", durable=False, output=output)
    return msgspec.structs.replace(tansu.command(port), output=output)


async def register(settings: Settings, urls: Mapping[str, str]) -> None:
    """An endpoint for each owner."""
    now = datetime.now(UTC)
    async with open_database(settings.mongo) as database:
        endpoints = Endpoints(database, Vault(settings.push.secrets_keys))
        for number, (owner, url) in enumerate(urls.items()):
            endpoint = Endpoint(
                id=f"ep_{number}",
                owner=owner,
                channel="webhook",
                url=url,
                secrets=(new_secret(),),
                # Some keep their order: those stand in the store more often.
                ordered=number % 5 == 0,
                created_at=now,
                updated_at=now,
            )
            await endpoints.create(endpoint)


async def prepare(settings: Settings) -> None:
    """Topics and indexes; the people of the IM app."""
    async with open_cluster(settings.kafka) as cluster:
        await cluster.sync(TOPICS)
    async with open_database(settings.mongo) as database:
        await ensure_indexes(database)
        app = App(APP, KEY, frozenset({ADMIN}))
        await import_accounts(database, app, {person: {} for person in PEOPLE}, datetime.now(UTC))
