"""Who is let in, over HTTP: and nothing of what is refused is in Kafka."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from chat_api import SECRET, ChatApi, ago
from published import published

from config.settings import Settings
from gateway.chat_auth import signature_of
from gateway.chat_envelope import CODES

LOGIN = {"userId": "u1", "onOffline": 0}


@pytest.fixture
async def chat(gateway: str) -> AsyncIterator[ChatApi]:
    async with aiohttp.ClientSession(gateway) as http:
        yield ChatApi(http)


async def test_a_good_signature_is_taken_whatever_else_the_body_holds(chat: ChatApi, settings: Settings) -> None:
    answers = [
        await chat.tell("loginCallBack", LOGIN),
        await chat.tell("loginCallBack", {**LOGIN, "unknown": {"z": 1.5, "a": ["é", None, 1e21]}}),
        await chat.tell("loginCallBack", LOGIN, timestamp=ago(seconds=1) // 1000),  # ten digits: seconds
        await chat.tell("loginCallBack", LOGIN, timestamp=ago(seconds=290)),
        await chat.tell("loginCallBack", LOGIN, timestamp=ago(seconds=-290)),
    ]

    assert [(answer.status, answer.code, answer.data) for answer in answers] == [(200, 0, True)] * 5
    events = await published(settings.kafka)
    assert len({event.id for event in events}) == 5
    assert {(event.type, event.subject, event.source) for event in events} == {
        ("account.session.changed", "u1", "chat")
    }


async def test_whoever_is_not_known_is_refused_and_nothing_is_published(chat: ChatApi, settings: Settings) -> None:
    good = chat.signed(LOGIN)
    whole = {name: value for name, value in good.items() if name != "signature"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({**good, "signature": signature_of(whole, "another")}, "bad_signature"),
        ({**good, "signature": good["signature"].upper()}, "bad_signature"),
        ({**good, "signature": ""}, "bad_signature"),
        ({**good, "signature": "ü" * 64}, "bad_signature"),
        ({**good, "onOffline": 1}, "bad_signature"),
        ({**good, "added": 1}, "bad_signature"),
        ({**good, "secretId": "nobody"}, "bad_signature"),
        (chat.signed(LOGIN, secretId="nobody"), "bad_signature"),
        (chat.signed(LOGIN, timestamp=ago(seconds=310)), "stale"),
        (chat.signed(LOGIN, timestamp=ago(seconds=-310)), "stale"),
        (chat.signed(LOGIN, timestamp=0), "stale"),
        ({**good, "timestamp": 2**63 - 1}, "stale"),
        ({**good, "timestamp": -(2**63)}, "stale"),
        ({**good, "timestamp": "now"}, "bad_field"),
        ({**good, "nonce": 2**31}, "bad_field"),
        (chat.signed({"onOffline": 0}), "bad_field"),
        (chat.signed({"userId": "u1", "onOffline": 2}), "bad_field"),
        *(({n: v for n, v in good.items() if n != name}, "bad_signature") for name in good if name not in LOGIN),
    ]

    for body, reason in cases:
        answer = await chat.send("loginCallBack", body)
        assert answer.code == CODES[reason], (body, answer)
    assert await published(settings.kafka) == []


async def test_an_access_token_comes_as_parameter_or_as_bearer(chat: ChatApi) -> None:
    assert (await chat.send("getPanel", params={"accessToken": "chat-token"})).code == 0
    assert (await chat.send("getPanel", headers={"Authorization": "Bearer chat-token"})).code == 0
    for request in (
        {},
        {"params": {"accessToken": "wrong"}},
        {"params": {"accessToken": ""}},
        {"headers": {"Authorization": "Bearer events-token"}},
        {"headers": {"Authorization": "chat-token"}},
    ):
        refused = await chat.send("getPanel", **request)
        assert (refused.status, refused.code) == (401, CODES["unauthenticated"])
    # A token is no signature, and a signature no token.
    assert (await chat.ask("loginCallBack", LOGIN)).code == CODES["bad_signature"]
    assert (await chat.tell("online", {"userId": "u1"})).code == CODES["unauthenticated"]


async def test_the_same_request_is_published_once_by_one_gateway(chat: ChatApi, settings: Settings) -> None:
    body = chat.signed(LOGIN)

    answers = [(await chat.send("loginCallBack", body)).whole for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    [event] = await published(settings.kafka)
    assert event.id == f"demo/loginCallBack/{body['requestSeq']}"
    assert int(event.time.timestamp() * 1000) == body["timestamp"]


async def test_an_unknown_path_is_refused_in_the_envelope(chat: ChatApi) -> None:
    answer = await chat.send("nothing/here", {})

    assert (answer.status, answer.code) == (404, CODES["not_found"])
    assert SECRET not in str(answer.whole)
