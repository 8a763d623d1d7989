"""All operations of the contact binding contract: answers as it says, and what it leaves open as the docs say."""

import asyncio
import base64
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from chat_api import folding
from contact_api import (
    AGENT,
    ALREADY_BOUND,
    FALSE,
    NONE,
    PASSWORD,
    PATH,
    TRUE,
    USER_ERROR,
    Agent,
    Answered,
    contract,
    judge,
    judge_refusal,
    serving_agents,
    synced,
    with_agents,
)
from raw_http import exchange, post

from config.settings import Settings

METHODS = ("POST", "GET", "PUT", "DELETE")


@pytest.fixture(scope="module")
async def settings(shared_settings: Settings) -> Settings:
    return with_agents(shared_settings)


@pytest.fixture(scope="module")
async def agent(settings: Settings) -> AsyncIterator[Agent]:
    """Beside an agent, the contacts of the contract's examples, and some to be used once."""
    async with serving_agents(settings) as agent, folding(settings):
        await synced(settings, "6862715", "40713895", *(str(contact) for contact in range(1, 30)))
        example = {"agent_id": "601993", "account": "u2_601993_15cdbc98048f7c059b24f6f3f2065bbd"}
        await synced(settings, "30851821", **example)
        yield agent


async def test_every_operation_answers_as_the_contract_says(agent: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    operations = {item["operationId"]: method for method, item in contract()["paths"][PATH].items()}
    examples = {
        name: contract()["paths"][PATH][method]["requestBody"]["content"]["application/json"]["example"]
        for name, method in operations.items()
        if method in ("post", "put")
    }
    await agent.add("40713895", "first")
    await agent.add("30851821", "10014850", "dingding")
    answers = {
        "addContactBinding": await agent.send("POST", json=examples["addContactBinding"]),
        "getContactBindings": await agent.get("dingding", cId=30851821, openId="10014850"),
        "updateContactBinding": await agent.send("PUT", json=examples["updateContactBinding"]),
        "deleteContactBinding": await agent.delete(40713895),
    }
    for operation_id, answer in answers.items():
        judge(operations[operation_id], answer)
        stated = contract()["paths"][PATH][operations[operation_id]]["responses"]["200"]["content"]["application/json"]
        assert answer.whole == stated["examples"]["success"]["value"], operation_id
    with capsys.disabled():
        print(f"\ncontact-binding contract: {len(answers)} of {len(operations)} operations answered as it says")  # noqa: T201
    assert answers.keys() == operations.keys()


async def test_its_two_errors_come_with_http_200(agent: Agent) -> None:
    stated = contract()["paths"][PATH]
    await agent.add(1, "o-1")
    for method, name, answer in (
        ("post", "contactMissing", await agent.add(999, "o-999")),
        ("post", "alreadyBound", await agent.add(1, "o-2")),
        ("get", "userError", await agent.get(cId=999)),
    ):
        judge(method, answer)
        examples = stated[method]["responses"]["200"]["content"]["application/json"]["examples"]
        assert answer.whole == examples[name]["value"]


async def test_changing_and_deleting_say_false_where_there_is_nothing_and_the_same_errors(agent: Agent) -> None:
    await agent.add(2, "o-of-2")
    for method, answer in (
        ("put", await agent.update(3, openId="x")),
        ("delete", await agent.delete(3)),
        ("delete", await agent.delete(2, "open")),
    ):
        judge(method, answer)
        assert answer.whole == FALSE
    assert (await agent.update(999, openId="x")).whole == USER_ERROR
    assert (await agent.delete(999)).whole == USER_ERROR
    await agent.add(3, "o-of-3")
    assert (await agent.update(3, openId="o-of-2")).whole == ALREADY_BOUND
    assert (await agent.rows(cId=3))[0]["openId"] == "o-of-3"


async def test_a_query_needs_one_of_the_ids_and_answers_to_both(agent: Agent) -> None:
    await agent.add(4, "o-of-4")
    await agent.add(5, "o-of-5")
    [row] = await agent.rows(cId=4)
    assert (row["cId"], row["openId"], row["account_source"]) == ("4", "o-of-4", "wechat")

    for found in (await agent.rows(openId="o-of-4"), await agent.rows(cId="004", openId="o-of-4")):
        assert found == [row]
    for answer in (
        await agent.get(cId=4, openId="o-of-5"),  # they do not belong together
        await agent.get("open", cId=4),
        await agent.get(openId="nobody's"),
        await agent.get("open", openId="o-of-4"),
    ):
        judge("get", answer)
        assert answer.whole == NONE
    assert (await agent.get(cId=999, openId="o-of-4")).whole == USER_ERROR
    for query in ({}, {"cId": "", "openId": ""}):
        judge_refusal(refused := await agent.get(**query), 400)
        assert "cId or openId" in refused.whole["message"]


async def test_wecom_is_for_adding_only(agent: Agent) -> None:
    assert (await agent.add(6, "o-of-6", "workWechat")).whole == TRUE
    for answer in (
        await agent.get("workWechat", cId=6),
        await agent.update(6, "workWechat", openId="x"),
        await agent.delete(6, "workWechat"),
    ):
        judge_refusal(answer, 400)
        assert "account_source" in answer.whole["message"]


@pytest.mark.parametrize(
    ("method", "fields", "named"),
    [
        ("POST", {"openId": "x", "account_source": "open"}, "cId"),
        ("POST", {"cId": 7, "account_source": "open"}, "openId"),
        ("POST", {"cId": 7, "openId": "x"}, "account_source"),
        ("POST", {"cId": 7, "openId": "", "account_source": "open"}, "openId"),
        ("POST", {"cId": 7, "openId": "a\0", "account_source": "open"}, "openId"),
        ("POST", {"cId": 7, "openId": "x" * 257, "account_source": "open"}, "openId"),
        ("POST", {"cId": 7, "openId": 8, "account_source": "open"}, "openId"),
        ("POST", {"cId": 7, "openId": "x", "account_source": "qq"}, "account_source"),
        ("POST", {"cId": 7, "openId": "x", "account_source": "open", "appId": 1}, "appId"),
        ("POST", {"cId": "", "openId": "x", "account_source": "open"}, "cId"),
        ("POST", {"cId": "7a", "openId": "x", "account_source": "open"}, "cId"),
        ("POST", {"cId": -7, "openId": "x", "account_source": "open"}, "cId"),
        ("POST", {"cId": 7.5, "openId": "x", "account_source": "open"}, "cId"),
        ("POST", {"cId": True, "openId": "x", "account_source": "open"}, "cId"),
        ("POST", {"cId": 2**63, "openId": "x", "account_source": "open"}, "64 bits"),
        ("POST", {"cId": str(2**63), "openId": "x", "account_source": "open"}, "cId"),
        ("POST", {"cId": "9" * 20, "openId": "x", "account_source": "open"}, "cId"),
        ("PUT", {"account_source": "open"}, "cId"),
        ("PUT", {"cId": 7, "account_source": "open", "openId": ""}, "openId"),
        ("PUT", {"cId": 7, "account_source": "open", "openId": None}, "openId"),
        ("DELETE", {"account_source": "open"}, "cId"),
        ("DELETE", {"cId": 7}, "account_source"),
    ],
)
async def test_a_wrong_field_is_named(agent: Agent, method: str, fields: dict[str, Any], named: str) -> None:
    answer = await agent.send(method, json=fields)

    judge_refusal(answer, 400)
    assert named in answer.whole["message"]


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b"\xff", b'{"cId": 7} x'])
async def test_a_body_that_is_no_object_is_refused_in_the_envelope(agent: Agent, body: bytes) -> None:
    for method in ("POST", "PUT", "DELETE"):
        judge_refusal(await agent.send(method, {"Content-Type": "application/json"}, data=body), 400)


