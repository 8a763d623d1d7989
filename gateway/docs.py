"""`/openapi.json`, and `/docs`, a page that renders it; everything it loads is served from here."""

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import orjson
from aiohttp import web

from gateway.openapi import build_document
from gateway.pipeline import Handler
from gateway.system import System

OWN = Path(__file__).parent / "static"
ASSETS = "/docs"

# Swagger UI sets styles on elements and draws its icons from data: URLs; nothing else is let in.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def add_docs(app: web.Application, systems: Sequence[System]) -> list[str]:
    """The document of what these systems serve, and its page. Returns their paths."""

    @cache
    def document() -> bytes:
        return orjson.dumps(build_document(systems))

    async def openapi(_: web.Request) -> web.Response:
        # Off the loop: the contracts are large, and read at the first request only.
        return web.Response(body=await asyncio.to_thread(document), content_type="application/json")

    async def page(_: web.Request) -> web.FileResponse:
        return web.FileResponse(OWN / "docs.html", headers=HEADERS)

    handlers: dict[str, Handler] = {"/openapi.json": openapi, "/docs": page}
    handlers |= {f"{ASSETS}/{name}": _serve(path) for name, path in assets().items()}
    for path, handler in handlers.items():
        app.router.add_get(path, handler)
    return list(handlers)


def _serve(path: Path) -> Handler:
    async def asset(_: web.Request) -> web.FileResponse:
        return web.FileResponse(path, headers=HEADERS | {"Cache-Control": "max-age=3600"})

    return asset


def assets() -> dict[str, Path]:
    """What the page loads, by name: Swagger UI's files, from the package that carries them, and our own."""
    package = find_spec("swagger_ui")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("swagger_ui")
    swagger = Path(package.submodule_search_locations[0]) / "static"
    files = [
        swagger / "swagger-ui.css",
        swagger / "swagger-ui-bundle.js",
        swagger / "favicon-32x32.png",
        OWN / "docs.js",
        OWN / "docs.css",
    ]
    return {path.name: path for path in files}
