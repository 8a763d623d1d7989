"""Mobile texts, by the operator's SMS gateway: a signed JSON POST for each.

The endpoint's URL is the number, `tel:+8613800000000` (RFC 3966). The gateway is sent
`{"id": MESSAGE, "to": NUMBER, "text": WORDS}`, signed as Standard Webhooks says with the secret
that is shared with it; `id` and `webhook-id` are the same in every attempt. It answers by status.
"""

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from channels.channel import Came, Channel, Message, Receipt, Target, Way
from channels.http import JSON, http_url, judge, post
from channels.net import Net, new_session
from channels.signing import signatures
from channels.texts import shorten, words
from channels.unset import NotSetUp
from config.settings import Settings

MOST_BYTES = 1_000
"""About five parts of a text in UCS-2; a gateway that takes less cuts it itself."""
NUMBER = re.compile(r"tel:(\+?[0-9]{5,15})")


class SmsOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """None: the number says it all."""


class Text(msgspec.Struct, frozen=True):
    id: str
    to: str
    text: str


class Sms:
    def __init__(self, net: Net, url: str, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._net = net
        self._url = http_url(url)
        self._secret = secret
        self._clock = clock

    async def send(self, message: Message, target: Target) -> Receipt:
        number = NUMBER.fullmatch(target.address)
        if number is None:
            return Receipt(came=Came.REFUSED, response="the endpoint is not usable: no mobile number")
        body = msgspec.json.encode(Text(message.id, number[1], shorten(words(message), MOST_BYTES)))
        timestamp = int(self._clock())
        headers = {
            "Content-Type": JSON,
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures([self._secret], message.id, timestamp, body),
        }
        answer = await post(self._net, self._url, body, headers)
        return answer if isinstance(answer, Receipt) else judge(answer, hide=(number[1],))


def check_number(url: str) -> None:
    """Raise ValueError, without the number in it, unless it is one."""
    if not NUMBER.fullmatch(url):
        raise ValueError("tel: and a number of 5 to 15 digits is expected")


@asynccontextmanager
async def open_sms(settings: Settings, net: Net) -> AsyncIterator[Channel]:
    sms = settings.sms
    if sms.url is None or sms.secret is None:
        yield NotSetUp("FANFOLD_SMS__URL")
        return
    # The operator names the gateway, so it may be on a network of their own.
    async with new_session(aiohttp.TCPConnector(limit=0), net.timeout_seconds) as session:
        own = Net(session, net.allowed, net.timeout_seconds)
        yield Sms(own, sms.url.get_secret_value(), sms.secret.get_secret_value())


WAY = Way(
    "sms",
    open_sms,
    configured=lambda settings: settings.sms.url is not None,
    options=SmsOptions,
    check_url=check_number,
)
