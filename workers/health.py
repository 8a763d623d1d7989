"""Health of a worker process, and the small server that shows it beside its metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from config.settings import MetricsSettings


class Health:
    """Named problems; a process is ready while there are none."""

    def __init__(self) -> None:
        self._problems: dict[str, str] = {}

    def problem(self, name: str, text: str) -> None:
        self._problems[name] = text

    def well(self, name: str) -> None:
        self._problems.pop(name, None)

    @property
    def problems(self) -> dict[str, str]:
        return dict(self._problems)


@asynccontextmanager
async def serve_health(settings: MetricsSettings, health: Health) -> AsyncIterator[int]:
    """/metrics, /healthz and /readyz of this process; yields the port."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        problems = health.problems
        body = orjson.dumps({"ready": not problems, "problems": problems})
        return web.Response(body=body, status=503 if problems else 200, content_type="application/json")

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
