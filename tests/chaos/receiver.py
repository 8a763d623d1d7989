"""The other end of the webhooks: takes them, refuses some, and remembers when it accepted which."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random

from aiohttp import web

from workers.embedded.ports import LOOPBACK

REFUSED_SHARE = 0.05
"""So many attempts are answered 503: they come again, and that is no repeat."""


class Receiver:
    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.accepted: dict[str, list[float]] = defaultdict(list)
        """Monotonic times by id."""
        self.refused = 0
        self.port = 0

    def url(self, reader: str) -> str:
        return f"http://{LOOPBACK}:{self.port}/{reader}"

    async def take(self, request: web.Request) -> web.Response:
        await request.read()
        if self._rng.random() < REFUSED_SHARE:
            self.refused += 1
            return web.Response(status=503)
        self.accepted[request.headers["webhook-id"]].append(time.monotonic())
        return web.Response(status=204)

    @property
    def repeats(self) -> int:
        return sum(len(times) - 1 for times in self.accepted.values())

    def unexplained(self, kills: Sequence[float]) -> list[str]:
        """Ids accepted twice with no dispatcher killed in between, and how far apart."""
        return [
            f"{key} ({later - earlier:.1f} s apart)"
            for key, times in self.accepted.items()
            for earlier, later in pairwise(times)
            if not any(earlier - 1.0 <= killed <= later for killed in kills)
        ]


@asynccontextmanager
async def open_receiver(rng: Random) -> AsyncIterator[Receiver]:
    receiver = Receiver(rng)
    app = web.Application()
    app.router.add_post("/{reader}", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()
