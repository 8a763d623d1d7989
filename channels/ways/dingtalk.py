"""DingTalk custom robots in a group (DingTalk open platform, "Custom robot access").

The endpoint's URL is the robot's, `https://oapi.dingtalk.com/robot/send?access_token=...`;
its secret, where the robot is set to check signatures, the one beginning with SEC. A
message has at most 20,000 bytes: the text of a longer one is shortened. Robots take 20
messages a minute; past that they take none for ten minutes.
"""

import hmac
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec
from yarl import URL

from channels.channel import Came, Channel, Message, Receipt, Target, Way
from channels.http import http_url
from channels.net import Net
from channels.robots import Busy, Codes, check_key, encode, tell
from channels.texts import fit, shorten, words
from config.settings import Settings

MOST_BYTES = 20_000
TITLE_BYTES = 200
"""Of a markdown message's title, which only notifications show."""
LIMITED_SECONDS = 600.0

CODES = Codes(
    busy={
        -1: Busy(),  # the system is busy
        130101: Busy(LIMITED_SECONDS),  # sent too fast
        410100: Busy(LIMITED_SECONDS),  # sent too fast
    },
    gone=frozenset(
        {
            300001,  # no such token
            400013,  # the group is dissolved
            400101,  # no such access_token
            400102,  # the robot is stopped
            400106,  # no such robot
        }
    ),
)


class DingTalkOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["text", "markdown"] = "text"
    """What the robot is to take title and body for."""
    mention_by: Literal["user", "mobile"] = "user"
    """What those who are mentioned are known by: `atUserIds` or `atMobiles`."""


class DingTalk:
    def __init__(self, net: Net, clock: Callable[[], float] = time.time) -> None:
        self._net = net
        self._clock = clock

    async def send(self, message: Message, target: Target) -> Receipt:
        try:
            options = msgspec.convert(target.options, DingTalkOptions)
            url = http_url(target.address)
        except ValueError as error:
            return Receipt(came=Came.REFUSED, response=f"the endpoint is not usable: {error}")
        if target.secrets:
            url = signed(url, target.secrets[0], int(self._clock() * 1000))
        return await tell(self._net, url, render(message, options), CODES, target.secrets)


def signed(url: URL, secret: str, timestamp_millis: int) -> URL:
    """With `timestamp` and `sign` in its query; yarl escapes what base64 holds."""
    sign = hmac.digest(secret.encode(), f"{timestamp_millis}\n{secret}".encode(), "sha256")
    return url.update_query(timestamp=str(timestamp_millis), sign=b64encode(sign).decode())


def render(message: Message, options: DingTalkOptions) -> bytes:
    """The request's body. Who is mentioned must be named in the text as well."""
    mention = f"\n@{message.mention}" if message.mention else ""
    at: dict[str, Any] = {"isAtAll": False}
    if message.mention:
        at["atUserIds" if options.mention_by == "user" else "atMobiles"] = [message.mention]

    def as_text(text: str) -> bytes:
        return encode({"msgtype": "text", "text": {"content": text + mention}, "at": at})

    def as_markdown(text: str) -> bytes:
        title = shorten(message.title or message.kind, TITLE_BYTES)
        return encode({"msgtype": "markdown", "markdown": {"title": title, "text": text + mention}, "at": at})

    if options.format == "text":
        return fit(as_text, words(message), MOST_BYTES)
    headed = "\n\n".join(part for part in (message.title and f"#### {message.title}", message.body) if part)
    return fit(as_markdown, headed or message.kind, MOST_BYTES)


def check_url(url: str) -> None:
    check_key(url, "access_token")


@asynccontextmanager
async def open_dingtalk(_: Settings, net: Net) -> AsyncIterator[Channel]:
    yield DingTalk(net)


WAY = Way("dingtalk", open_dingtalk, options=DingTalkOptions, takes_secret=True, check_url=check_url)
