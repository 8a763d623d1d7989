"""Whether the gateway can do its work: broker, topics, store."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NoReturn, Protocol

import orjson
from aiohttp import web

from config.settings import KafkaSettings
from config.topics import TOPICS
from gateway.background import background
from schemas.errors import BrokerAway, StoreAway
from stores.mongo import Database, translated
from streams.cluster import open_cluster
from streams.publisher import Publisher

CHECK_SECONDS = 1.0


class Board(Protocol):
    """Where problems are posted by name and taken down again."""

    def problem(self, name: str, text: str) -> None: ...

    def well(self, name: str) -> None: ...


@asynccontextmanager
async def watching_readiness(
    kafka: KafkaSettings, publisher: Publisher, database: Database, board: Board
) -> AsyncIterator[None]:
    """Keeps the board's `broker`, `topics` and `store` up to date while the block lasts."""
    for name in ("broker", "topics", "store"):
        board.problem(name, "not seen yet")
    async with (
        background(_watch_broker(kafka, publisher, board), "watch broker"),
        background(_watch_store(database, board), "watch store"),
    ):
        yield


async def _watch_broker(kafka: KafkaSettings, publisher: Publisher, board: Board) -> NoReturn:
    while True:
        try:
            async with open_cluster(kafka) as cluster:
                while True:
                    missing = await cluster.missing(TOPICS)
                    _post(
                        board, "topics", f"missing: {', '.join(missing)}; run `fanfold topics sync`" if missing else ""
                    )
                    _post(board, "broker", "" if publisher.connected else f"not connected to {kafka.bootstrap}")
                    await asyncio.sleep(CHECK_SECONDS)
        except BrokerAway as away:
            board.problem("broker", str(away)[:200])
            await asyncio.sleep(CHECK_SECONDS)


async def _watch_store(database: Database, board: Board) -> NoReturn:
    while True:
        try:
            with translated():
                await database.command("ping")
            board.well("store")
        except StoreAway as away:
            board.problem("store", str(away)[:200])
        await asyncio.sleep(CHECK_SECONDS)


def _post(board: Board, name: str, text: str) -> None:
    if text:
        board.problem(name, text)
    else:
        board.well(name)


def add_health(app: web.Application, problems: Callable[[], Mapping[str, str]]) -> list[str]:
    """`/healthz`: the process runs. `/readyz`: it can do its work, or 503 with what is missing. Returns the paths."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(body=b'{"status":"ok"}', content_type="application/json")

    async def readyz(_: web.Request) -> web.Response:
        found = problems()
        body = orjson.dumps({"ready": not found, "problems": dict(found)})
        return web.Response(body=body, status=503 if found else 200, content_type="application/json")

    handlers = {"/healthz": healthz, "/readyz": readyz}
    for path, handler in handlers.items():
        app.router.add_get(path, handler)
    return list(handlers)
