"""The way of every request, the same for all systems.

The order is the guarantee: limit, decode, authenticate, validate, recognise a
repeat, handle, publish, answer. Success is answered only after Kafka has what the
call meant; a refusal leaves nothing behind. A decision that somebody waits for is the one exception
(`Reply.publish_seconds`).
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
import structlog
from aiohttp import web
from multidict import CIMultiDict

from config.settings import GatewaySettings
from gateway import metrics
from gateway.body import Typed, decode_object, read_body
from gateway.remembered import Remembered
from gateway.system import Answer, Call, Envelope, Operation, Reply, System
from gateway.trace import Trace, trace_of
from schemas.errors import BrokerAway, Refused, StoreAway
from schemas.events import Event
from schemas.refusals import REASONS

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

RETRY_AFTER_SECONDS = "1"
RETRIED = (429, 503)
_NOTHING: dict[str, str] = {}


class Publishes(Protocol):
    async def publish(self, events: Sequence[Event]) -> None:
        """Return when Kafka has them all. Raises BrokerAway; then some may have been written."""
        ...


class Services:
    """What all operations of a gateway share."""

    def __init__(self, publisher: Publishes, limits: GatewaySettings) -> None:
        self.publisher = publisher
        self.limits = limits
        self.remembered = Remembered(limits.remembered_requests)
        self.in_flight = 0


class Gauges:
    """An operation's metrics, looked up once."""

    def __init__(self, system: str, operation: str) -> None:
        self._labels = (system, operation)
        self._outcomes: dict[str, Any] = {}
        self._seconds = metrics.REQUEST_SECONDS.labels(system, operation)
        self.body_bytes = metrics.BODY_BYTES.labels(system)
        self.repeats = metrics.REPEATS.labels(system)
        self.unrecorded = metrics.UNRECORDED.labels(system)

    def observe(self, outcome: str, seconds: float) -> None:
        counter = self._outcomes.get(outcome)
        if counter is None:
            counter = self._outcomes[outcome] = metrics.REQUESTS.labels(*self._labels, outcome)
        counter.inc()
        self._seconds.observe(seconds)


