"""Group robots against servers that check what their documents say is checked."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from channel_peers import Answers, a_channel, a_peer, a_push, answering

from channels.channel import Came, Receipt, Target

SECRET = "SEC10d6e79b42bd94be0d0d603843651aa2"
TOKEN = "a-token-nobody-must-see"
HOUR_SECONDS = 3600


def dingtalk(sent: list[Any]) -> Answers:
    """DingTalk open platform, "Custom robot access": token, signature, type of message."""

    async def answer(request: web.Request) -> web.Response:
        query, body = request.query, await request.json()
        if query.get("access_token") != TOKEN:
            return said(300001, "token is not exist")
        timestamp = query.get("timestamp", "0")
        expected = hmac.new(SECRET.encode(), f"{timestamp}\n{SECRET}".encode(), hashlib.sha256).digest()
        if abs(time.time() * 1000 - int(timestamp)) > HOUR_SECONDS * 1000:
            return said(310000, "description:invalid timestamp")
        if query.get("sign") != base64.b64encode(expected).decode():
            return said(310000, "description:sign not match")
        if body["msgtype"] not in ("text", "markdown"):
            return said(400105, "unsupported msgtype")
        sent.append(body)
        return said(0, "ok")

    def said(code: int, message: str) -> web.Response:
        return web.json_response({"errcode": code, "errmsg": message})

    return answer


def wecom(sent: list[Any]) -> Answers:
    """WeCom developer centre, "Group robot configuration": key, type, length of the content."""

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        if request.query.get("key") != TOKEN:
            return said(93000, "invalid webhook url, hint: [1600000000_1_a]")
        limit = {"text": 2048, "markdown": 4096}.get(body["msgtype"])
        if limit is None:
            return said(40008, "invalid message type")
        if len(body[body["msgtype"]]["content"].encode()) > limit:
            return said(40058, "markdown.content exceed max length")
        sent.append(body)
        if len(sent) > 20:
            return said(45009, "api freq out of limit")
        return said(0, "ok")

    def said(code: int, message: str) -> web.Response:
        return web.json_response({"errcode": code, "errmsg": message})

    return answer


def feishu(sent: list[Any]) -> Answers:
    """Feishu open platform, "Custom bot usage guide": token, signature, form and size of the body."""

    async def answer(request: web.Request) -> web.Response:
        raw = await request.read()
        if request.path != f"/open-apis/bot/v2/hook/{TOKEN}":
            return said(19001, "param invalid: incoming webhook access token invalid", status=400)
        body = json.loads(raw)
        if len(raw) > 20 * 1024 or body.get("msg_type") != "post":
            return said(9499, "Bad Request")
        expected = hmac.new(f"{body.get('timestamp')}\n{SECRET}".encode(), b"", hashlib.sha256).digest()
        fresh = abs(time.time() - int(body.get("timestamp", 0))) <= HOUR_SECONDS
        if not fresh or body.get("sign") != base64.b64encode(expected).decode():
            return said(19021, "sign match fail or timestamp is not within one hour from current time")
        sent.append(body)
        return web.json_response({"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"})

    def said(code: int, message: str, status: int = 200) -> web.Response:
        return web.json_response({"code": code, "msg": message, "data": {}}, status=status)

    return answer


PATHS = {
    "dingtalk": "/robot/send?access_token={}",
    "wecom": "/cgi-bin/webhook/send?key={}",
    "feishu": "/open-apis/bot/v2/hook/{}",
}
PLATFORMS = {"dingtalk": dingtalk, "wecom": wecom, "feishu": feishu}


class Robot:
    """A channel and the platform it talks to."""

    def __init__(self, name: str, url: str, sent: list[Any], channel: Any) -> None:
        self.name = name
        self.sent = sent
        self._url = url
        self._channel = channel

    async def tell(
        self, token: str = TOKEN, secret: str | None = SECRET, options: Any = None, **fields: Any
    ) -> Receipt:
        address = self._url + PATHS[self.name].format(token)
        secrets = () if secret is None else (secret,)
        return await self._channel.send(
            a_push(**fields), Target(address=address, secrets=secrets, options=options or {})
        )


@pytest.fixture(params=sorted(PLATFORMS))
async def robot(request: pytest.FixtureRequest) -> AsyncIterator[Robot]:
    sent: list[Any] = []
    async with a_peer(PLATFORMS[request.param](sent)) as peer, a_channel(request.param) as channel:
        yield Robot(request.param, peer.url, sent, channel)


async def test_a_robot_takes_a_message_that_is_signed_as_it_says(robot: Robot) -> None:
    receipt = await robot.tell(mention="someone")

    assert (receipt.came, receipt.status) == (Came.DELIVERED, 200)
    shown = json.dumps(robot.sent)
    assert all(text in shown for text in ("Ban", "An account was banned.", "someone"))


async def test_the_longest_message_is_taken(robot: Robot) -> None:
    receipt = await robot.tell(title="字" * 4_096, body="字 " * 130_000)

    assert receipt.came == Came.DELIVERED
    assert "…" in json.dumps(robot.sent, ensure_ascii=False)


@pytest.mark.parametrize("robot", ["dingtalk", "feishu"], indirect=True)
async def test_a_wrong_secret_is_not_tried_again(robot: Robot) -> None:
    for secret in ("SECsome-other-secret", None):
        receipt = await robot.tell(secret=secret)
        assert receipt.came == Came.REFUSED

    assert not robot.sent


async def test_a_robot_that_was_removed_is_gone(robot: Robot) -> None:
    receipt = await robot.tell(token="a-token-of-a-robot-that-was")

    assert receipt.came == Came.GONE
    assert not robot.sent


async def test_the_key_is_not_in_what_comes_of_it() -> None:
    for name, path in PATHS.items():
        repeating = answering(200, {"errcode": 310000, "code": 19021, "errmsg": f"no {TOKEN}", "msg": f"no {SECRET}"})
        async with a_peer(repeating) as peer, a_channel(name) as channel:
            target = Target(address=peer.url + path.format(TOKEN), secrets=(SECRET,))
            receipt = await channel.send(a_push(), target)

        assert receipt.came == Came.REFUSED
        assert receipt.response is not None
        assert TOKEN not in receipt.response
        assert SECRET not in receipt.response


@pytest.mark.parametrize("robot", ["dingtalk", "wecom"], indirect=True)
async def test_markdown_where_the_endpoint_asks_for_it(robot: Robot) -> None:
    receipt = await robot.tell(options={"format": "markdown"}, body="**bold** words")

    assert receipt.came == Came.DELIVERED
    assert robot.sent[0]["msgtype"] == "markdown"


async def test_a_robot_that_is_told_too_much_says_when_to_come_back() -> None:
    sent: list[Any] = []
    async with a_peer(wecom(sent)) as peer, a_channel("wecom") as channel:
        robot = Robot("wecom", peer.url, sent, channel)
        receipts = [await robot.tell(id=f"dl_{number}") for number in range(21)]

    assert [receipt.came for receipt in receipts] == [Came.DELIVERED] * 20 + [Came.RETRY]
    assert receipts[-1].retry_after_seconds == 60.0


async def test_options_that_do_not_fit_any_more_are_refused(robot: Robot) -> None:
    receipt = await robot.tell(options={"format": "telepathy"})

    # Feishu has no options, and so none that could be wrong.
    assert receipt.came == (Came.DELIVERED if robot.name == "feishu" else Came.REFUSED)
