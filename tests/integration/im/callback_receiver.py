"""An app's back end that is called back, over a real socket."""

import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Any

import msgspec
from aiohttp import web
from callbacks_api import TOKEN, contract, webhook
from chat_api import eventually
from im_api import APP
from jsonschema import Draft202012Validator

OK = {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}


class Received(msgspec.Struct):
    command: str
    query: dict[str, str]
    body: dict[str, Any]


class Receiver:
    """`answers` decides, by command, what it says to a callback; what is to be awaited comes when it comes."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: dict[str, Callable[[Received], Any]] = defaultdict(lambda: lambda _: OK)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/im?key=of-the-app"

    async def take(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        received = Received(query["CallbackCommand"], query, await request.json())
        self.received.append(received)
        answer = self.answers[received.command](received)
        if isawaitable(answer):
            answer = await answer
        return answer if isinstance(answer, web.Response) else web.json_response(answer)

    def of(self, command: str, **fields: Any) -> list[Received]:
        """Those received of a command whose body has these fields."""
        return [
            each
            for each in self.received
            if each.command == command and all(each.body.get(name) == value for name, value in fields.items())
        ]

    async def one(self, command: str, **fields: Any) -> Received:
        async def found() -> list[Received]:
            return self.of(command, **fields)

        (only,) = await eventually(found)
        return only


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/im", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.port = runner.addresses[0][1]
    yield receiver
    await runner.cleanup()


def judge_body(body: Mapping[str, Any]) -> None:
    operation = webhook(body["CallbackCommand"])
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator({"components": contract()["components"], **schema}).validate(body)


def judge(received: Received) -> None:
    """The body is what the contract says, the query too."""
    judge_body(received.body)
    assert received.command == received.body["CallbackCommand"]
    expected = {"SdkAppid": APP, "contenttype": "json", "OptPlatform": "RESTAPI", "key": "of-the-app"}
    assert {name: received.query[name] for name in expected} == expected
    assert received.query["ClientIP"] == "127.0.0.1"
    signed = TOKEN + received.query["RequestTime"]
    assert received.query["Sign"] == hashlib.sha256(signed.encode()).hexdigest()
