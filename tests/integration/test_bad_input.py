"""Whatever is sent to the gateway, it answers with a refusal, goes on working, and Kafka sees nothing of it."""

import asyncio
import gzip
from contextlib import AsyncExitStack

import pytest
from published import published
from raw_http import RawAnswer, connection, exchange, post, read_answer

from config.settings import GatewaySettings, Settings
from gateway.app import allow_many_connections

DEEP = 10_000
HUGE = str(10**30)

EVENT = {
    "Authorization": "Bearer events-token",
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "tests",
    "ce-type": "detection.noticed",
    "ce-subject": "task-1",
}

# Each body, and the reason it is refused for.
BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "bad_field"),
    "broken JSON": (b'{"title": "x"', "bad_json"),
    "no object": (b"[]", "bad_field"),
    "text after the JSON": (b'{"title": "x"} {}', "bad_json"),
    "single quotes": (b"{'title': 'x'}", "bad_json"),
    "a wrong type": (b'{"title": 7}', "bad_field"),
    "a float for an integer": (b'{"total": 1.5}', "bad_field"),
    "an unknown code": (b'{"kind": "sideways"}', "bad_field"),
    "a missing field": (b'{"records": [{"checked": true}]}', "bad_field"),
    "objects nested deep": (b'{"params": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}", "bad_json"),
    "arrays nested deep": (b'{"params": {"a":' + b"[" * DEEP + b"]" * DEEP + b"}}", "bad_json"),
    "brackets never closed": (b"[" * DEEP, "bad_json"),
    "nested past what is kept": (b'{"params": ' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}", "bad_field"),
    "deep in a field nobody knows": (b'{"other": ' + b"[" * 500 + b"]" * 500 + b"}", "bad_field"),
    "invalid UTF-8": (b'{"title": "\xff\xfe"}', "bad_json"),
    "UTF-16": ('{"title": "x"}'.encode("utf-16"), "bad_json"),
    "a lone surrogate": (b'{"title": "\\ud800"}', "bad_json"),
    "a huge integer": (f'{{"total": {HUGE}}}'.encode(), "bad_field"),
    "a huge integer in free form": (f'{{"params": {{"a": {HUGE}}}}}'.encode(), "bad_field"),
    "one past 64 bits in free form": (f'{{"params": {{"a": {2**63}}}}}'.encode(), "bad_field"),
    "an integer of 5,000 digits": (b'{"params": {"a": ' + b"9" * 5_000 + b"}}", "bad_json"),
    "a float past all floats": (b'{"params": {"a": 1e999}}', "bad_json"),
    "NaN": (b'{"params": {"a": NaN}}', "bad_json"),
    "Infinity": (b'{"params": {"a": -Infinity}}', "bad_json"),
    "a NUL, escaped": (b'{"title": "a\\u0000b"}', "bad_field"),
    "a NUL in a key": (b'{"params": {"a\\u0000b": 1}}', "bad_field"),
    "a NUL byte": (b'{"title": "a\0b"}', "bad_json"),
    "a NUL in a field nobody knows": (b'{"other": "\\u0000"}', "bad_field"),
    "a $-key": (b'{"params": {"$where": "1"}}', "bad_field"),
    "a $-key inside": (b'{"params": {"a": [{"b": {"$gt": ""}}]}}', "bad_field"),
    "a dotted key": (b'{"params": {"a.b": 1}}', "bad_field"),
}


async def test_every_bad_body_is_refused_for_its_reason(gateway: str, settings: Settings) -> None:
    answers = {name: await exchange(gateway, post("/events", body, EVENT)) for name, (body, _) in BODIES.items()}

    assert {name: (answer.status, answer.json["reason"]) for name, answer in answers.items()} == {
        name: (400, reason) for name, (_, reason) in BODIES.items()
    }
    assert await published(settings.kafka) == []


async def test_every_bad_body_is_refused_in_structured_mode_too(gateway: str, settings: Settings) -> None:
    headers = {"Authorization": "Bearer events-token", "Content-Type": "application/cloudevents+json"}

    def wrapped(data: bytes) -> bytes:
        return b'{"specversion":"1.0","id":"1","source":"s","type":"detection.noticed","subject":"t","data":%s}' % data

    answers = {
        name: await exchange(gateway, post("/events", wrapped(body), headers))
        for name, (body, _) in BODIES.items()
        # Within an object, no data is no JSON, and brackets may be closed by what follows.
        if name not in {"nothing", "UTF-16"}
    }

    assert {answer.status for answer in answers.values()} == {400}
    assert await published(settings.kafka) == []


