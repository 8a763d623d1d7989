"""Sends the traffic over many connections at once, and measures how it is answered and how soon it shows."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import msgspec
import orjson

from workers.demo.traffic import CHAT, CHAT_TOKEN, JSON, OK, Request

CONNECTIONS = 32
PROBE_SECONDS = 0.1
"""Pause between two newcomers."""
VISIBLE_SECONDS = 60.0


class Phase(msgspec.Struct):
    """A stretch of the traffic, and how it was answered: seconds, in the order measured."""

    name: str
    requests: list[Request]
    rate: float | None
    """Requests a second; None: as fast as they are answered."""
    answered: list[float] = []
    visible: list[float] = []
    """From the answer of a login to its account in `getUsers`."""
    took: float = 0.0


class Sender:
    """Sends and measures. `sent` is told of each request that was answered as it must be."""

    def __init__(self, http: aiohttp.ClientSession, sent: Callable[[Request], None]) -> None:
        self._http = http
        self._sent = sent
        self.unexpected: list[str] = []
        """Answers that were not those the traffic calls for."""

    async def send_phase(self, phase: Phase, newcomers: Iterator[tuple[str, Request]]) -> None:
        """Send each request once; newcomers log in all the while, and are looked for in a query."""
        waiting = iter(enumerate(phase.requests))
        started = time.perf_counter()
        over = asyncio.Event()
        async with asyncio.TaskGroup() as watching:
            watching.create_task(self._watch(phase, newcomers, over))
            async with asyncio.TaskGroup() as connections:
                for _ in range(CONNECTIONS):
                    connections.create_task(self._send_some(phase, waiting, started))
            phase.took = time.perf_counter() - started
            over.set()

    async def _send_some(self, phase: Phase, waiting: Iterator[tuple[int, Request]], started: float) -> None:
        for number, request in waiting:
            if phase.rate is not None:
                await asyncio.sleep(started + number / phase.rate - time.perf_counter())
            phase.answered.append(await self._send(request))

    async def _send(self, request: Request) -> float:
        """Seconds until the answer."""
        started = time.perf_counter()
        outcome, body = await send(self._http, request)
        took = time.perf_counter() - started
        if outcome == request.outcome:
            self._sent(request)
        else:
            self.unexpected.append(f"{request.path}: {outcome} in place of {request.outcome}: {body[:200]!r}")
        return took

    async def _watch(self, phase: Phase, newcomers: Iterator[tuple[str, Request]], over: asyncio.Event) -> None:
        """Until the phase is over; the newcomer in hand is looked for to the end."""
        while not over.is_set():
            user, request = next(newcomers)
            await self._see(phase, user, request)
            await asyncio.sleep(PROBE_SECONDS)

    async def _see(self, phase: Phase, user: str, request: Request) -> None:
        await self._send(request)
        answered = time.perf_counter()
        async with asyncio.timeout(VISIBLE_SECONDS):
            while not (await ask(self._http, "getUsers", {"userIds": [user]}))["total"]:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        phase.visible.append(time.perf_counter() - answered)


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
    if status < 300 and answer.get("code", 0) == answer.get("ErrorCode", 0) == 0:
        return OK
    reason: str = answer.get("reason") or CODES.get(answer.get("code"), f"status {status}")
    return reason


async def ask(http: aiohttp.ClientSession, operation: str, body: Any = None) -> Any:
    """The data of a query's answer. Raises aiohttp.ClientResponseError."""
    options: dict[str, Any] = {"params": {"accessToken": CHAT_TOKEN}, "headers": JSON, "raise_for_status": True}
    async with http.post(f"{CHAT}{operation}", data=orjson.dumps(body or {}), **options) as answer:
        return orjson.loads(await answer.read())["data"]
