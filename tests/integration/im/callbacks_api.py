"""The IM server as it calls back: signed URLs, and bodies as the contract has them."""

import hashlib
import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import aiohttp
import msgspec
from im_api import APP

from gateway.openapi import load_contract

TOKEN = "the app's callback token"


@cache
def contract() -> dict[str, Any]:
    return load_contract("im-callbacks.yaml")


def commands() -> tuple[str, ...]:
    return tuple(contract()["webhooks"])


def webhook(command: str) -> dict[str, Any]:
    return contract()["webhooks"][command]["post"]


def example_of(command: str) -> dict[str, Any]:
    """The contract's own example of a body."""
    (example,) = webhook(command)["requestBody"]["content"]["application/json"]["examples"].values()
    return json.loads(json.dumps(example["value"]))


class Called(msgspec.Struct):
    status: int
    body: dict[str, Any]


class ImServer:
    """Calls back about one app."""

    def __init__(self, http: aiohttp.ClientSession, app: str = APP, token: str = TOKEN) -> None:
        self._http = http
        self.app = app
        self._token = token

    def query(self, command: str, **query: str | None) -> dict[str, str]:
        now = str(int(time.time()))
        sent = {
            "SdkAppid": self.app,
            "CallbackCommand": command,
            "contenttype": "json",
            "ClientIP": "192.0.2.7",
            "OptPlatform": "Android",
            "RequestTime": now,
            "Sign": hashlib.sha256((self._token + now).encode()).hexdigest(),
            **query,
        }
        return {name: value for name, value in sent.items() if value is not None}

    async def call(self, command: str, body: Mapping[str, Any], **query: str | None) -> Called:
        return await self.send(json.dumps({"CallbackCommand": command, **body}).encode(), self.query(command, **query))

    async def send(self, body: bytes, query: Mapping[str, str]) -> Called:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with self._http.post("/callbacks/im", data=body, params=query, headers=headers) as answer:
            return Called(answer.status, await answer.json())

    async def ok(self, command: str, body: Mapping[str, Any], **query: str | None) -> dict[str, Any]:
        called = await self.call(command, body, **query)
        assert (called.status, called.body["ActionStatus"]) == (200, "OK"), called
        return called.body


def a_state(user: str, action: str, at_ms: int, *kicked: str) -> dict[str, Any]:
    reason = {"Login": "Register", "Logout": "Unregister", "Disconnect": "LinkClose"}[action]
    body: dict[str, Any] = {
        "EventTime": at_ms,
        "Info": {"Action": action, "To_Account": user, "Reason": reason},
    }
    return body | ({"KickedDevice": [{"Platform": name} for name in kicked]} if kicked else {})


def a_sent(sender: str, receiver: str, seq: int, at: int, text: str = "hello", **fields: Any) -> dict[str, Any]:
    return {
        "From_Account": sender,
        "To_Account": receiver,
        "MsgSeq": seq,
        "MsgRandom": seq * 7,
        "MsgTime": at,
        "MsgKey": f"{seq}_{seq * 7}_{at}",
        "OnlineOnlyFlag": 0,
        "SendMsgResult": 0,
        "ErrorInfo": "send msg succeed",
        "UnreadMsgNum": 1,
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}],
        **fields,
    }
