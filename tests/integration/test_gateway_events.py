"""CloudEvents over HTTP, from the socket to the log."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from cloudevents.v1.conversion import to_binary, to_structured
from cloudevents.v1.http import CloudEvent
from published import published

from config.settings import Settings

AUTHORIZED = {"Authorization": "Bearer events-token"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


@pytest.fixture
async def http(gateway: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway, headers=AUTHORIZED) as session:
        yield session


def a_seat(**attributes: str) -> CloudEvent:
    """An event as any CloudEvents SDK makes it."""
    known = {
        "type": "seat.synced",
        "source": "directory",
        "id": "seat-1",
        "time": "2026-01-02T03:04:05.678Z",
        "datacontenttype": "application/json",
    }
    return CloudEvent(known | attributes, {"user_id": "u1", "name": "Li"})


async def test_a_binary_event_of_the_sdk_is_in_kafka_when_it_is_answered(
    http: aiohttp.ClientSession, settings: Settings
) -> None:
    headers, body = to_binary(a_seat(subject="u1"))

    async with http.post("/events", headers=headers, data=body) as answer:
        assert answer.status == 202
        assert await answer.json() == {"accepted": 1, "results": [{"id": "seat-1", "status": "accepted"}]}

    [event] = await published(settings.kafka)
    assert (event.id, event.source, event.type, event.subject) == ("seat-1", "directory", "seat.synced", "u1")
    assert event.time.isoformat() == "2026-01-02T03:04:05.678000+00:00"
    assert json.loads(event.data) == {"user_id": "u1", "name": "Li"}


async def test_a_structured_event_of_the_sdk_is_in_kafka_when_it_is_answered(
    http: aiohttp.ClientSession, settings: Settings
) -> None:
    headers, body = to_structured(a_seat())

    async with http.post("/events", headers=headers, data=body) as answer:
        assert answer.status == 202

    [event] = await published(settings.kafka)
    assert event.subject == "u1"  # taken from data.user_id
    assert json.loads(event.data) == {"user_id": "u1", "name": "Li"}


async def test_of_a_batch_the_good_events_are_published_and_the_bad_ones_reported(
    http: aiohttp.ClientSession, settings: Settings
) -> None:
    good = {"specversion": "1.0", "id": "1", "source": "s", "type": "seat.synced", "data": {"user_id": "u1"}}
    batch = [good, good | {"id": "2", "data": {"user_id": 7}}, good | {"id": "3", "data": {"user_id": "u3"}}, "?"]

    async with http.post("/events", data=json.dumps(batch), headers=BATCH) as answer:
        assert answer.status == 202
        told = await answer.json()

    assert told["accepted"] == 2
    assert [(result["id"], result["status"]) for result in told["results"]] == [
        ("1", "accepted"),
        ("2", "refused"),
        ("3", "accepted"),
        (None, "refused"),
    ]
    assert told["results"][1]["error"] == "data: Expected `str`, got `int` - at `$.user_id`"
    assert {event.id for event in await published(settings.kafka)} == {"1", "3"}


async def test_a_batch_without_a_good_event_is_a_bad_request(http: aiohttp.ClientSession, settings: Settings) -> None:
    async with http.post("/events", data=json.dumps([{"id": "1"}, {}]), headers=BATCH) as answer:
        assert answer.status == 400
        problem = await answer.json(content_type="application/problem+json")

    assert problem["reason"] == "bad_field"
    assert [result["id"] for result in problem["results"]] == ["1", None]
    assert await published(settings.kafka) == []


async def test_the_trace_of_the_caller_is_answered_and_goes_on_with_the_event(
    http: aiohttp.ClientSession, settings: Settings
) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers, body = to_binary(a_seat())

    async with http.post("/events", headers=headers | {"traceparent": parent}, data=body) as answer:
        assert answer.headers["traceparent"] == parent
        assert answer.headers["X-Trace-Id"] == "0af7651916cd43dd8448eb211c80319c"

    [event] = await published(settings.kafka)
    assert event.traceparent == parent


async def test_attributes_in_chinese_travel_percent_encoded(http: aiohttp.ClientSession, settings: Settings) -> None:
    headers, body = to_binary(a_seat())
    encoded = {"ce-source": "%E7%9B%AE%E5%BD%95", "ce-id": "%E4%B8%80"}

    async with http.post("/events", headers=headers | encoded, data=body) as answer:
        assert answer.status == 202

    [event] = await published(settings.kafka)
    assert event.identity == "目录/一"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic events-token"},
        {"Authorization": "Bearer \udcff"},
    ],
    ids=["none", "wrong", "another scheme", "not UTF-8"],
)
async def test_without_a_known_token_nothing_is_taken(
    gateway: str, settings: Settings, headers: dict[str, str]
) -> None:
    ce_headers, body = to_binary(a_seat())

    async with (
        aiohttp.ClientSession(gateway) as stranger,
        stranger.post("/events", headers=ce_headers | headers, data=body) as answer,
    ):
        assert answer.status == 401
        problem: dict[str, Any] = await answer.json(content_type="application/problem+json")

    assert problem["reason"] == "unauthenticated"
    assert await published(settings.kafka) == []
