"""Router and dispatcher at work, and a receiver of webhooks that answers as it is told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import msgspec
from aiohttp import web
from cryptography.fernet import Fernet
from pydantic import SecretStr

from config.settings import Settings
from schemas.endpoint import Endpoint
from schemas.events import Event
from stores.endpoints import Endpoints
from stores.mongo import Database
from stores.vault import Vault
from tests.integration.chat_api import an_event
from workers.dispatcher import run_dispatcher
from workers.health import Health
from workers.router import run_router

KEY = Fernet.generate_key().decode()


class Received(msgspec.Struct):
    path: str
    id: str
    body: Any
    at: float
    raw: bytes
    headers: dict[str, str]


class Sink:
    """Takes webhooks. `answer` decides by path; None hangs until the caller gives up."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], web.Response | None] = lambda _: web.Response(status=200)
        self.port = 0

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def ids(self, path: str | None = None) -> list[str]:
        return [each.id for each in self.received if path is None or each.path == path]

    @property
    def times(self) -> Counter[str]:
        """How often each was received."""
        return Counter(self.ids())

    async def take(self, request: web.Request) -> web.Response:
        loop = asyncio.get_running_loop()
        raw, headers = await request.read(), {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.path, headers["webhook-id"], await request.json(), loop.time(), raw, headers)
        self.received.append(received)
        answer = self.answer(received)
        if answer is None:
            await asyncio.Event().wait()
            raise AssertionError
        return answer


@asynccontextmanager
async def a_sink() -> AsyncIterator[Sink]:
    sink = Sink()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", sink.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sink.port = runner.addresses[0][1]
    try:
        yield sink
    finally:
        await runner.cleanup()


def push_settings(settings: Settings, **dispatcher: Any) -> Settings:
    """Loopback allowed, waits short."""
    quick = {"poll_seconds": 0.05, "retry_seconds": [0.1, 0.2], "breaker_seconds": 0.3, "drain_seconds": 5.0}
    return settings.model_copy(
        update={
            "push": settings.push.model_copy(
                update={
                    "secrets_keys": [SecretStr(KEY)],
                    "allow_networks": [ip_network("127.0.0.0/8")],
                    "timeout_seconds": 1.0,
                }
            ),
            "dispatcher": settings.dispatcher.model_copy(update={**quick, **dispatcher}),
        }
    )


@asynccontextmanager
async def pushing(settings: Settings) -> AsyncIterator[Health]:
    """A router and a dispatcher at work; stopped in order."""
    async with AsyncExitStack() as stack:
        health = Health()
        await stack.enter_async_context(routing(settings, health))
        await stack.enter_async_context(dispatching(settings, health))
        yield health


@asynccontextmanager
async def routing(settings: Settings, health: Health | None = None) -> AsyncIterator[Health]:
    health = health or Health()
    async with _running(run_router(settings, stop := asyncio.Event(), health), stop):
        yield health


@asynccontextmanager
async def dispatching(settings: Settings, health: Health | None = None) -> AsyncIterator[Health]:
    health = health or Health()
    async with _running(run_dispatcher(settings, stop := asyncio.Event(), health), stop):
        yield health


@asynccontextmanager
async def _running(work: Any, stop: asyncio.Event) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        stop.set()
        await task


async def an_endpoint(database: Database, url: str, owner: str = "user/1", **fields: Any) -> Endpoint:
    """Registered, with a secret."""
    now = datetime.now(UTC)
    known = {
        "id": f"ep_{len(url)}{now.timestamp():.6f}".replace(".", ""),
        "channel": "webhook",
        "secrets": ("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",),
        "created_at": now,
        "updated_at": now,
    }
    endpoint = Endpoint(owner=owner, url=url, **{**known, **fields})
    await Endpoints(database, Vault([SecretStr(KEY)])).create(endpoint)
    return endpoint


def a_push(recipient: str = "user/1", **fields: Any) -> Event:
    return an_event("push.requested", recipient, {"recipient": recipient, "title": "Hello", "body": "World", **fields})
