"""Feishu and Lark custom robots in a group (Feishu open platform, "Custom bot usage guide").

The endpoint's URL is the robot's, `https://open.feishu.cn/open-apis/bot/v2/hook/...`; its
secret, where the robot is set to check signatures, the robot's key. Messages are of the
type `post`: in the type `text` a body could mention everybody. A request has at most
20 KB: the text of a longer one is shortened. Robots take 100 messages a minute, five a
second.
"""

import hmac
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from channels.channel import Came, Channel, Message, Receipt, Target, Way
from channels.http import http_url
from channels.net import Net
from channels.robots import Busy, Codes, encode, tell
from channels.texts import fit, shorten
from config.settings import Settings

MOST_BYTES = 20_000
TITLE_BYTES = 1_000
LIMITED_SECONDS = 60.0

CODES = Codes(
    busy={
        9499: Busy(LIMITED_SECONDS, says="too many"),  # as "Bad Request" it is a body of the wrong form
        11232: Busy(LIMITED_SECONDS),  # the platform is busy, at full and half hours above all
    },
    gone=frozenset({19001}),  # no such token
)


class FeishuOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """None: who is mentioned is known by `open_id` or `user_id`, and the robot takes either."""


class Feishu:
    def __init__(self, net: Net, clock: Callable[[], float] = time.time) -> None:
        self._net = net
        self._clock = clock

    async def send(self, message: Message, target: Target) -> Receipt:
        try:
            url = http_url(target.address)
        except ValueError as error:
            return Receipt(came=Came.REFUSED, response=f"the endpoint is not usable: {error}")
        signature = signed(target.secrets[0], int(self._clock())) if target.secrets else {}
        return await tell(self._net, url, render(message, signature), CODES, target.secrets)


def signed(secret: str, timestamp: int) -> dict[str, str]:
    """`timestamp` and `sign`: unlike DingTalk's, time and secret are the key, and nothing is the message."""
    sign = hmac.digest(f"{timestamp}\n{secret}".encode(), b"", "sha256")
    return {"timestamp": str(timestamp), "sign": b64encode(sign).decode()}


def render(message: Message, signature: dict[str, str]) -> bytes:
    """The request's body."""
    language = "zh_cn" if message.language == "zh" else "en_us"
    # A title alone is the text: a paragraph must not be empty.
    title = shorten(message.title, TITLE_BYTES) if message.title and message.body else ""
    mention = [[{"tag": "at", "user_id": message.mention}]] if message.mention else []

    def as_post(text: str) -> bytes:
        post: dict[str, Any] = {"title": title, "content": [[{"tag": "text", "text": text}], *mention]}
        return encode({**signature, "msg_type": "post", "content": {"post": {language: post}}})

    return fit(as_post, message.body or message.title or message.kind, MOST_BYTES)


def check_url(url: str) -> None:
    if "/hook/" not in http_url(url).path:
        raise ValueError("the robot's URL has /hook/ and its token in its path")


@asynccontextmanager
async def open_feishu(_: Settings, net: Net) -> AsyncIterator[Channel]:
    yield Feishu(net)


WAY = Way("feishu", open_feishu, options=FeishuOptions, takes_secret=True, check_url=check_url)
