"""A Bot API server that holds requests to what the Bot API's documentation asks for, and fails as it is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from channel_peers import a_peer

TOKEN = "123456:a-token-nobody-must-see"
MOST_UNITS = 4096


class BotApi:
    """`sent` holds what was taken. `failures` are answered first, one a request."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[dict[str, Any]] = []
        self.failures: list[web.StreamResponse] = []
        self.requests = 0

    def refuses(self, code: int, description: str, **parameters: int) -> None:
        body = {"ok": False, "error_code": code, "description": description}
        self.failures.append(web.json_response(body | ({"parameters": parameters} if parameters else {}), status=code))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        if request.path != f"/bot{TOKEN}/sendMessage":
            return refusal(404, "Not Found")
        if self.failures:
            return self.failures.pop(0)
        if mistake := mistake_in(body := await request.json()):
            return refusal(400, f"Bad Request: {mistake}")
        self.sent.append(body)
        chat = {"id": body["chat_id"], "type": "private"}
        message = {"message_id": len(self.sent), "date": 1_772_368_200, "chat": chat, "text": body["text"]}
        return web.json_response({"ok": True, "result": message})


def refusal(code: int, description: str) -> web.Response:
    return web.json_response({"ok": False, "error_code": code, "description": description}, status=code)


def mistake_in(body: dict[str, Any]) -> str | None:
    """Bot API, "sendMessage": 1 to 4096 characters after entities parsing; "MessageEntity": UTF-16 code units."""
    text: str = body["text"]
    length = units(text)
    if not text.strip():
        return "message text is empty"
    if length > MOST_UNITS:
        return "message is too long"
    encoded = text.encode("utf-16-le")
    for entity in body.get("entities", []):
        start, end = entity["offset"], entity["offset"] + entity["length"]
        if not 0 <= start < end <= length:
            return "entity out of bounds"
        try:
            encoded[2 * start : 2 * end].decode("utf-16-le")
        except UnicodeDecodeError:
            return "entity begins or ends in the middle of a character"
    return None


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@asynccontextmanager
async def a_bot_api() -> AsyncIterator[BotApi]:
    api = BotApi()
    async with a_peer(api.handle) as peer:
        api.url = peer.url
        yield api
