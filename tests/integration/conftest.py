"""A real broker and a real store for the integration tests, started once; topics and database of its own per test.

Chosen by environment, and taken out of it, for the settings refuse variables they do not know:

- `FANFOLD_TEST_KAFKA=HOST:PORT`: that broker (Apache Kafka), with the idempotent producer, in place of Tansu;
- `FANFOLD_TEST_STORE=PROGRAM`: that program in place of SecantusDB's Python server.

What is not installed skips on a laptop, and fails where `CI` is set.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator

import pytest

from config.settings import ENV_PREFIX, KafkaSettings, Settings
from config.topics import TOPICS, Topic
from stores.mongo import Database, open_database
from streams.cluster import Cluster, open_cluster
from workers.embedded import secantus, tansu
from workers.embedded.child import Command, running
from workers.embedded.errors import NotInstalled
from workers.embedded.ports import LOOPBACK, free_port
from workers.gateway import open_gateway
from workers.health import Health

APACHE_KAFKA = os.environ.get("FANFOLD_TEST_KAFKA")
STORE_PROGRAM = os.environ.get("FANFOLD_TEST_STORE")

for variable in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
    del os.environ[variable]


@pytest.fixture(scope="session")
async def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Address of the broker that the tests share."""
    if APACHE_KAFKA is not None:
        yield APACHE_KAFKA
        return
    port = free_port()
    async with running(_installed(tansu.command, port, tmp_path_factory.mktemp("broker") / "output")):
        yield f"{LOOPBACK}:{port}"


@pytest.fixture(scope="session")
async def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Address of the store that the tests share."""
    port = free_port()
    folder = tmp_path_factory.mktemp("store")
    # Another server takes the name for "in memory" for a folder's.
    storage = None if STORE_PROGRAM is None else folder / "data"
    command = _installed(secantus.command, port, storage, program=STORE_PROGRAM, output=folder / "output")
    async with running(command):
        yield secantus.uri(port)


def new_kafka(bootstrap: str) -> KafkaSettings:
    """The broker, and names that no other test uses."""
    apache = APACHE_KAFKA is not None
    return KafkaSettings(
        bootstrap=bootstrap,
        prefix=f"t{secrets.token_hex(6)}.",
        idempotent=apache,
        # Joining a group takes half of it on Tansu; Apache Kafka refuses less than 6 s.
        session_timeout_seconds=6 if apache else 2,
    )


def new_settings(kafka: KafkaSettings, mongo_uri: str) -> Settings:
    """Everything set, with a database of its own; servers take free ports."""
    return Settings.model_validate(
        {
            "kafka": kafka.model_dump(),
            "mongo": {"uri": mongo_uri, "database": f"t{secrets.token_hex(6)}"},
            "gateway": {"port": 0},
            "metrics": {"port": 0},
            "chat": {
                "secrets": {"demo": "demo-secret"},
                "access_tokens": ["chat-token"],
                "token_key": "a key for the tokens of the tests",
            },
            "events": {"tokens": ["events-token"]},
        }
    )


@pytest.fixture
def kafka(bootstrap: str) -> KafkaSettings:
    return new_kafka(bootstrap)


@pytest.fixture
def settings(kafka: KafkaSettings, mongo_uri: str) -> Settings:
    return new_settings(kafka, mongo_uri)


@pytest.fixture(scope="module")
def shared_settings(bootstrap: str, mongo_uri: str) -> Settings:
    """The same for a module whose tests share a gateway, for they keep out of each other's way."""
    return new_settings(new_kafka(bootstrap), mongo_uri)


@pytest.fixture
async def cluster(kafka: KafkaSettings) -> AsyncIterator[Cluster]:
    async with open_cluster(kafka) as cluster:
        yield cluster


@pytest.fixture
async def synced(cluster: Cluster) -> tuple[Topic, ...]:
    """All topics of the registry, created under this test's prefix."""
    await cluster.sync(TOPICS)
    return TOPICS


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The test's database, empty; dropped after it."""
    async with open_database(settings.mongo) as database:
        yield database
        await database.client.drop_database(database.name)


@pytest.fixture
async def gateway(settings: Settings, synced: tuple[Topic, ...], database: Database) -> AsyncIterator[str]:
    """The address of a gateway of the test's own, ready to work."""
    health = Health()
    async with open_gateway(settings, health) as port:
        async with asyncio.timeout(30):
            while health.problems:  # noqa: ASYNC110 - a state that others post, not an event of ours
                await asyncio.sleep(0.01)
        yield f"http://{LOOPBACK}:{port}"


def _installed(make, *args: object, **kwargs: object) -> Command:
    try:
        return make(*args, **kwargs)
    except NotInstalled as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