def build_handler(system: System, operation: Operation, services: Services) -> Handler:
    """The aiohttp handler of one operation."""
    body_type = Typed(operation.body, nul_in_text=operation.nul_in_text) if operation.body is not None else None
    gauges = Gauges(system.name, operation.operation_id)
    limits = services.limits

    async def take(request: web.Request, trace: Trace, envelope: Envelope) -> Answer:
        body = await read_body(request, limits.body_bytes, limits.body_timeout_seconds)
        gauges.body_bytes.observe(len(body))
        call = to_call(request, trace, body)
        if body_type is not None:
            if body and not system.any_content_type:
                require_json(request)
            call.raw = decode_object(body, nul_in_text=operation.nul_in_text)
        operation.authenticate(call)
        if operation.admit is not None:
            call.admitted = await operation.admit(call)
        if body_type is not None:
            call.body = body_type.validate(call.raw)
        request_id = operation.request_id(call) if operation.request_id is not None else None
        if request_id is None:
            return await act(call, envelope)
        answer, repeated = await services.remembered.once((system.name, request_id), lambda: act(call, envelope))
        if repeated:
            gauges.repeats.inc()
        return answer

    async def act(call: Call, envelope: Envelope) -> Answer:
        reply = await operation.handle(call)
        if reply.parts is not None:
            async for part in reply.parts:
                await services.publisher.publish(part)
        if reply.facts:
            await publish(reply)
        if reply.published is not None:
            await reply.published()
        if reply.refused is not None:
            raise reply.refused
        return envelope.succeed(reply.data, operation.success_status)

    async def publish(reply: Reply) -> None:
        if reply.publish_seconds is None:
            await services.publisher.publish(reply.facts)
            return
        try:
            async with asyncio.timeout(reply.publish_seconds):
                await services.publisher.publish(reply.facts)
        except (BrokerAway, TimeoutError):
            gauges.unrecorded.inc(len(reply.facts))

    async def handler(request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        trace = trace_of(request.headers.get("traceparent"))
        envelope = operation.envelope or envelope_of(system, request, trace)
        services.in_flight += 1
        outcome = "ok"
        try:
            answer = await take(request, trace, envelope)
        except Exception as error:  # noqa: BLE001 - the edge: whatever went wrong is answered in the system's envelope
            refused = to_refused(error, system, operation, trace)
            outcome, answer = refused.reason, refuse(system, envelope, refused)
        finally:
            services.in_flight -= 1
        gauges.observe(outcome, time.perf_counter() - started)
        return to_response(answer, trace)

    return handler


def build_refusal(system: System, reason: str, message: str, headers: dict[str, str] = _NOTHING) -> Handler:
    """The handler of what is refused whatever it holds: an unknown path, a wrong method."""
    gauges = Gauges(system.name, "none")

    async def handler(request: web.Request) -> web.StreamResponse:
        gauges.observe(reason, 0.0)
        trace = trace_of(request.headers.get("traceparent"))
        answer = refuse(system, envelope_of(system, request, trace), Refused(reason, message))
        return to_response(answer, trace, headers)

    return handler


def to_call(request: web.Request, trace: Trace, body: bytes) -> Call:
    """The request free of any aiohttp type. Refuses a NUL in the query."""
    query: Mapping[str, str] = _NOTHING
    if query_string := request.rel_url.raw_query_string:
        if "%00" in query_string:
            raise Refused("bad_field", "NUL in the query")
        query = request.query
    return Call(
        method=request.method,
        path=request.path,
        query=query,
        headers=request.headers,
        raw_bytes=body,
        received_at=datetime.now(UTC),
        trace_id=trace.id,
        traceparent=trace.parent,
        remote=request.remote or "",
        raw={},
    )


def require_json(request: web.Request) -> None:
    """Refuse a body that is declared as something else than JSON; one not declared at all is taken for it."""
    declared = request.headers.get("Content-Type")
    if declared is None or declared == "application/json":
        return
    kind = declared.partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Refused("wrong_content_type", "send the body as application/json")


def to_refused(error: Exception, system: System, operation: Operation, trace: Trace) -> Refused:
    """What the caller is told of an error; a defect is logged, without what the request held."""
    match error:
        case Refused():
            return error
        case BrokerAway():
            return Refused("broker_away", REASONS["broker_away"].summary)
        case StoreAway():
            return Refused("store_away", REASONS["store_away"].summary)
    log.error(
        "request_failed",
        system=system.name,
        operation=operation.operation_id,
        trace_id=trace.id,
        error=type(error).__name__,
        # Not the message: it may quote the body.
        stack="".join(traceback.format_tb(error.__traceback__)),
    )
    return Refused("internal", f"a defect here; it has been logged under trace id {trace.id}")


def envelope_of(system: System, request: web.Request, trace: Trace) -> Envelope:
    return system if system.envelope is None else system.envelope(request.headers, trace.id)


def refuse(system: System, envelope: Envelope, refused: Refused) -> Answer:
    """A refusal in the system's envelope; its status goes by the reason, unless the system has one for everything."""
    status = refused.http_status or REASONS[refused.reason].status
    answer = envelope.refuse(refused)
    headers = {**answer.headers, "Retry-After": RETRY_AFTER_SECONDS} if status in RETRIED else answer.headers
    return msgspec.structs.replace(answer, status=system.fixed_status or status, headers=headers)


def to_response(answer: Answer, trace: Trace, headers: dict[str, str] = _NOTHING) -> web.Response:
    sent = {"Content-Type": answer.content_type, "traceparent": trace.parent, "X-Trace-Id": trace.id}
    body = answer.body if answer.stream is None else answer.stream
    return web.Response(body=body, status=answer.status, headers=CIMultiDict(sent | answer.headers | headers))
