"""The endpoint of products, as tests see it: what was asked, signed by whom; it answers as it is told."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from config.settings import Settings

APP_SECRET = "the secret of an account of the tests"

HANGS = 0
"""A status that never comes."""

Behaviour = Callable[[dict[str, Any]], tuple[int, Any]]


class ProductServer:
    """`asked` are the bodies of all calls, in order."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.behaviours: dict[str, Behaviour] = {}
        """By product."""

    def of(self, item: str) -> list[dict[str, Any]]:
        return [body for body in self.asked if body["checkItem"] == item]

    async def answer(self, request: web.Request) -> web.Response:
        raw = await request.read()
        signed = request.headers["X-Timestamp"].encode() + b"." + raw
        if not hmac.compare_digest(
            hmac.digest(APP_SECRET.encode(), signed, "sha256").hex(), request.headers["X-Signature"]
        ):
            return web.json_response({"code": "bad signature"}, status=401)
        body = json.loads(raw)
        assert request.headers["X-App-Id"] == body["appId"]
        self.asked.append(body)
        status, said = self.behaviours.get(body["checkItem"], found)(body)
        if status == HANGS:
            await asyncio.Event().wait()
        return web.json_response(said, status=status)


def found(body: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"code": 0, "seqNo": body["seqNo"], "matches": True}


@asynccontextmanager
async def product_server(settings: Settings) -> AsyncIterator[ProductServer]:
    """At the address that the settings name."""
    server = ProductServer()
    if settings.tasks.endpoint is None:
        yield server
        return
    app = web.Application()
    app.router.add_post("/products", server.answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    address = urlsplit(settings.tasks.endpoint.get_secret_value())
    await web.TCPSite(runner, address.hostname, address.port).start()
    try:
        yield server
    finally:
        await runner.cleanup()
