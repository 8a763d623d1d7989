"""The chat API's signed calls under bad input: refused in its envelope, and Kafka sees nothing of it."""

import asyncio
import io
import json
import time
from typing import Any

import aiohttp
import msgspec
import pytest
from published import published
from raw_http import RawAnswer, exchange, post
from test_bad_input import BODIES

from config.settings import Settings
from gateway.chat_auth import signature_of

LOGIN = "/message/chat/loginCallBack"
NOTICE = "/message/chat/detection/notice"
LOGGED_IN = {"userId": "u1", "onOffline": 0}
DEEP = json.loads("[" * 40 + "]" * 40)
SIGNED_PATHS = (LOGIN, "/message/chat/syncUserInfo", NOTICE)


def signed(body: dict[str, Any], **fields: Any) -> bytes:
    whole = {
        "timestamp": int(time.time() * 1000),
        "nonce": 1,
        "secretId": "demo",
        "requestSeq": "seq-1",
        **body,
        **fields,
    }
    return msgspec.json.encode({"signature": signature_of(whole, "demo-secret"), **whole})


@pytest.mark.parametrize("path", SIGNED_PATHS)
async def test_a_body_that_is_bad_whatever_it_means_is_refused(gateway: str, settings: Settings, path: str) -> None:
    answers = {name: await exchange(gateway, post(path, body)) for name, (body, _) in BODIES.items()}

    assert all(answer.status in (400, 401) and answer.json["code"] > 0 for answer in answers.values())
    assert await published(settings.kafka) == []


# What is signed well and still cannot be taken: path, body, and what the message names.
SIGNED_WELL: dict[str, tuple[str, dict[str, Any], str]] = {
    "no field of its own": (LOGIN, {}, "userId"),
    "an empty id": (LOGIN, LOGGED_IN | {"userId": ""}, "userId"),
    "an id past its length": (LOGIN, LOGGED_IN | {"userId": "x" * 1_000}, "userId"),
    "a number for a text": (LOGIN, LOGGED_IN | {"userId": 7}, "userId"),
    "an unknown code": (LOGIN, LOGGED_IN | {"onOffline": 5}, "onOffline"),
    "a text for a code": (LOGIN, LOGGED_IN | {"onOffline": "0"}, "onOffline"),
    "an object for a text": (LOGIN, LOGGED_IN | {"name": {"$gt": ""}}, "name"),
    "NUL": (LOGIN, LOGGED_IN | {"name": "a\0b"}, "NUL"),
    "NUL in a field nobody knows": (LOGIN, LOGGED_IN | {"other": "a\0b"}, "NUL"),
    "deep in a field nobody knows": (LOGIN, LOGGED_IN | {"other": DEEP}, "nested"),
    "a $-key in free form": (NOTICE, {"params": {"$where": "1"}}, "$where"),
    "a dotted key in free form": (NOTICE, {"params": {"a": {"b.c": 1}}}, "b.c"),
    "a list for free form": (NOTICE, {"params": []}, "params"),
}


async def test_what_is_signed_well_but_cannot_be_taken_is_refused_by_name(gateway: str, settings: Settings) -> None:
    for name, (path, body, place) in SIGNED_WELL.items():
        answer = await exchange(gateway, post(path, signed(body)))
        assert (answer.status, answer.json["code"]) == (400, 4001), (name, answer.body)
        assert place in answer.json["msg"], (name, answer.body)
    assert await published(settings.kafka) == []


async def test_a_signed_integer_past_64_bits_is_refused(gateway: str, settings: Settings) -> None:
    body = signed(LOGGED_IN).replace(b'"nonce":1', b'"nonce":' + b"9" * 30)

    answer = await exchange(gateway, post(LOGIN, body))

    assert (answer.status, answer.json["code"]) == (400, 4001)
    assert await published(settings.kafka) == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"timestamp": 0}, 4012),
        ({"timestamp": 2**53 - 1}, 4012),
        ({"timestamp": -(2**53) + 1}, 4012),
        ({"secretId": "nobody"}, 4011),
        ({"requestSeq": None}, 4011),
        ({"nonce": "one"}, 4001),
    ],
    ids=str,
)
async def test_a_bad_signature_field_is_refused(
    gateway: str, settings: Settings, fields: dict[str, Any], code: int
) -> None:
    answer = await exchange(gateway, post(LOGIN, signed(LOGGED_IN, **fields)))

    assert answer.json["code"] == code
    assert await published(settings.kafka) == []


async def test_a_signature_of_another_body_is_refused(gateway: str, settings: Settings) -> None:
    body = json.loads(signed(LOGGED_IN)) | {"userId": "another"}

    answer = await exchange(gateway, post(LOGIN, msgspec.json.encode(body)))

    assert (answer.status, answer.json["code"]) == (401, 4011)
    assert await published(settings.kafka) == []


async def test_unknown_paths_wrong_methods_and_kinds_are_refused_in_the_envelope(gateway: str) -> None:
    async with aiohttp.ClientSession(gateway) as http:
        async with http.post("/message/chat/nothing") as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, 4040)
        async with http.get(LOGIN) as answer:
            assert (answer.status, (await answer.json())["code"]) == (405, 4050)
            assert answer.headers["Allow"] == "POST"
        async with http.post(LOGIN, data=b"x=1", headers={"Content-Type": "text/plain"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (415, 4150)
        async with http.post(LOGIN, data=io.BytesIO(b" " * (1024 * 1024 + 1))) as answer:
            assert (answer.status, (await answer.json())["code"]) == (413, 4130)


async def test_the_same_call_at_once_and_again_is_published_once_and_answered_alike(
    gateway: str, settings: Settings
) -> None:
    request = post(LOGIN, signed(LOGGED_IN))

    answers: list[RawAnswer] = await asyncio.gather(*(exchange(gateway, request) for _ in range(20)))
    answers.append(await exchange(gateway, request))

    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert len(await published(settings.kafka)) == 1
