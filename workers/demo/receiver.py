"""The readers' own server: takes the webhooks that the demo's pushes end in, and checks each signature."""

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from workers.demo.traffic import PUSH_TOKEN
from workers.embedded.ports import LOOPBACK


class Receiver:
    """`received`: how often each webhook came, by its id."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.forged = 0
        self._secrets: dict[str, bytes] = {}
        self._port = 0

    async def register(self, http: aiohttp.ClientSession, readers: Iterable[str]) -> None:
        """An endpoint for each, by the API that back ends use. Raises aiohttp.ClientResponseError."""
        headers = {"Authorization": f"Bearer {PUSH_TOKEN}"}
        for reader in readers:
            body = {"owner": f"user/{reader}", "channel": "webhook", "url": f"http://{LOOPBACK}:{self._port}/{reader}"}
            async with http.post("/endpoints", json=body, headers=headers, raise_for_status=True) as answer:
                secret: str = (await answer.json())["secret"]
            self._secrets[f"/{reader}"] = base64.b64decode(secret.removeprefix("whsec_"))

    async def _take(self, request: web.Request) -> web.Response:
        headers, body = request.headers, await request.read()
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        signature = hmac.digest(self._secrets[request.path], signed, hashlib.sha256)
        if f"v1,{base64.b64encode(signature).decode()}" in headers["webhook-signature"].split():
            self.received[headers["webhook-id"]] += 1
        else:
            self.forged += 1
        return web.Response(status=204)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/{reader}", self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, 0).start()
        self._port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()
