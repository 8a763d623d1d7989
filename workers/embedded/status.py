"""One address for everything that `fanfold up` runs: metrics of all children together, and whether all are ready."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from config.settings import MetricsSettings
from workers.embedded import metrics
from workers.embedded.child import Probe

ANSWER_SECONDS = 2.0

States = Callable[[], Awaitable[Mapping[str, str | None]]]
"""Every child by name, and why it is not ready; None if it is."""


class SharedMetrics:
    """The children's metrics: each writes files into one folder (`PROMETHEUS_MULTIPROC_DIR`), read together here."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._registry = CollectorRegistry()
        MultiProcessCollector(self._registry, path=self._folder)  # type: ignore[no-untyped-call] # as published

    @property
    def environment(self) -> dict[str, str]:
        """What a child must be started with."""
        return {"PROMETHEUS_MULTIPROC_DIR": self._folder}

    def ended(self, pid: int) -> None:
        """A child is gone: what it showed as its present state is no longer true; its counts stay."""
        mark_process_dead(pid, self._folder)  # type: ignore[no-untyped-call] # as published

    def text(self) -> bytes:
        return generate_latest(self._registry) + generate_latest(metrics.REGISTRY)

    def total(self, name: str) -> float:
        """Sum of one metric's values over all its labels; 0 while nobody has reported it."""
        return sum(
            sample.value for family in self._registry.collect() for sample in family.samples if sample.name == name
        )


def readiness(session: aiohttp.ClientSession, url: str) -> Probe:
    """A probe of a process that answers /readyz as ours do."""

    async def probe() -> str | None:
        try:
            async with session.get(url, timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as response:
                if response.status == 200:
                    return None
                problems = orjson.loads(await response.read())["problems"]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return f"does not answer at {url} ({type(error).__name__})"
        return "; ".join(f"{name}: {text}" for name, text in problems.items())

    return probe


@asynccontextmanager
async def serve_status(settings: MetricsSettings, shared: SharedMetrics, states: States) -> AsyncIterator[None]:
    """/metrics, /healthz and /readyz of everything together. Raises OSError where the port is taken."""

    async def all_metrics(_: web.Request) -> web.Response:
        for child, problem in (await states()).items():
            metrics.READY.labels(child).set(problem is None)
        body = await asyncio.to_thread(shared.text)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(body=b'{"status":"ok"}', content_type="application/json")

    async def readyz(_: web.Request) -> web.Response:
        problems = {child: problem for child, problem in (await states()).items() if problem is not None}
        body = orjson.dumps({"ready": not problems, "problems": problems})
        return web.Response(body=body, status=503 if problems else 200, content_type="application/json")

    app = web.Application()
    app.add_routes([web.get("/metrics", all_metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        yield
    finally:
        await runner.cleanup()
