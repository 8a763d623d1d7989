"""Sends the traffic over many connections at once, and measures how it is answered."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import msgspec
import orjson

from workers.demo.traffic import CHAT, CHAT_TOKEN, JSON, OK, Author, Request

CONNECTIONS = 32
PROBE_SECONDS = 0.15
"""Pause between two looks at how soon an answered call shows in a query."""
VISIBLE_SECONDS = 20.0


class Measured(msgspec.Struct):
    """Seconds, in the order measured."""

    answered: list[float] = []
    visible: list[float] = []
    """From the answer of a login to its account in `getUsers`."""
    took: float = 0.0
    unexpected: list[str] = []
    """Answers that were not those the traffic calls for."""


async def send_all(
    http: aiohttp.ClientSession, requests: list[Request], measured: Measured, sent: Callable[[Request], None]
) -> None:
    """Send each request once; `sent` is told of each that was answered as it must be."""
    waiting = iter(requests)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as connections:
        for _ in range(CONNECTIONS):
            connections.create_task(_send_some(http, waiting, measured, sent))
    measured.took = time.perf_counter() - started


async def _send_some(
    http: aiohttp.ClientSession, waiting: Iterator[Request], measured: Measured, sent: Callable[[Request], None]
) -> None:
    for request in waiting:
        started = time.perf_counter()
        outcome, body = await send(http, request)
        measured.answered.append(time.perf_counter() - started)
        if outcome == request.outcome:
            sent(request)
        else:
            measured.unexpected.append(f"{request.path}: {outcome} in place of {request.outcome}: {body[:200]!r}")


async def send(http: aiohttp.ClientSession, request: Request) -> tuple[str, bytes]:
    """The outcome, by the name that metrics and documents use, and the answer's body."""
    async with http.request(request.method, request.path, data=request.body, headers=request.headers) as answer:
        body = await answer.read()
    return outcome_of(answer.status, orjson.loads(body)), body


CODES = {
    4000: "bad_json",
    4001: "bad_field",
    4010: "unauthenticated",
    4011: "bad_signature",
    4012: "stale",
    4040: "not_found",
    4050: "method_not_allowed",
}
"""Codes of the chat API's envelope, as its documentation lists them."""


def outcome_of(status: int, answer: Any) -> str:
    if status < 300 and answer.get("code", 0) == 0:
        return OK
    reason: str = answer.get("reason") or CODES.get(answer.get("code"), f"status {status}")
    return reason


async def probe_visibility(
    http: aiohttp.ClientSession, author: Author, measured: Measured, sent: Callable[[Request], None]
) -> None:
    """Until cancelled: log a new account in, and see how soon it is there for those who ask."""
    number = 0
    while True:
        await asyncio.sleep(PROBE_SECONDS)
        number += 1
        user = f"newcomer-{number:04}"
        request = author.login_of(user)
        # Seen through: a login that was answered and not counted would be missing from the model.
        await asyncio.shield(_see(http, request, user, measured, sent))


async def _see(
    http: aiohttp.ClientSession, request: Request, user: str, measured: Measured, sent: Callable[[Request], None]
) -> None:
    outcome, body = await send(http, request)
    answered = time.perf_counter()
    if outcome != OK:
        measured.unexpected.append(f"{request.path}: {outcome}: {body[:200]!r}")
        return
    sent(request)
    async with asyncio.timeout(VISIBLE_SECONDS):
        while not (await ask(http, "getUsers", {"userIds": [user]}))["total"]:  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.002)
    measured.visible.append(time.perf_counter() - answered)


async def ask(http: aiohttp.ClientSession, operation: str, body: Any = None) -> Any:
    """The data of a query's answer. Raises aiohttp.ClientResponseError."""
    options: dict[str, Any] = {"params": {"accessToken": CHAT_TOKEN}, "headers": JSON, "raise_for_status": True}
    async with http.post(f"{CHAT}{operation}", data=orjson.dumps(body or {}), **options) as answer:
        return orjson.loads(await answer.read())["data"]
