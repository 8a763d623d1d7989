"""CloudEvents over Kafka: what goes out comes back, and the CloudEvents SDK agrees in both modes and directions."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings import kafka as sdk
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import decode_record, encode_headers, encode_structured, parse_time
from schemas.errors import Poison
from schemas.events import Event, Headers, Record

MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)

names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
times = st.datetimes(datetime(1900, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - zoned by the strategy
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
traces = st.none() | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
# Payloads are objects; of a bare `false` the SDK's binary mode makes Python's word for it.
payloads = st.dictionaries(names, json, max_size=3).map(msgspec.json.encode)
events = st.builds(
    Event, id=names, source=names, type=names, subject=names, time=times, data=payloads, traceparent=traces
)
some_headers = st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=20)), max_size=8)


def a_record(headers: Headers, value: bytes | None, key: bytes | None = None, timestamp_ms: int = 0) -> Record:
    return Record("t", 0, 0, timestamp_ms, key, value, headers)


def binary(event: Event) -> Record:
    return a_record(encode_headers(event), event.data)


def structured(event: Event) -> Record:
    return a_record([("content-type", b"application/cloudevents+json")], msgspec.json.encode(encode_structured(event)))


def content(event: Event) -> Any:
    return msgspec.structs.replace(event, data=msgspec.json.decode(event.data))


@given(events)
def test_an_event_survives_the_way_in_binary_mode(event: Event) -> None:
    assert decode_record(binary(event)) == event


@given(events)
def test_an_event_survives_the_way_in_structured_mode(event: Event) -> None:
    assert content(decode_record(structured(event))) == content(event)


@given(events)
def test_the_sdk_reads_what_we_write(event: Event) -> None:
    message = sdk.KafkaMessage(dict(encode_headers(event)), None, event.data)

    read = sdk.from_binary_event(message)

    assert (read.get_id(), read.get_source(), read.get_type()) == (event.id, event.source, event.type)
    assert (read.get_subject(), read.get_time()) == (event.subject, event.time)
    assert read.get_data() == msgspec.json.decode(event.data)
    assert read.get_extension("traceparent") == event.traceparent


@given(events, st.sampled_from([sdk.to_binary_event, sdk.to_structured_event]))
def test_we_read_what_the_sdk_writes(event: Event, write: Any) -> None:
    attributes = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "datacontenttype": "application/json",
        "specversion": "1.0",
    }
    if event.traceparent:
        attributes["traceparent"] = event.traceparent

    message = write(CloudEvent(attributes, msgspec.json.decode(event.data)))

    assert content(decode_record(a_record(list(message.headers.items()), message.value))) == content(event)


@given(some_headers, st.none() | st.binary())
def test_whatever_a_record_holds_is_an_event_or_poison(headers: Headers, value: bytes | None) -> None:
    with suppress(Poison):
        decode_record(a_record(headers, value))


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type", "ce_specversion"])
def test_an_event_without_a_required_attribute_is_poison(name: str) -> None:
    headers = [header for header in encode_headers(EVENT) if header[0] != name]

    with pytest.raises(Poison, match=name):
        decode_record(a_record(headers, b"{}"))


@pytest.mark.parametrize(
    "changed",
    [
        ("ce_specversion", b"0.3"),
        ("content-type", b"text/xml"),
        ("ce_id", b"\xff"),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2026-01-01T00:00:00"),  # no zone
        ("ce_time", b"0001-01-01T00:00:00+23:59"),  # overflows on its way to UTC
        ("ce_time", b"9999-12-31T23:59:59-23:59"),
    ],
)
def test_an_event_with_an_attribute_that_cannot_be_understood_is_poison(changed: tuple[str, bytes]) -> None:
    headers = dict(encode_headers(EVENT)) | dict([changed])

    with pytest.raises(Poison):
        decode_record(a_record(list(headers.items()), b"{}"))


def test_without_time_and_subject_the_records_own_time_and_key_stand_in() -> None:
    headers = [header for header in encode_headers(EVENT) if header[0] not in ("ce_time", "ce_subject")]

    event = decode_record(a_record(headers, b"{}", key=b"ada", timestamp_ms=1_767_254_400_123))

    assert (event.subject, event.time) == ("ada", MORNING + timedelta(milliseconds=123))


@pytest.mark.parametrize("timestamp_ms", [-1, -(2**63), 2**63 - 1, 253_402_300_800_000])
def test_a_records_time_outside_the_calendar_is_held_within_it(timestamp_ms: int) -> None:
    headers = [header for header in encode_headers(EVENT) if header[0] != "ce_time"]

    assert decode_record(a_record(headers, b"{}", timestamp_ms=timestamp_ms)).time.tzinfo is UTC


def test_times_are_cut_to_the_millisecond_that_is_stored() -> None:
    assert parse_time("2026-01-01T09:00:00.123999+01:00") == MORNING + timedelta(milliseconds=123)


EVENT = Event(id="1", source="chat", type="t", subject="ada", time=MORNING, data=b"{}")
