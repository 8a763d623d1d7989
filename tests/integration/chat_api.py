"""The chat API as its callers use it: signed bodies, access tokens, answers in the envelope."""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import msgspec

from config.settings import Settings
from gateway.chat_auth import signature_of
from schemas.api_time import format_api_time
from schemas.events import Event
from streams.publisher import Publisher
from workers.folder import run_folder
from workers.health import Health

ZONE = ZoneInfo("Asia/Shanghai")
SECRET_ID, SECRET, TOKEN = "demo", "demo-secret", "chat-token"


class Answered(msgspec.Struct):
    status: int
    code: int
    msg: str
    data: Any
    headers: Any
    whole: Any


class ChatApi:
    """One caller. Every signed call has a requestSeq of its own unless one is given."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self._seq = itertools.count(1)
        self._run = secrets.token_hex(4)

    async def send(self, path: str, body: Any = None, **request: Any) -> Answered:
        """As it is, with no token and no signature."""
        async with self.http.post(f"/message/chat/{path}", json=body, **request) as answer:
            whole = await answer.json()
            return Answered(answer.status, whole["code"], whole["msg"], whole["data"], answer.headers, whole)

    async def ask(self, path: str, body: Any = None, **query: str) -> Answered:
        """With the access token."""
        return await self.send(path, body, params={"accessToken": TOKEN, **query})

    def signed(self, body: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """The body with the five fields; those in `body` and `fields` come before ours, but for the signature."""
        whole = {
            "timestamp": int(time.time() * 1000),
            "nonce": 7,
            "secretId": SECRET_ID,
            "requestSeq": f"{self._run}-{next(self._seq)}",
            **body,
            **fields,
        }
        return {**whole, "signature": signature_of(whole, SECRET)}

    async def tell(self, path: str, body: dict[str, Any], **fields: Any) -> Answered:
        """Signed."""
        return await self.send(path, self.signed(body, **fields))

    async def login(self, user_id: str, **fields: Any) -> Answered:
        return await self.tell("loginCallBack", {"userId": user_id, "onOffline": 0, **fields})

    async def logout(self, user_id: str, **fields: Any) -> Answered:
        return await self.tell("loginCallBack", {"userId": user_id, "onOffline": 1, **fields})

    async def user(self, user_id: str) -> dict[str, Any] | None:
        """The account's row, wherever its status has put it."""
        for status in ({}, {"status": -1}):
            if rows := (await self.ask("getUsers", {"userIds": [user_id], **status})).data["list"]:
                return rows[0]
        return None


def ago(**duration: float) -> int:
    """A signature's timestamp that lies in the past."""
    return int((time.time() - timedelta(**duration).total_seconds()) * 1000)


def in_time(**duration: float) -> str:
    """A time of the API, from now."""
    return format_api_time(datetime.now(UTC) + timedelta(**duration), ZONE)


async def eventually(condition: Callable[[], Awaitable[Any]], seconds: float = 30.0) -> Any:
    """What the condition gives, once it is true."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - what others do, not an event of ours
            await asyncio.sleep(0.05)
        return found


@asynccontextmanager
async def folding(settings: Settings) -> AsyncIterator[Health]:
    """A folder at work; stopped in order."""
    stop, health = asyncio.Event(), Health()
    task = asyncio.create_task(run_folder(settings, stop, health))
    try:
        yield health
    finally:
        stop.set()
        await task


async def publish(settings: Settings, *events: Event) -> None:
    """Straight to Kafka, as an upstream does."""
    async with Publisher(settings.kafka) as publisher:
        await publisher.wait_connected()
        await publisher.publish(events)


def an_event(event_type: str, subject: str, payload: dict[str, Any], **fields: Any) -> Event:
    known = {"id": secrets.token_hex(8), "source": "upstream", "time": datetime.now(UTC)}
    return Event(**{**known, "type": event_type, "subject": subject, "data": msgspec.json.encode(payload), **fields})