async def test_a_body_of_another_kind_or_too_large_is_refused_in_the_envelope(agent: Agent) -> None:
    judge_refusal(await agent.send("POST", {"Content-Type": "text/xml"}, data=b"<a/>"), 415)
    judge_refusal(await agent.send("POST", {"Content-Type": "application/json"}, data=BytesIO(b" " * (1 << 21))), 413)


def basic(text: bytes) -> str:
    return f"Basic {base64.b64encode(text).decode()}"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ?",
        "Bearer x",
        basic(b""),
        basic(b"no colon"),
        basic(f"{AGENT}:".encode()),
        basic(f"{AGENT}:{PASSWORD}x".encode()),
        basic(f"{AGENT}:{PASSWORD}".encode("latin-1")),
        basic(f"somebody:{PASSWORD}".encode()),
        basic(f":{PASSWORD}".encode()),
    ],
)
async def test_who_is_no_agent_is_refused_and_told_how_to_log_in(agent: Agent, header: str) -> None:
    answer = await agent.send("POST", {"Authorization": header})

    judge_refusal(answer, 401)
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="contact-binding", charset="UTF-8"'


async def test_every_method_asks_who_calls(agent: Agent) -> None:
    for method in METHODS:
        async with agent.http.request(method, PATH) as answer:
            judge_refusal(Answered(answer.status, await answer.json(), answer.headers), 401)


async def test_unknown_paths_and_other_methods_are_refused_in_the_envelope(agent: Agent) -> None:
    async with agent.http.get("/api/v1/user/relationship/aid.json", headers=agent.headers) as answer:
        judge_refusal(Answered(answer.status, await answer.json(), answer.headers), 404)
    judge_refusal(answered := await agent.send("PATCH", json={}), 405)
    assert answered.headers["Allow"] == "DELETE, GET, HEAD, POST, PUT"


async def test_bytes_that_are_no_text_do_no_harm(agent: Agent) -> None:
    gateway = str(agent.http._base_url)
    for headers in ({"Authorization": "Basic \udcff"}, {"Authorization": "\udcff"}):
        answer = await exchange(gateway, post(PATH, b"{}", headers))
        assert (answer.status, answer.json["state"]) == (401, "401")
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"cId=8&openId=\xff&account_source=open", b"cId=8&openId=%FF&account_source=open"):
        answer = await exchange(gateway, post(PATH, body, agent.headers | kind))
        assert (answer.status, answer.json["state"]) == (400, "400")
    answer = await exchange(
        gateway, post(PATH, b"cId=8&openId=x&account_source=open", agent.headers | {"Content-Type": "\udcff"})
    )
    assert (answer.status, answer.json["state"]) == (415, "415")


async def test_without_agents_the_calls_say_which_setting_is_missing(shared_settings: Settings) -> None:
    async with serving_agents(shared_settings) as agent:
        judge_refusal(answer := await agent.get(cId=1), 501)
        assert "FANFOLD_CONTACT_BINDING__AGENTS" in answer.whole["message"]


async def test_an_agent_whose_password_is_right_may_call_at_any_rate(agent: Agent) -> None:
    async with aiohttp.ClientSession(agent.http._base_url, connector=aiohttp.TCPConnector(limit=50)) as http:
        answers = await asyncio.gather(*(Agent(http).get(cId=9) for _ in range(200)))
    assert {answer.status for answer in answers} == {200}
