"""Callbacks to the apps, as the IM server makes them.

A before-callback is asked for in the call, once, and has 2 s to answer; if it does not,
the app's setting decides. An after-callback is a delivery: published with the facts of
the call, sent by the dispatcher at least once, and those of one conversation in order.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog

from channels.channel import Receipt
from channels.http import Answer, post
from channels.net import Net
from channels.ways.im_callback import API, HEADERS, NAME, apps_called_back, callback_url
from config.settings import ImSettings
from gateway import metrics
from gateway.body import decode_object
from gateway.im.frame import Caller
from schemas.delivery import DeliveryPlanned, delivery_id, lane_of
from schemas.errors import Refused
from schemas.events import Event
from schemas.im.callback_rules import DENY, DROP, codes_of
from schemas.im.codes import Failed

log = structlog.get_logger()

ANSWER_SECONDS = 2.0
"""contracts/im-callbacks.yaml, `info`."""
ANSWER_BYTES = 64 * 1024
"""Of an answer; a message has 12 KB, and JSON may escape each byte of it."""
DENIED = 20006
SOURCE = "im"

_encode = msgspec.json.Encoder().encode


class Verdict(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """An app's answer to a before-callback, as far as it is read."""

    error_code: int = 0
    error_info: str = ""
    msg_body: list[dict[str, Any]] | None = None
    cloud_custom_data: str | None = None


class CallbacksOut:
    """`net` None: nothing is sent, as where the API is only described."""

    def __init__(self, settings: ImSettings, net: Net | None, clock: Callable[[], float] = time.time) -> None:
        self._apps = apps_called_back(settings)
        self._net = net
        self._clock = clock

    def wants(self, app_id: str, command: str) -> bool:
        out = self._apps.get(app_id)
        return out is not None and command in out.commands

    async def ask(self, caller: Caller, command: str, body: Mapping[str, Any]) -> Verdict:
        """What the app answers. Raises Failed where it denies, or says nothing and the settings then deny."""
        if self._net is None or not self.wants(caller.app.id, command):
            return Verdict()
        out = self._apps[caller.app.id]
        url = callback_url(out, caller.app.id, command, caller.call.remote, API, self._clock())
        outcome, verdict = "unreachable", None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await post(self._net, url, _encode(body), HEADERS, ANSWER_BYTES)
            outcome, verdict = _understood(answer)
        except TimeoutError:
            outcome = "timeout"
        metrics.IM_CALLBACKS_ASKED.labels(outcome).inc()
        if verdict is None:
            log.warning("im_callback_unanswered", app=caller.app.id, command=command, outcome=outcome)
            if out.when_unreachable == "deny":
                raise Failed(DENIED)
            return Verdict()
        return _obeyed(command, verdict)

    def after(
        self, caller: Caller, command: str, body: Mapping[str, Any], what: str, conversation: str
    ) -> tuple[Event, ...]:
        """The fact that this callback is to go out, if the app wants it. `what` names what it tells, so that a
        repeat of the call tells it once; those of one `conversation` go in order."""
        app = caller.app.id
        if not self.wants(app, command):
            return ()
        told = f"{app}/{command}/{what}"
        recipient, lane = f"endpoint/{NAME}:{app}", lane_of(NAME, app)
        planned = DeliveryPlanned(
            id=delivery_id(told, recipient, NAME, app),
            lane=lane,
            push=told,
            recipient=recipient,
            channel=NAME,
            target=app,
            kind=command,
            body=_encode(body).decode(),
            fields={"client_ip": caller.call.remote, "platform": API},
            requested_at=caller.at,
            ordered_by=conversation,
        )
        event = Event(
            id=planned.id,
            source=SOURCE,
            type="delivery.planned",
            subject=lane,
            time=caller.at,
            data=_encode(planned),
            traceparent=caller.call.traceparent,
        )
        return (event,)


def _understood(answer: Answer | Receipt) -> tuple[str, Verdict | None]:
    if isinstance(answer, Receipt):
        return "unreachable", None
    if answer.status != 200:
        return "failed", None
    try:
        # Decoded as a request is: what the app puts into a message is kept like what a caller sends.
        return "answered", msgspec.convert(decode_object(answer.body, nul_in_text=True), Verdict)
    except (Refused, msgspec.MsgspecError):
        return "failed", None


def _obeyed(command: str, verdict: Verdict) -> Verdict:
    """The verdict where it lets the action go on, or drops it. Codes that say nothing here let it go on."""
    code = verdict.error_code
    if code == DENY:
        raise Failed(DENIED)
    if code in codes_of(command):
        raise Failed(code, verdict.error_info or None)
    return verdict if code in (0, DROP) else Verdict()
