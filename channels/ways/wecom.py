"""WeCom group robots (WeCom developer centre, "Group robot configuration").

The endpoint's URL is the robot's, `https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=...`;
these robots check no signature. A text has at most 2,048 bytes and markdown 4,096, of
the content alone: longer ones are shortened. Robots take 20 messages a minute.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec

from channels.channel import Came, Channel, Message, Receipt, Target, Way
from channels.http import http_url
from channels.net import Net
from channels.robots import Busy, Codes, check_key, encode, tell
from channels.texts import shorten, words
from config.settings import Settings

TEXT_BYTES = 2_048
MARKDOWN_BYTES = 4_096
LIMITED_SECONDS = 60.0

CODES = Codes(
    busy={
        -1: Busy(),  # the system is busy
        45009: Busy(LIMITED_SECONDS),  # called too often
        45033: Busy(),  # too many calls at once
    },
    gone=frozenset({93000}),  # no such robot, or it was removed from its group
)


class WeComOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["text", "markdown"] = "text"
    """What the robot is to take title and body for."""
    mention_by: Literal["user", "mobile"] = "user"
    """What those who are mentioned are known by: `mentioned_list` or `mentioned_mobile_list`."""

    def __post_init__(self) -> None:
        if self.format == "markdown" and self.mention_by == "mobile":
            raise ValueError("markdown mentions users, not mobiles")


class WeCom:
    def __init__(self, net: Net) -> None:
        self._net = net

    async def send(self, message: Message, target: Target) -> Receipt:
        try:
            options = msgspec.convert(target.options, WeComOptions)
            url = http_url(target.address)
        except ValueError as error:
            return Receipt(came=Came.REFUSED, response=f"the endpoint is not usable: {error}")
        return await tell(self._net, url, render(message, options), CODES, target.secrets)


def render(message: Message, options: WeComOptions) -> bytes:
    """The request's body."""
    if options.format == "markdown":
        mention = f"\n<@{message.mention}>" if message.mention else ""
        headed = "\n".join(part for part in (message.title and f"**{message.title}**", message.body) if part)
        room = MARKDOWN_BYTES - len(mention.encode())
        return encode({"msgtype": "markdown", "markdown": {"content": shorten(headed or message.kind, room) + mention}})
    text: dict[str, Any] = {"content": shorten(words(message), TEXT_BYTES)}
    if message.mention:
        text["mentioned_list" if options.mention_by == "user" else "mentioned_mobile_list"] = [message.mention]
    return encode({"msgtype": "text", "text": text})


def check_url(url: str) -> None:
    check_key(url, "key")


@asynccontextmanager
async def open_wecom(_: Settings, net: Net) -> AsyncIterator[Channel]:
    yield WeCom(net)


WAY = Way("wecom", open_wecom, options=WeComOptions, check_url=check_url)
