"""Webhooks after Standard Webhooks 1.0: a signed JSON POST.

The body is `{"type": KIND, "timestamp": WHEN ASKED FOR, "data": {...}}`; `data` holds
`recipient`, `urgency`, `fields`, and `title`, `body` and `mention` where there are any.
`webhook-id` is the same in every attempt: a receiver knows repeats by it.
`webhook-timestamp` is the attempt's. Every secret of the endpoint signs, so that one
can be exchanged for another without a message being refused.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec

from channels.channel import Came, Channel, Message, Receipt, Target, Way
from channels.headers import check_headers
from channels.http import JSON, check_http_url, http_url, judge, post
from channels.net import Net
from channels.signing import signatures
from config.settings import Settings
from schemas.push import Urgency

MOST_BYTES = 20 * 1024
"""Of a payload (Standard Webhooks, "Payload size"). Larger ones are refused: cut JSON is no JSON."""


class WebhookOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Sent along, an Authorization say; at most 20."""

    def __post_init__(self) -> None:
        check_headers(self.headers)


class Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    recipient: str
    urgency: Urgency
    title: str | None = None
    body: str | None = None
    mention: str | None = None
    fields: Mapping[str, Any]


class Payload(msgspec.Struct, frozen=True):
    type: str
    timestamp: datetime
    data: Data


encode = msgspec.json.Encoder().encode


class Webhook:
    """Sends to endpoints that somebody registered; stateless but for the clock."""

    def __init__(self, net: Net, clock: Callable[[], float] = time.time) -> None:
        self._net = net
        self._clock = clock

    async def send(self, message: Message, target: Target) -> Receipt:
        body = payload(message)
        if len(body) > MOST_BYTES:
            return Receipt(
                came=Came.REFUSED, response=f"the payload has {len(body)} bytes, at most {MOST_BYTES} are sent"
            )
        if not target.secrets:
            return Receipt(came=Came.REFUSED, response="the endpoint has no secret to sign with")
        timestamp = int(self._clock())
        headers = {
            "Content-Type": JSON,
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
        }
        custom: tuple[str, ...] = ()
        try:
            headers["webhook-signature"] = signatures(target.secrets, message.id, timestamp, body)
            if target.options:
                options = msgspec.convert(target.options, WebhookOptions)
                custom = tuple(options.headers.values())
                headers |= options.headers
            url = http_url(target.address)
        except ValueError as error:
            return Receipt(came=Came.REFUSED, response=f"the endpoint is not usable: {error}")
        answer = await post(self._net, url, body, headers)
        return answer if isinstance(answer, Receipt) else judge(answer, hide=custom)


def payload(message: Message) -> bytes:
    return encode(
        Payload(
            type=message.kind,
            timestamp=message.at,
            data=Data(
                recipient=message.recipient,
                urgency=message.urgency,
                title=message.title,
                body=message.body,
                mention=message.mention,
                fields=message.fields,
            ),
        )
    )


@asynccontextmanager
async def open_webhook(_: Settings, net: Net) -> AsyncIterator[Channel]:
    yield Webhook(net)


WAY = Way("webhook", open_webhook, options=WebhookOptions, signs=True, check_url=check_http_url)
