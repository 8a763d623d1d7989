"""Kafka or MongoDB away, and an orderly stop: what was answered with success is in the log, the rest comes again."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import msgspec
import pytest
from chat_api import eventually
from prometheus_client import REGISTRY
from published import published

from config.settings import KafkaSettings, MongoSettings, Settings
from config.topics import TOPICS
from streams.cluster import open_cluster
from workers.embedded import secantus, tansu
from workers.embedded.child import Child, running
from workers.embedded.ports import LOOPBACK, free_port
from workers.gateway import open_gateway
from workers.health import Health

LOADERS = 8


@pytest.fixture
def broker_port() -> int:
    return free_port()


@pytest.fixture
def settings(settings: Settings, broker_port: int) -> Settings:
    """A broker of the test's own, to be stopped at will; and little patience, for the tests' sake."""
    kafka = KafkaSettings(bootstrap=f"{LOOPBACK}:{broker_port}", idempotent=False, publish_timeout_seconds=0.5)
    return settings.model_copy(update={"kafka": kafka})


@pytest.fixture
async def broker(settings: Settings, broker_port: int, tmp_path: Path) -> AsyncIterator[Child]:
    async with running(tansu.command(broker_port, tmp_path / "broker")) as child:
        await sync(settings)
        yield child
        if child.running:
            child.process.send_signal(signal.SIGCONT)


async def sync(settings: Settings) -> None:
    async with open_cluster(settings.kafka) as cluster:
        await cluster.sync(TOPICS)


class Caller:
    """Publishes one event after the other, and keeps what it was answered."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self.answers: Counter[int] = Counter()
        self.acknowledged: list[str] = []
        self.refusals: list[tuple[str, str | None]] = []

    async def publish(self, event_id: str) -> int:
        event = {"specversion": "1.0", "id": event_id, "source": "tests", "type": "seat.synced"}
        body = msgspec.json.encode(event | {"data": {"user_id": event_id}})
        headers = {"Content-Type": "application/cloudevents+json", "Authorization": "Bearer events-token"}
        async with self._http.post("/events", data=body, headers=headers) as answer:
            self.answers[answer.status] += 1
            if answer.status == 202:
                self.acknowledged.append(event_id)
            else:
                problem = await answer.json(content_type="application/problem+json")
                self.refusals.append((problem["reason"], answer.headers.get("Retry-After")))
            return answer.status

    async def load(self, name: str, stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            await self.publish(f"{name}-{number}")

    async def more(self, status: int, times: int) -> None:
        """Return after so many more answers of that status."""
        enough = self.answers[status] + times
        await met(lambda: self.answers[status] >= enough)


async def met(condition: Callable[[], bool]) -> None:
    async def check() -> bool:
        return condition()

    await eventually(check, 60)


@pytest.fixture
async def caller(broker: Child, settings: Settings) -> AsyncIterator[Caller]:
    health = Health()
    async with open_gateway(settings, health) as port, aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http:
        await met(lambda: not health.problems)
        yield Caller(http)


async def test_a_broker_that_hangs_under_load_costs_503s_and_nothing_that_was_acknowledged(
    broker: Child, caller: Caller, settings: Settings
) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number in range(LOADERS):
            tasks.create_task(caller.load(f"loader-{number}", stop))
        await caller.more(202, 100)
        broker.process.send_signal(signal.SIGSTOP)
        await caller.more(503, 2 * LOADERS)
        broker.process.send_signal(signal.SIGCONT)
        await caller.more(202, 100)
        stop.set()

    assert set(caller.answers) == {202, 503}
    assert set(caller.refusals) == {("broker_away", "1")}
    in_log = {event.id for event in await published(settings.kafka)}
    assert set(caller.acknowledged) <= in_log


async def test_a_killed_broker_is_found_again_once_it_is_back(
    broker: Child, caller: Caller, settings: Settings, broker_port: int, tmp_path: Path
) -> None:
    assert await caller.publish("before") == 202

    broker.process.kill()
    await broker.ended()
    assert await caller.publish("while it is away") == 503
    assert caller.refusals == [("broker_away", "1")]

    async with running(tansu.command(broker_port, tmp_path / "second broker")):
        await sync(settings)

        async def taken() -> bool:
            return await caller.publish("after") == 202

        await eventually(taken)
        assert "after" in {event.id for event in await published(settings.kafka)}


async def test_a_request_in_flight_when_the_gateway_stops_is_finished_and_no_new_one_taken(
    broker: Child, settings: Settings
) -> None:
    settings = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"publish_timeout_seconds": 60})})
    health = Health()
    gateway = AsyncExitStack()
    port = await gateway.enter_async_context(open_gateway(settings, health))
    async with gateway, aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http:
        await met(lambda: not health.problems)
        caller = Caller(http)
        broker.process.send_signal(signal.SIGSTOP)
        in_flight = asyncio.create_task(caller.publish("in flight"))
        await met(lambda: REGISTRY.get_sample_value("fanfold_gateway_requests_in_flight") == 1)

        stopping = asyncio.create_task(gateway.aclose())
        await eventually(lambda: refuses_connections(port))
        assert not in_flight.done()
        broker.process.send_signal(signal.SIGCONT)

        assert await in_flight == 202
        await stopping
    assert [event.id for event in await published(settings.kafka)] == ["in flight"]


async def refuses_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except ConnectionRefusedError:
        return True
    writer.close()
    await writer.wait_closed()
    return False


async def test_a_gateway_started_while_everything_is_away_says_so_and_works_once_it_is_there(
    settings: Settings, broker_port: int, tmp_path: Path
) -> None:
    store_port = free_port()
    mongo = MongoSettings.model_validate({"uri": secantus.uri(store_port), "timeout_seconds": 0.5})
    settings = settings.model_copy(update={"mongo": mongo})
    # The servers go last: they outlive the gateway that uses them.
    async with (
        AsyncExitStack() as servers,
        open_gateway(settings, Health()) as port,
        aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http,
    ):
        caller = Caller(http)

        async with http.get("/healthz") as healthz:
            assert healthz.status == 200
        async with http.get("/readyz") as readyz:
            assert readyz.status == 503
            assert (await readyz.json())["problems"].keys() == {"broker", "topics", "store"}
        assert await caller.publish("too early") == 503
        async with http.post("/message/chat/getUsers?accessToken=chat-token", json={}) as query:
            assert query.status == 503
            assert query.headers["Retry-After"] == "1"
            assert (await query.json())["code"] == 5031

        await servers.enter_async_context(running(tansu.command(broker_port, tmp_path / "broker")))
        await servers.enter_async_context(running(secantus.command(store_port, None, output=tmp_path / "store")))
        await eventually(lambda: problems_are(http, {"topics"}))
        await sync(settings)
        await eventually(lambda: problems_are(http, set()))

        assert await caller.publish("in time") == 202
        async with http.post("/message/chat/getUsers?accessToken=chat-token", json={}) as query:
            assert query.status == 200


async def problems_are(http: aiohttp.ClientSession, names: set[str]) -> bool:
    async with http.get("/readyz") as readyz:
        found = (await readyz.json())["problems"].keys()
        assert readyz.status == (503 if found else 200)
        return found == names
