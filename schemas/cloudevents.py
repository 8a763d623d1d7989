"""CloudEvents 1.0 over Kafka: binary mode out, binary and structured mode in.

Source: CloudEvents Kafka protocol binding 1.0.2, sections 3.2 and 3.3. Written
here because every folded event passes through `decode_record`; the `cloudevents`
SDK is the peer the tests check it against.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.errors import Poison
from schemas.events import Event, Headers, Record
from schemas.times import EARLIEST, LATEST

JSON = b"application/json"
STRUCTURED = "application/cloudevents+json"


class StructuredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON format of CloudEvents; extension attributes other than traceparent are dropped."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    data_base64: str | None = None
    traceparent: str | None = None


_structured = msgspec.json.Decoder(StructuredEvent)


def encode_headers(event: Event) -> list[tuple[str, bytes]]:
    """The Kafka headers of an event in binary mode; the record's value is `event.data`."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_subject", event.subject.encode()),
        ("ce_time", format_time(event.time).encode()),
        ("content-type", JSON),
    ]
    if event.traceparent:
        headers.append(("ce_traceparent", event.traceparent.encode()))
    return headers


def decode_record(record: Record) -> Event:
    """The event in a record. Raises Poison where it is none, or its data is not JSON by its own word."""
    try:
        headers = {name: value for name, value in record.headers if value is not None}
        if headers.get("content-type", b"").startswith(STRUCTURED.encode()):
            return _decode_structured(record)
        return _decode_binary(record, headers)
    except (KeyError, ValueError, msgspec.MsgspecError) as error:
        raise Poison("not_a_cloudevent", f"{type(error).__name__}: {error}") from error


def _decode_binary(record: Record, headers: dict[str, bytes]) -> Event:
    require_version(headers["ce_specversion"].decode())
    require_json(headers.get("content-type", JSON).decode())
    subject, time, traceparent = (headers.get(name) for name in ("ce_subject", "ce_time", "ce_traceparent"))
    return Event(
        id=headers["ce_id"].decode(),
        source=headers["ce_source"].decode(),
        type=headers["ce_type"].decode(),
        subject=_subject(subject.decode() if subject else None, record),
        time=parse_time(time.decode()) if time else produced_at(record),
        data=record.value or b"null",
        traceparent=traceparent.decode() if traceparent else None,
    )


def _decode_structured(record: Record) -> Event:
    event = decode_structured(record.value or b"")
    return Event(
        id=event.id,
        source=event.source,
        type=event.type,
        subject=_subject(event.subject, record),
        time=parse_time(event.time) if event.time else produced_at(record),
        data=bytes(event.data),
        traceparent=event.traceparent,
    )


def decode_structured(body: bytes) -> StructuredEvent:
    """A structured event as sent. Raises msgspec.MsgspecError or ValueError, naming the attribute."""
    event = _structured.decode(body)
    check_structured(event)
    return event


def check_structured(event: StructuredEvent) -> None:
    """What the types cannot say: version and kind of data. Raises ValueError."""
    require_version(event.specversion)
    require_json(event.datacontenttype or "application/json")
    if event.data_base64 is not None:
        raise ValueError("data_base64 is not accepted: send JSON in data")


def encode_structured(event: Event) -> dict[str, Any]:
    """The JSON format, as shown to people (dead letters, documentation)."""
    shown: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": format_time(event.time),
        "datacontenttype": "application/json",
        "data": msgspec.json.decode(event.data),
    }
    if event.traceparent:
        shown["traceparent"] = event.traceparent
    return shown


def require_version(version: str) -> None:
    if version != "1.0":
        raise ValueError(f"specversion is {version!r}, only 1.0 is understood")


def require_json(content_type: str) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise ValueError(f"data of type {content_type!r}, only JSON is understood")


def parse_time(text: str) -> datetime:
    """An RFC 3339 time as an aware UTC datetime, cut to the millisecond that the store keeps."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    if not EARLIEST <= time < LATEST:
        raise ValueError(f"time {text!r} is not between {EARLIEST.year} and {LATEST.year}")
    return to_millisecond(time.astimezone(UTC))


def to_millisecond(time: datetime) -> datetime:
    """What MongoDB keeps of a time: cut here, so that two times compare alike before and after storing."""
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def format_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def produced_at(record: Record) -> datetime:
    """The record's own time. A producer may write any number there, so it is held within the calendar."""
    milliseconds = min(max(record.timestamp_ms, 0), int(LATEST.timestamp() * 1000) - 1)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _subject(subject: str | None, record: Record) -> str:
    return subject if subject is not None else (record.key or b"").decode()


def header(headers: Headers, name: str) -> bytes | None:
    """The first header of that name."""
    return next((value for key, value in headers if key == name), None)
