"""The shared path, tried with a small system of the tests' own."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import orjson
import pytest
from prometheus_client import REGISTRY
from published import published
from structlog.testing import capture_logs

from config.settings import GatewaySettings, Settings
from config.topics import Topic
from gateway.app import build_app, serving
from gateway.system import Answer, Call, Operation, Reply, System
from schemas.errors import Refused, StoreAway
from schemas.events import Event
from streams.publisher import Publisher
from workers.embedded.ports import LOOPBACK

SECRET = "a body nobody may log"
JSON = {"Content-Type": "application/json"}


class Note(msgspec.Struct):
    text: str
    number: int = 0


async def keep(call: Call) -> Reply:
    fact = Event("note-1", "lab", "seat.synced", "u1", call.received_at, b'{"user_id":"u1"}', call.traceparent)
    return Reply({"kept": call.body.text}, (fact,))


async def show(call: Call) -> Reply:
    return Reply({"query": dict(call.query), "path": call.path})


async def fail(call: Call) -> Reply:
    raise RuntimeError(f"cannot handle {call.body.text}")


async def away(_: Call) -> Reply:
    raise StoreAway(f"mongodb://user:{SECRET}@host is away")


def let_in(_: Call) -> None:
    pass


def turn_away(_: Call) -> None:
    raise Refused("unauthenticated", "not you")


LAB = System(
    name="lab",
    prefix="/lab/",
    operations=(
        Operation("keep", "POST", "/lab/keep", keep, let_in, Note, request_id=lambda call: call.body.text),
        Operation("show", "GET", "/lab/show/{name}", show, let_in),
        Operation("fail", "POST", "/lab/fail", fail, let_in, Note),
        Operation("away", "POST", "/lab/away", away, let_in, Note),
        Operation("closed", "POST", "/lab/closed", keep, turn_away, Note),
    ),
    succeed=lambda data, status: Answer(status, orjson.dumps({"lab": data})),
    refuse=lambda refused: Answer(200, orjson.dumps({"lab refuses": refused.reason, "why": str(refused)})),
)


@pytest.fixture
async def lab(settings: Settings, synced: tuple[Topic, ...]) -> AsyncIterator[aiohttp.ClientSession]:
    limits = GatewaySettings(port=0)
    async with Publisher(settings.kafka) as publisher:
        await publisher.wait_connected()
        app = build_app(limits, (LAB,), publisher, dict)
        async with serving(app, limits) as port, aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http:
            yield http


def counted(operation: str, outcome: str) -> float:
    labels = {"system": "lab", "operation": operation, "outcome": outcome}
    return REGISTRY.get_sample_value("fanfold_gateway_requests_total", labels) or 0


async def refusal(http: aiohttp.ClientSession, method: str, path: str, **request: Any) -> tuple[int, str]:
    async with http.request(method, path, **request) as answer:
        return answer.status, (await answer.json())["lab refuses"]


async def test_success_is_answered_once_the_facts_are_published(lab: aiohttp.ClientSession, settings: Settings) -> None:
    before = counted("keep", "ok")

    async with lab.post("/lab/keep", json={"text": "a"}) as answer:
        assert (answer.status, await answer.json()) == (200, {"lab": {"kept": "a"}})

    assert [event.id for event in await published(settings.kafka)] == ["note-1"]
    assert counted("keep", "ok") == before + 1


async def test_a_repeat_is_answered_from_memory_and_counted(lab: aiohttp.ClientSession, settings: Settings) -> None:
    before = REGISTRY.get_sample_value("fanfold_gateway_repeats_total", {"system": "lab"}) or 0

    for _ in range(3):
        async with lab.post("/lab/keep", json={"text": "b"}) as answer:
            assert await answer.json() == {"lab": {"kept": "b"}}

    assert REGISTRY.get_sample_value("fanfold_gateway_repeats_total", {"system": "lab"}) == before + 2
    assert len(await published(settings.kafka)) == 1


async def test_a_defect_is_answered_in_the_envelope_and_logged_under_the_trace_without_the_body(
    lab: aiohttp.ClientSession,
) -> None:
    with capture_logs() as logs:
        async with lab.post("/lab/fail", json={"text": SECRET}) as answer:
            assert answer.status == 500
            told = await answer.json()

    assert told["lab refuses"] == "internal"
    [line] = [line for line in logs if line["event"] == "request_failed"]
    assert line["trace_id"] == answer.headers["X-Trace-Id"]
    assert line["trace_id"] in told["why"]
    assert "in fail" in line["stack"]
    assert SECRET not in str(logs) + str(told)


async def test_the_store_away_is_a_503_that_says_when_to_come_again(lab: aiohttp.ClientSession) -> None:
    async with lab.post("/lab/away", json={"text": "a"}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        told = await answer.json()

    assert told["lab refuses"] == "store_away"
    assert SECRET not in str(told)


async def test_the_caller_is_let_in_before_its_body_is_judged(lab: aiohttp.ClientSession) -> None:
    assert await refusal(lab, "POST", "/lab/closed", json={"text": 7}) == (401, "unauthenticated")
    assert await refusal(lab, "POST", "/lab/closed", data=b"{", headers=JSON) == (400, "bad_json")


async def test_a_body_may_be_declared_as_any_json_or_not_at_all(lab: aiohttp.ClientSession) -> None:
    for number, kind in enumerate(["application/json; charset=utf-8", "Application/JSON", "application/x+json"]):
        async with lab.post(
            "/lab/keep", data=msgspec.json.encode(Note(f"kind-{number}")), headers={"Content-Type": kind}
        ) as answer:
            assert answer.status == 200, kind
    async with lab.post("/lab/keep", data=b'{"text":"none"}', skip_auto_headers=["Content-Type"]) as answer:
        assert answer.status == 200
    assert await refusal(lab, "POST", "/lab/keep", data=b"text=a", headers={"Content-Type": "text/plain"}) == (
        415,
        "wrong_content_type",
    )


async def test_an_empty_body_is_an_empty_object(lab: aiohttp.ClientSession) -> None:
    async with lab.post("/lab/keep") as answer:
        assert answer.status == 400
        assert "text" in (await answer.json())["why"]


async def test_a_part_of_the_path_may_be_a_name_and_get_may_be_asked_with_head(lab: aiohttp.ClientSession) -> None:
    async with lab.get("/lab/show/%E4%B8%80", params={"a": "1"}) as answer:
        assert await answer.json() == {"lab": {"query": {"a": "1"}, "path": "/lab/show/一"}}
    async with lab.head("/lab/show/x") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_what_belongs_to_no_operation_is_refused_in_the_envelope(lab: aiohttp.ClientSession) -> None:
    before = counted("none", "not_found")

    assert await refusal(lab, "POST", "/lab/nothing") == (404, "not_found")
    assert await refusal(lab, "GET", "/lab/keep") == (405, "method_not_allowed")
    assert await refusal(lab, "DELETE", "/lab/show/x") == (405, "method_not_allowed")
    assert await refusal(lab, "GET", "/lab/show/x?a=%00") == (400, "bad_field")

    assert counted("none", "not_found") == before + 1


async def test_requests_under_way_show_in_a_gauge_and_go_back_to_none(lab: aiohttp.ClientSession) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(refusal(lab, "POST", f"/lab/nothing/{number}"))

    assert REGISTRY.get_sample_value("fanfold_gateway_requests_in_flight") == 0
