"""CloudEvents 1.0 over HTTP: Fanfold's own way in, `POST /events`.

Source: CloudEvents HTTP protocol binding 1.0.2, binary, structured and batched mode.
An event is taken when its type is in the catalogue and its data fits the type; it
is published with the data as sent. Errors are problem details (RFC 9457).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

import msgspec
import orjson

from config.settings import EventsSettings
from gateway.body import Typed, decode_json, decode_object
from gateway.system import Answer, Call, Operation, Reply, System
from gateway.tokens import Tokens, bearer_token
from gateway.trace import parse as parse_traceparent
from handlers.outcome import EMITTED_BY
from schemas.catalogue import EventType
from schemas.cloudevents import parse_time, require_json
from schemas.errors import Refused
from schemas.events import Event
from schemas.numbers import MAX_ID_CHARS
from schemas.refusals import REASONS

# CloudEvents 1.0.2, section "Type System": a String holds no control characters.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class Attributes(msgspec.Struct, frozen=True):
    """What is read of an event besides its data; other extension attributes are left out."""

    specversion: str | None = None
    id: str | None = None
    source: str | None = None
    type: str | None = None
    subject: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    data_base64: str | None = None
    traceparent: str | None = None


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one event of a request, in the order sent."""

    id: str | None
    status: str
    error: str | None = None


class Accepted(msgspec.Struct, frozen=True):
    """Answer 202: so many are in Kafka. In a batch some may have been refused."""

    accepted: int
    results: list[Result]


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem details; `reason` is the name under which metrics count it."""

    title: str
    status: int
    detail: str
    reason: str
    results: list[Result] | None = None


class AllRefused(Refused):
    """A batch without one good event."""

    def __init__(self, results: list[Result]) -> None:
        super().__init__("bad_field", "every event of the batch was refused")
        self.results = results


class Accepts(msgspec.Struct, frozen=True):
    """What a type's events must look like."""

    payload: Typed
    key: str | None
    key_as_sent: str | None
    own_fields: tuple[str, ...]


class Intake:
    """Makes events out of calls, by the types that a caller may send."""

    def __init__(self, catalogue: Mapping[str, EventType]) -> None:
        self._types = {
            name: Accepts(Typed(kind.payload), kind.key, kind.key_as_sent, kind.own_fields)
            for name, kind in catalogue.items()
            if not kind.internal
        }

    async def publish_events(self, call: Call) -> Reply:
        match content_mode(call.headers.get("Content-Type")):
            case "batch":
                return self._batch(call)
            case "structured":
                event = self.structured(decode_object(call.raw_bytes), call)
            case _:
                event = self.binary(call)
        return Reply(Accepted(1, [Result(event.id, "accepted")]), (event,))

    def _batch(self, call: Call) -> Reply:
        batch = decode_json(call.raw_bytes)
        if not isinstance(batch, list):
            raise Refused("bad_json", "a batch is a JSON array of events")
        events: list[Event] = []
        results: list[Result] = []
        for member in batch:
            try:
                event = self.structured(member, call)
            except Refused as refused:
                results.append(Result(_id_of(member), "refused", str(refused)))
            else:
                events.append(event)
                results.append(Result(event.id, "accepted"))
        if batch and not events:
            raise AllRefused(results)
        return Reply(Accepted(len(events), results), tuple(events))

    def structured(self, member: Any, call: Call) -> Event:
        """An event in the JSON format. Refuses with bad_field, naming the attribute or the field of the data."""
        try:
            sent = msgspec.convert(member, Attributes, strict=True)
            require_json(sent.datacontenttype or "application/json")
        except (ValueError, msgspec.MsgspecError) as error:
            raise Refused("bad_field", str(error)) from None
        if sent.data_base64 is not None:
            _refuse_attribute("data_base64", "is not understood: send JSON in data")
        data = member.get("data")
        return self._event(sent, data, orjson.dumps(data), call)

    def binary(self, call: Call) -> Event:
        """An event whose attributes are headers. Refuses like `structured`."""
        headers = call.headers
        sent = Attributes(
            specversion=headers.get("ce-specversion"),
            id=_header_value(headers.get("ce-id")),
            source=_header_value(headers.get("ce-source")),
            type=headers.get("ce-type"),
            subject=_header_value(headers.get("ce-subject")),
            time=headers.get("ce-time"),
            traceparent=headers.get("ce-traceparent"),
        )
        if sent.specversion is None:
            raise Refused("bad_field", "no ce-specversion header: this is not a CloudEvent in binary mode")
        data = decode_json(call.raw_bytes) if call.raw_bytes else None
        return self._event(sent, data, call.raw_bytes, call)

    def _event(self, sent: Attributes, data: Any, encoded: bytes, call: Call) -> Event:
        if sent.specversion != "1.0":
            _refuse_attribute("specversion", "only 1.0 is understood")
        accepts = self._types.get(sent.type or "")
        if accepts is None:
            _refuse_attribute("type", "is missing, or not one of those that can be sent here")
        if sent.source == EMITTED_BY:
            _refuse_attribute("source", f"{EMITTED_BY!r} is Fanfold's own")
        try:
            payload = accepts.payload.validate(data)
        except Refused as refused:
            raise Refused("bad_field", f"data: {refused}") from None
        if taken := [name for name in accepts.own_fields if name in data]:
            raise Refused("bad_field", f"data: {taken[0]} is Fanfold's own")
        trace = parse_traceparent(sent.traceparent) if sent.traceparent else None
        return Event(
            id=_present("id", sent.id),
            source=_present("source", sent.source),
            type=_present("type", sent.type),
            subject=_subject(sent.subject, accepts, payload),
            time=_time(sent.time, call.received_at),
            data=encoded,
            traceparent=trace.parent if trace else call.traceparent,
        )