@pytest.mark.parametrize(
    "attributes",
    [
        {"ce-specversion": "0.3"},
        {"ce-id": ""},
        {"ce-id": "x" * 513},
        {"ce-id": "a%00b"},
        {"ce-id": "a%0Ab"},
        {"ce-id": "%FF"},
        {"ce-subject": "\udcff"},
        {"ce-source": "fanfold"},
        {"ce-type": "event.dead-lettered"},
        {"ce-type": "no.such.type"},
        {"ce-time": "yesterday"},
        {"ce-time": "2026-01-01T00:00:00"},
        {"ce-time": "0001-01-01T00:00:00+23:59"},
        {"ce-type": "seat.synced", "ce-subject": "another"},
    ],
    ids=str,
)
async def test_a_bad_attribute_is_refused_by_name(gateway: str, settings: Settings, attributes: dict[str, str]) -> None:
    answer = await exchange(gateway, post("/events", b'{"user_id": "u1"}', EVENT | attributes))

    assert (answer.status, answer.json["reason"]) == (400, "bad_field")
    name = next(iter(attributes)).removeprefix("ce-")
    assert name in answer.json["detail"] or "ce- header" in answer.json["detail"] or "subject" in answer.json["detail"]
    assert await published(settings.kafka) == []


async def test_fields_that_nobody_knows_are_no_reason_to_refuse(gateway: str, settings: Settings) -> None:
    answer = await exchange(gateway, post("/events", b'{"title": "x", "other": {"a.b": [1]}}', EVENT))

    assert answer.status == 202
    assert len(await published(settings.kafka)) == 1


@pytest.mark.parametrize(
    ("framing", "status"),
    [
        ({"Content-Length": str(10 * 1024 * 1024)}, 413),
        ({"Content-Length": "99999999999999999999999999"}, 400),
        ({"Content-Length": "-1"}, 400),
        ({"Content-Length": "seven"}, 400),
        ({"Transfer-Encoding": "chunked", "Content-Length": "7"}, 400),
    ],
    ids=str,
)
async def test_a_bad_length_is_refused_before_the_body_comes(
    gateway: str, settings: Settings, framing: dict[str, str], status: int
) -> None:
    answer = await exchange(gateway, post("/events", b"", EVENT | framing))

    assert answer.status == status
    assert await published(settings.kafka) == []


@pytest.mark.parametrize("content_length", [True, False], ids=["with its length", "in chunks"])
async def test_ten_mebibytes_are_refused_as_too_large_and_never_buffered(
    gateway: str, settings: Settings, content_length: bool
) -> None:
    mebibyte = b" " * 1024 * 1024
    framing = {"Content-Length": str(10 * len(mebibyte))} if content_length else {"Transfer-Encoding": "chunked"}
    async with connection(gateway) as (reader, writer):
        head = post("/events", b"", EVENT | framing)
        writer.write(head if content_length else head.replace(b"Content-Length: 0\r\n", b""))
        for _ in range(10):
            writer.write(mebibyte if content_length else b"%x\r\n%s\r\n" % (len(mebibyte), mebibyte))
        answer = await read_answer(reader)

    assert (answer.status, answer.json["reason"]) == (413, "too_large")
    assert await published(settings.kafka) == []


async def test_a_small_body_that_unpacks_to_a_large_one_is_too_large(gateway: str, settings: Settings) -> None:
    bomb = gzip.compress(b" " * 100 * 1024 * 1024)
    assert len(bomb) < 1024 * 1024

    answer = await exchange(gateway, post("/events", bomb, EVENT | {"Content-Encoding": "gzip"}))

    assert (answer.status, answer.json["reason"]) == (413, "too_large")
    assert await published(settings.kafka) == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_a_body_that_is_not_compressed_as_declared_is_refused(
    gateway: str, settings: Settings, encoding: str
) -> None:
    answer = await exchange(gateway, post("/events", b'{"title": "x"}', EVENT | {"Content-Encoding": encoding}))

    assert 400 <= answer.status < 500
    assert await published(settings.kafka) == []


