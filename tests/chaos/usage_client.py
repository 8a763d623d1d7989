"""How an operator and a gateway of the metering platform speak to Fanfold; no answer is an answer too."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import aiohttp
import msgspec

from schemas.cloudevents import encode_structured
from schemas.events import Event
from tests.chaos.stage import OPERATOR_TOKEN, TOKEN, Stage

REQUEST_SECONDS = 8.0
SOURCE = "metering-gateway"
CLOUD_EVENTS = "application/cloudevents-batch+json"
RETRY_SECONDS = 0.3
KNOWN_SECONDS = 60.0


class Client:
    """One session of HTTP."""

    def __init__(self, stage: Stage, http: aiohttp.ClientSession) -> None:
        self._stage = stage
        self._http = http

    async def operate(self, operation: str, body: Any) -> dict[str, Any] | None:
        """The envelope of an operator's call; None where no answer came, or that it cannot be done now."""
        status, answer = await self._post(f"/mt/crm/{operation}", body, "application/json", OPERATOR_TOKEN)
        if status is None or status == 503:
            return None
        if status != 200:
            raise AssertionError(f"{operation} was answered {status}: {answer}")
        return dict(answer)

    async def report(self, events: Sequence[Event]) -> bool:
        """Whether all of them were told to be stored."""
        status, answer = await self._post("/events", list(map(encode_structured, events)), CLOUD_EVENTS, TOKEN)
        if status is None or status == 503:
            return False
        if status != 202 or answer["accepted"] != len(events):
            raise AssertionError(f"/events answered {status}: {answer}")
        return True

    async def until_done(self, operation: str, body: Any, deadline_seconds: float = KNOWN_SECONDS) -> Any:
        """The data of an operator's call that is repeated until it goes well. Raises AssertionError where it will not.

        For what may be done twice, and may be refused until the event is folded that it needs.
        """
        deadline = time.monotonic() + deadline_seconds
        answer = None
        while time.monotonic() < deadline:
            answer = await self.operate(operation, body)
            if answer is not None and answer["code"] == 0:
                return answer.get("data")
            await asyncio.sleep(RETRY_SECONDS)
        raise AssertionError(f"{operation}: {answer}")

    async def _post(self, path: str, body: Any, content_type: str, token: str) -> tuple[int | None, Any]:
        headers = {"Content-Type": content_type, "Authorization": f"Bearer {token}"}
        data = msgspec.json.encode(body)
        try:
            async with self._http.post(self._stage.url + path, data=data, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None, None


def new_session(answer_seconds: float = REQUEST_SECONDS) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=32), timeout=aiohttp.ClientTimeout(total=answer_seconds)
    )


def an_event(event_id: str, kind: str, subject: int, at: datetime, data: Any) -> Event:
    return Event(id=event_id, source=SOURCE, type=kind, subject=str(subject), time=at, data=msgspec.json.encode(data))