def content_mode(content_type: str | None) -> str:
    """Binary, structured or batch, as the content type says (section 3). Refuses what is not JSON."""
    if content_type is None or content_type == "application/json":
        return "binary"
    kind = content_type.partition(";")[0].strip().lower()
    match kind:
        case "application/cloudevents+json":
            return "structured"
        case "application/cloudevents-batch+json":
            return "batch"
        case "application/json":
            return "binary"
        case _ if kind.endswith("+json") and not kind.startswith("application/cloudevents"):
            return "binary"
    raise Refused("wrong_content_type", "events and their data are taken as JSON only")


def _present(name: str, value: str | None) -> str:
    if not value:
        _refuse_attribute(name, "is missing or empty")
    if len(value) > MAX_ID_CHARS:
        _refuse_attribute(name, f"has at most {MAX_ID_CHARS} characters")
    if not value.isprintable() and _CONTROL.search(value):
        _refuse_attribute(name, "has control characters")
    return value


def _subject(sent: str | None, accepts: Accepts, payload: Any) -> str:
    """The subject, which is the partition key: taken from the payload where that holds it."""
    if accepts.key is None:
        return _present("subject", sent)
    key = str(getattr(payload, accepts.key))
    # Another subject would put one document's events on two partitions, where nothing keeps their order.
    if sent is not None and sent != key:
        _refuse_attribute("subject", f"differs from data.{accepts.key_as_sent}; leave it out")
    return _present(f"data.{accepts.key_as_sent}", key)


def _time(text: str | None, received_at: datetime) -> datetime:
    if text is None:
        return received_at
    try:
        return parse_time(text)
    except (ValueError, OverflowError):
        _refuse_attribute("time", "is not an RFC 3339 time with a zone")


def _refuse_attribute(name: str, message: str) -> NoReturn:
    raise Refused("bad_field", f"attribute `{name}`: {message}")


def _header_value(sent: str | None) -> str | None:
    """An attribute out of its header: unquoted, percent-decoded, UTF-8 (section 3.1.3.2)."""
    if sent is None or (sent.isascii() and "%" not in sent and '"' not in sent):
        return sent
    if sent.startswith('"') and sent.endswith('"'):
        sent = re.sub(r"\\(.)", r"\1", sent[1:-1])
    try:
        # Headers arrive with surrogates in place of bytes that are not UTF-8.
        return unquote_to_bytes(sent.encode("utf-8", "surrogateescape")).decode()
    except UnicodeError:
        raise Refused("bad_field", "a ce- header is not UTF-8") from None


def _id_of(member: Any) -> str | None:
    found = member.get("id") if isinstance(member, dict) else None
    return found[:MAX_ID_CHARS] if isinstance(found, str) else None


def events_system(settings: EventsSettings, catalogue: Mapping[str, EventType]) -> System:
    """The system that takes CloudEvents, and in whose envelope unknown paths are answered."""
    tokens = Tokens(settings.tokens)

    def authenticate(call: Call) -> None:
        if not tokens:
            raise Refused("not_configured", "FANFOLD_EVENTS__TOKENS is not set: nobody can publish here")
        if not tokens.accept(bearer_token(call.headers)):
            raise Refused("unauthenticated", "send a known token as Authorization: Bearer")

    return System(
        name="events",
        prefix="/",
        operations=(
            Operation(
                operation_id="publishEvents",
                method="POST",
                path="/events",
                handle=Intake(catalogue).publish_events,
                authenticate=authenticate,
                success_status=HTTPStatus.ACCEPTED,
                security=("bearer",),
            ),
        ),
        succeed=lambda data, status: Answer(status, msgspec.json.encode(data)),
        refuse=problem,
        security_schemes={"bearer": {"type": "http", "scheme": "bearer"}},
    )


def problem(refused: Refused) -> Answer:
    status = REASONS[refused.reason].status
    details = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=str(refused),
        reason=refused.reason,
        results=refused.results if isinstance(refused, AllRefused) else None,
    )
    return Answer(status, msgspec.json.encode(details), content_type="application/problem+json")