async def test_a_wrong_content_type_is_refused(gateway: str, settings: Settings) -> None:
    kinds = ["text/plain", "application/x-www-form-urlencoded", "application/cloudevents+avro", "\udcff"]

    answers = [await exchange(gateway, post("/events", b"{}", EVENT | {"Content-Type": kind})) for kind in kinds]

    assert [(answer.status, answer.json["reason"]) for answer in answers] == [(415, "wrong_content_type")] * len(kinds)
    assert await published(settings.kafka) == []


async def test_a_path_of_our_own_is_only_to_be_read(gateway: str) -> None:
    answer = await exchange(gateway, post("/readyz", b"{}"))

    assert (answer.status, answer.json["reason"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND"])
async def test_a_wrong_method_is_told_the_right_one(gateway: str, method: str) -> None:
    request = f"{method} /events HTTP/1.1\r\nHost: gateway\r\n\r\n".encode()
    async with connection(gateway) as (reader, writer):
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()

    assert head.startswith("HTTP/1.1 405")
    assert "Allow: POST" in head


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "/events/", "/events/1", "/%00", "/%ff", "//", "/docs/nothing", "/docs/../../pyproject.toml"],
)
async def test_an_unknown_path_is_not_found_in_the_envelope(gateway: str, path: str) -> None:
    answer = await exchange(gateway, post(path, b"{}"))

    assert (answer.status, answer.json["reason"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS greeting
        b"\0\0\0\0\r\n\r\n",
        b"POST /events HTTP/9.9\r\n\r\n",
        b"POST /events HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /events HTTP/1.1\r\nHost: gateway\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"POST /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: gateway\r\n\r\n",
        b"POST /events HTTP/1.1\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(1_000)) + b"\r\n",
        b"POST /events HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["TLS", "NUL bytes", "version", "no colon", "long header", "long path", "many headers", "bad chunk"],
)
async def test_what_is_not_http_is_answered_400_or_cut_off(gateway: str, request_bytes: bytes) -> None:
    async with connection(gateway) as (reader, writer):
        writer.write(request_bytes)
        writer.write_eof()
        answered = await reader.read()

    assert not answered or answered.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 401"))
    assert (await healthy(gateway)).status == 200


async def test_a_token_that_is_not_text_is_not_a_token(gateway: str, settings: Settings) -> None:
    answer = await exchange(gateway, post("/events", b"{}", EVENT | {"Authorization": "Bearer \udcff\udcfe"}))

    assert answer.status == 401
    assert await published(settings.kafka) == []


class TestImpatient:
    """A gateway that waits half a second for a client."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"gateway": GatewaySettings(port=0, body_timeout_seconds=0.5)})

    async def test_a_body_that_does_not_come_is_too_slow(self, gateway: str, settings: Settings) -> None:
        answer = await exchange(gateway, post("/events", b'{"tit', EVENT | {"Content-Length": "14"}))

        assert (answer.status, answer.json["reason"]) == (408, "too_slow")
        assert await published(settings.kafka) == []

    async def test_a_body_that_is_cut_off_leaves_nothing(self, gateway: str, settings: Settings) -> None:
        async with connection(gateway) as (_, writer):
            writer.write(post("/events", b'{"title"', EVENT | {"Content-Length": "14"}))
            await writer.drain()

        assert (await healthy(gateway)).status == 200
        assert await published(settings.kafka) == []

    async def test_thousands_of_half_open_connections_are_cut_and_keep_nobody_else_waiting(
        self, gateway: str, settings: Settings
    ) -> None:
        allow_many_connections()
        async with AsyncExitStack() as stack:
            opened = []
            for number in range(3_000):
                reader, writer = await stack.enter_async_context(connection(gateway))
                # Some say nothing, some begin a request and do not go on.
                writer.write(b"POST /events HTTP/1.1\r\nHost: gate"[: number % 30])
                opened.append(reader)

            answer = await exchange(gateway, post("/events", b'{"title": "x"}', EVENT))

            assert answer.status == 202
            assert set(await asyncio.gather(*(reader.read() for reader in opened))) == {b""}
        assert len(await published(settings.kafka)) == 1


async def healthy(gateway: str) -> RawAnswer:
    return await exchange(gateway, b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n")
