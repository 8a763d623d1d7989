"""Who channels talk to: servers on loopback that remember what they were sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from channels.channel import Channel, Message
from channels.net import Net, open_net
from channels.registry import ways
from config.settings import Settings

LOOPBACK = ("127.0.0.0/8", "::1/128")
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)

Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Got(msgspec.Struct, frozen=True):
    """A request as it arrived."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Peer:
    """A server. It answers 200 unless it is told otherwise."""

    def __init__(self, answers: Answers | None) -> None:
        self.url = ""
        self.port = 0
        self.got: list[Got] = []
        self.answers = answers

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Got(request.path, dict(request.query), headers, await request.read()))
        return web.Response(text="fine") if self.answers is None else await self.answers(request)


@asynccontextmanager
async def a_peer(answers: Answers | None = None, host: str = "127.0.0.1") -> AsyncIterator[Peer]:
    peer = Peer(answers)
    runner = web.ServerRunner(web.Server(peer.handle), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, host, 0).start()
    peer.port = runner.addresses[0][1]
    peer.url = f"http://{host}:{peer.port}"
    try:
        yield peer
    finally:
        await runner.cleanup()


@asynccontextmanager
async def a_raw_peer(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """The URL of a server that speaks what it likes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def answering(status: int = 200, body: Any = None, **headers: str) -> Answers:
    async def answer(_: web.Request) -> web.Response:
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, dict):
            return web.json_response(body, status=status, headers=shown)
        return web.Response(status=status, text=body or "", headers=shown)

    return answer


class Names(AbstractResolver):
    """A name server: what it says changes from one question to the next, and stays at the last."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not addresses:
            raise OSError(-2, "Name or service not known")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def a_net(
    allow: Sequence[str] = LOOPBACK, resolver: AbstractResolver | None = None, timeout_seconds: float = 15.0
) -> AsyncIterator[Net]:
    settings = Settings.model_validate({"push": {"allow_networks": list(allow), "timeout_seconds": timeout_seconds}})
    async with open_net(settings.push, resolver) as net:
        yield net


@asynccontextmanager
async def a_channel(
    name: str,
    allow: Sequence[str] = LOOPBACK,
    resolver: AbstractResolver | None = None,
    timeout_seconds: float = 15.0,
) -> AsyncIterator[Channel]:
    async with a_net(allow, resolver, timeout_seconds) as net, ways()[name].open(Settings(), net) as channel:
        yield channel


def a_push(**fields: Any) -> Message:
    known = {
        "id": "dl_1",
        "kind": "detection.noticed",
        "title": "Ban",
        "body": "An account was banned.",
        "fields": {"account": "u1"},
        "urgency": "high",
        "language": "en",
        "recipient": "user/7",
        "at": AT,
    }
    return Message(**{**known, **fields})
