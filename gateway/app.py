"""The gateway's HTTP server: routes of all systems, limits on connections, an orderly stop."""

import asyncio
import logging
import re
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from config.settings import GatewaySettings
from gateway import metrics
from gateway.background import background
from gateway.docs import add_docs
from gateway.health import add_health
from gateway.pipeline import Handler, Publishes, Services, build_handler, build_refusal
from gateway.system import System

KEEPALIVE_SECONDS = 75.0
"""An idle connection is kept a little longer than the 60 s of the usual proxies, which then close it first."""

WATCH_SECONDS = 1.0
BACKLOG = 1024
OPEN_FILES = 65_536
_PARAMETER = re.compile(r"\{(\w+)\}")


def build_app(
    limits: GatewaySettings, systems: Iterable[System], publisher: Publishes, problems: Callable[[], Mapping[str, str]]
) -> web.Application:
    """All systems' routes and Fanfold's own. `problems` names what keeps the process from being ready."""
    systems = tuple(systems)
    services = Services(publisher, limits)
    metrics.IN_FLIGHT.set_function(lambda: services.in_flight)
    app = web.Application(client_max_size=limits.body_bytes)
    for system in systems:
        _add_operations(app, system, services)
    own_paths = [*add_health(app, problems), *add_docs(app, systems)]
    for system in systems:
        if system.prefix == "/":
            _refuse_other_methods(app, system, dict.fromkeys(own_paths, ("GET", "HEAD")))
        if system.prefix:
            unknown = build_refusal(system, "not_found", "no such path")
            app.router.add_route("*", system.prefix + "{rest:.*}", unknown)
    return app


def _add_operations(app: web.Application, system: System, services: Services) -> None:
    methods: dict[str, dict[str, Handler]] = {}
    for operation in system.operations:
        handler = build_handler(system, operation, services)
        methods.setdefault(operation.path, {})[operation.method] = handler
        if operation.method == "GET":
            methods[operation.path]["HEAD"] = handler
    for path, handlers in methods.items():
        for method, handler in handlers.items():
            app.router.add_route(method, _route(path), handler)
    _refuse_other_methods(app, system, methods)


def _refuse_other_methods(app: web.Application, system: System, methods: Mapping[str, Iterable[str]]) -> None:
    for path, known in methods.items():
        allowed = ", ".join(sorted(known))
        wrong_method = build_refusal(system, "method_not_allowed", f"this path takes {allowed}", {"Allow": allowed})
        app.router.add_route("*", _route(path), wrong_method)


def _route(path: str) -> str:
    """By aiohttp's own pattern a parameter holds no braces; an id may."""
    return _PARAMETER.sub(r"{\1:[^/]+}", path)


@asynccontextmanager
async def serving(app: web.Application, limits: GatewaySettings) -> AsyncIterator[int]:
    """The app on its port, which is yielded. On leaving: no new connections, then what is in flight is finished."""
    allow_many_connections()
    logger = logging.getLogger("gateway.http")
    logger.addFilter(_count_malformed)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=logger,
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=limits.drain_seconds,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, limits.host, limits.port, backlog=BACKLOG)
        await site.start()
        async with background(_cut_half_open(runner, limits.body_timeout_seconds), "half-open connections"):
            yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _cut_half_open(runner: web.AppRunner, seconds: float) -> None:
    """Close connections on which no request's headers have come in time.

    aiohttp has one timer for that and for idle connections, and a browser or proxy
    needs the longer one.
    """
    since: dict[RequestHandler, float] = {}
    while runner.server is not None:
        now = time.monotonic()
        since = {connection: since.get(connection, now) for connection in runner.server.connections}
        metrics.CONNECTIONS.set(len(since))
        for connection, opened in since.items():
            # Counted by aiohttp once a request's headers are complete; it has no public name.
            if connection._request_count == 0 and now - opened >= seconds:
                metrics.HALF_OPEN.inc()
                connection.force_close()
        await asyncio.sleep(WATCH_SECONDS)


def allow_many_connections() -> None:
    """Raise the soft limit on open files, usually 1024: that many half-open connections are soon made."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _count_malformed(record: logging.LogRecord) -> bool:
    """What does not speak HTTP is counted, not logged: aiohttp's line quotes what was sent, tokens included."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        metrics.MALFORMED.inc()
        return False
    return True
