"""Bindings of contacts: added, changed, removed, told; in JSON and forms; by many at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import pytest
from chat_api import an_event, folding, publish
from contact_api import (
    AGENT,
    ALREADY_BOUND,
    FALSE,
    HASHED,
    NONE,
    TRUE,
    USER_ERROR,
    Agent,
    Answered,
    judge,
    judge_refusal,
    known_so,
    serving_agents,
    synced,
    with_agents,
)
from published import published
from tg_api import unready

from config.settings import KafkaSettings, MongoSettings, Settings
from schemas.events import Event
from stores.contacts import ContactBinding, bindings_of
from stores.mongo import open_database
from workers.embedded.ports import LOOPBACK, free_port

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
async def settings(shared_settings: Settings) -> Settings:
    return with_agents(shared_settings, **{"second agent": HASHED})


@pytest.fixture(scope="module")
async def agent(settings: Settings) -> AsyncIterator[Agent]:
    async with serving_agents(settings) as agent, folding(settings):
        await synced(settings, *(str(contact) for contact in range(1, 60)))
        yield agent


async def told(kafka: KafkaSettings, contact: int) -> list[tuple[str, str, Any]]:
    """Ids, types and payloads of what was published of a contact's bindings."""
    return [
        (event.id, event.type, msgspec.json.decode(event.data))
        for event in await published(kafka)
        if event.subject == str(contact) and event.type != "contact.synced"
    ]


async def test_a_binding_is_added_changed_and_removed_and_each_is_told(agent: Agent, settings: Settings) -> None:
    assert (await agent.add(1, "ding-1", "dingding")).whole == TRUE
    assert [row["openId"] for row in await agent.rows("dingding", cId=1)] == ["ding-1"]
    second = Agent(agent.http, "second agent")
    assert (await second.update(1, "dingding", openId="ding-2", appId="a")).whole == TRUE
    assert [(row["openId"], row["appId"]) for row in await agent.rows("dingding", cId=1)] == [("ding-2", "a")]
    assert (await agent.get("dingding", openId="ding-1")).whole == NONE
    assert (await agent.delete(1, "dingding")).whole == TRUE
    assert (await agent.get("dingding", cId=1)).whole == NONE
    assert (await agent.delete(1, "dingding")).whole == FALSE
    assert (await agent.add(1, "ding-1", "dingding")).whole == TRUE

    of = {"contact_id": "1", "account_source": "dingding"}
    first, changed, removed, again, last = await told(settings.kafka, 1)
    bound = {**of, "agent": AGENT, "open_id": "ding-1", "app_id": ""}
    assert first == ("1/dingding/1", "contact.bound", {**bound, "seq": 1})
    rebound = {**of, "agent": "second agent", "open_id": "ding-2", "app_id": "a"}
    assert changed == ("1/dingding/2", "contact.bound", {**rebound, "seq": 2})
    assert removed == ("1/dingding/3", "contact.unbound", {**of, "agent": AGENT, "seq": 3})
    assert again == removed  # deleted twice: the first might not have been told
    assert last == ("1/dingding/4", "contact.bound", {**bound, "seq": 4})


async def test_a_repeat_of_adding_or_changing_tells_the_same_fact_again(agent: Agent, settings: Settings) -> None:
    for answer in (TRUE, ALREADY_BOUND):
        assert (await agent.add(2, "o-of-2")).whole == answer
    for _ in range(2):
        assert (await agent.update(2, openId="o-of-2", appId="app")).whole == TRUE
    assert (await agent.update(2)).whole == TRUE

    assert [name for name, *_ in await told(settings.kafka, 2)] == [*["2/wechat/1"] * 2, *["2/wechat/2"] * 3]


async def test_a_contact_has_one_account_in_each_system(agent: Agent) -> None:
    for source in ("dingding", "wechat", "workWechat", "open"):
        assert (await agent.add(3, "one", source)).whole == TRUE
        for second in ("one", "two"):
            assert (await agent.add(3, second, source)).whole == ALREADY_BOUND
    assert (await agent.add(4, "one")).whole == ALREADY_BOUND  # it is contact 3's
    assert (await agent.add(4, "two")).whole == TRUE


async def test_what_is_left_out_of_a_change_stays(agent: Agent) -> None:
    await agent.add(5, "o-of-5", appId="app")
    for fields, row in (
        ({}, ("o-of-5", "app")),
        ({"openId": "o-5"}, ("o-5", "app")),
        ({"appId": ""}, ("o-5", "")),
        ({"appId": "b"}, ("o-5", "b")),
    ):
        assert (await agent.update(5, **fields)).whole == TRUE
        [found] = await agent.rows(cId=5)
        assert (found["openId"], found["appId"]) == row


async def test_an_account_that_is_given_up_is_free_for_another(agent: Agent) -> None:
    await agent.add(6, "shared")
    await agent.update(6, openId="own")
    assert (await agent.add(7, "shared")).whole == TRUE
    await agent.delete(7)
    assert (await agent.add(8, "shared")).whole == TRUE


# ---- JSON and forms -------------------------------------------------------------------------------------------------


def multipart(fields: dict[str, str]) -> aiohttp.MultipartWriter:
    writer = aiohttp.MultipartWriter("form-data")
    for name, value in fields.items():
        writer.append(value).set_content_disposition("form-data", name=name)
    return writer


@pytest.mark.parametrize("kind", ["json", "form", "multipart"])
async def test_the_same_fields_may_come_in_json_or_either_kind_of_form(agent: Agent, kind: str) -> None:
    contact = str(10 + ["json", "form", "multipart"].index(kind))

    async def send(method: str, **fields: str) -> Any:
        of = {"cId": contact, "account_source": "open", **fields}
        body = {"json": {"json": of}, "form": {"data": of}, "multipart": {"data": multipart(of)}}[kind]
        judge(method, answer := await agent.send(method, **body))
        return answer.whole

    account = f"用户 {kind}&=+%"
    assert await send("POST", openId=account, appId="789") == TRUE
    [row] = await agent.rows("open", cId=contact, openId=account)
    assert (row["openId"], row["appId"]) == (account, "789")
    assert await send("PUT", openId=f"{kind} 2") == TRUE
    assert (await agent.rows("open", cId=contact))[0]["openId"] == f"{kind} 2"
    assert await send("DELETE") == TRUE
    assert (await agent.get("open", cId=contact)).whole == NONE


async def test_deleting_takes_its_values_from_the_query_though_a_form_is_announced(agent: Agent) -> None:
    await agent.add(13, "o-of-13")
    query = {"cId": "13", "account_source": "wechat"}
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x", FORM, "application/json"):
        answer = await agent.send("DELETE", {"Content-Type": kind}, params=query)
        judge("delete", answer)
    assert (await agent.get(cId=13)).whole == NONE


async def test_values_that_contradict_each_other_are_refused(agent: Agent) -> None:
    await agent.add(14, "o-of-14")
    fields = {"cId": "14", "account_source": "wechat"}
    both = await agent.send("DELETE", params=fields, data={**fields, "cId": "15"})
    twice = await agent.send("DELETE", data=[("cId", "14"), ("cId", "15"), ("account_source", "wechat")])
    query = await agent.send("GET", params=[("cId", "14"), ("cId", "15"), ("account_source", "wechat")])
    for answer in (both, twice, query):
        judge_refusal(answer, 400)
        assert "cId is there twice" in answer.whole["message"]
    assert (await agent.send("DELETE", params=fields, data=fields)).whole == TRUE


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"cId=14"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="cId"\r\n\r\n14'),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n14\r\n--x--\r\n"),
        (FORM, b"&".join(b"f%d=1" % number for number in range(60))),
        (FORM, b'{"cId": 14}'),
    ],
)
async def test_a_form_that_is_none_is_refused(agent: Agent, kind: str, body: bytes) -> None:
    judge_refusal(await agent.send("POST", {"Content-Type": kind}, data=body), 400)


# ---- many at once ---------------------------------------------------------------------------------------------------


async def test_of_many_who_bind_one_contact_at_once_one_does(agent: Agent) -> None:
    answers = await asyncio.gather(*(agent.add(20, f"race-{number}") for number in range(20)))

    won = [number for number, answer in enumerate(answers) if answer.whole == TRUE]
    assert [answer.whole for answer in answers].count(ALREADY_BOUND) == 19
    assert [row["openId"] for row in await agent.rows(cId=20)] == [f"race-{won[0]}"]


async def test_of_many_contacts_that_are_bound_to_one_account_at_once_one_is(agent: Agent, settings: Settings) -> None:
    answers = await asyncio.gather(*(agent.add(contact, "wanted by all") for contact in range(20, 40)))

    assert [answer.whole for answer in answers].count(TRUE) == 1
    assert [answer.whole for answer in answers].count(ALREADY_BOUND) == 19
    [row] = await agent.rows(openId="wanted by all")
    assert answers[int(row["cId"]) - 20].whole == TRUE


async def test_changes_at_once_are_counted_each_and_the_last_one_stands(agent: Agent, settings: Settings) -> None:
    await agent.add(41, "start")
    answers = await asyncio.gather(*(agent.update(41, openId=f"change-{number}") for number in range(10)))

    assert [answer.whole for answer in answers] == [TRUE] * 10
    facts = await told(settings.kafka, 41)
    assert sorted(payload["seq"] for *_, payload in facts) == list(range(1, 12))
    last = max(facts, key=lambda fact: fact[2]["seq"])[2]
    assert [row["openId"] for row in await agent.rows(cId=41)] == [last["open_id"]]


async def test_of_changes_at_once_to_two_fields_neither_is_lost(agent: Agent) -> None:
    await agent.add(43, "start")
    for number in range(10):
        wanted = {"openId": f"of-43-{number}", "appId": f"app-{number}"}
        await asyncio.gather(*(agent.update(43, **{name: value}) for name, value in wanted.items()))
        [row] = await agent.rows(cId=43)
        assert {name: row[name] for name in wanted} == wanted


async def test_adding_and_removing_at_once_ends_in_what_was_told_last(agent: Agent, settings: Settings) -> None:
    calls = [agent.add(42, f"o-{number}") for number in range(10)] + [agent.delete(42) for _ in range(10)]
    answers = [answer.whole for answer in await asyncio.gather(*calls)]

    facts = {payload["seq"]: kind for _, kind, payload in await told(settings.kafka, 42)}
    assert [facts[seq] for seq in sorted(facts)] == [
        "contact.bound" if seq % 2 else "contact.unbound" for seq in sorted(facts)
    ]
    assert answers.count(TRUE) == len(facts)
    assert len(await agent.rows(cId=42)) == len(facts) % 2


# ---- when something is away -----------------------------------------------------------------------------------------


async def test_a_change_that_could_not_be_told_is_told_when_the_call_is_repeated(
    agent: Agent, settings: Settings
) -> None:
    kafka = {"bootstrap": f"{LOOPBACK}:{free_port()}", "publish_timeout_seconds": 0.2}
    cut_off = settings.model_copy(update={"kafka": settings.kafka.model_copy(update=kafka)})
    calls: list[tuple[Callable[[Agent], Awaitable[Answered]], Any]] = [
        (lambda agent: agent.add(50, "o-of-50"), ALREADY_BOUND),
        (lambda agent: agent.update(50, openId="o-50"), TRUE),
        (lambda agent: agent.delete(50), FALSE),
    ]
    async with unready(cut_off) as http:
        for done, (call, repeated) in enumerate(calls, start=1):
            judge_refusal(answer := await call(Agent(http)), 503)
            assert answer.headers["Retry-After"] == "1"
            assert (await call(agent)).whole == repeated
            assert len(await told(settings.kafka, 50)) == done
    assert [name for name, *_ in await told(settings.kafka, 50)] == [f"50/wechat/{seq}" for seq in (1, 2, 3)]


async def test_while_the_store_is_away_nothing_is_answered_as_done(settings: Settings) -> None:
    away = MongoSettings.model_validate({"uri": f"mongodb://{LOOPBACK}:{free_port()}/", "timeout_seconds": 0.2})
    async with unready(settings.model_copy(update={"mongo": away})) as http:
        agent = Agent(http)
        for answer in (
            await agent.add(51, "x"),
            await agent.get(cId=51),
            await agent.update(51),
            await agent.delete(51),
        ):
            judge_refusal(answer, 503)


# ---- contacts -------------------------------------------------------------------------------------------------------


async def test_a_contact_is_bound_once_it_is_known_and_answered_as_last_told(agent: Agent, settings: Settings) -> None:
    assert (await agent.add(100, "o-of-100")).whole == USER_ERROR
    state = {"agent_id": "7", "account": "acc", "remark": "vip", "template_id": "12"}
    await synced(settings, "100", **state)
    assert (await agent.add(100, "o-of-100")).whole == TRUE
    row = {"aId": "7", "cId": "100", "account": "acc", "remark": "vip", "templateId": "12"}
    bound = {"openId": "o-of-100", "appId": "", "account_source": "wechat"}
    assert await agent.rows(cId=100) == [{**row, **bound}]

    await synced(settings, "100", **{**state, "remark": "gone"})
    assert await agent.rows(openId="o-of-100") == [{**row, "remark": "gone", **bound}]


async def test_a_removed_contact_is_missing_and_its_account_is_free(agent: Agent, settings: Settings) -> None:
    await synced(settings, "101", "102")
    await agent.add(101, "freed")
    await agent.add(101, "freed", "open")
    await synced(settings, "101", removed=True)

    assert (await agent.get(cId=101)).whole == USER_ERROR
    assert (await agent.get(openId="freed")).whole == NONE
    for answer in (await agent.add(101, "other", "dingding"), await agent.update(101, openId="other")):
        assert answer.whole == USER_ERROR
    assert (await agent.add(102, "freed")).whole == TRUE
    assert (await agent.add(102, "own", "open")).whole == TRUE
    assert (await agent.update(102, "open", openId="freed")).whole == TRUE
    assert [kind for _, kind, _ in await told(settings.kafka, 101)] == [
        *["contact.bound"] * 2,
        *["contact.unbound"] * 2,
    ]
    assert (await agent.delete(101)).whole == USER_ERROR


async def test_a_binding_of_a_removed_contact_can_be_deleted_and_comes_back_with_it(
    agent: Agent, settings: Settings
) -> None:
    await synced(settings, "103")
    await agent.add(103, "o-of-103")
    await agent.add(103, "o-of-103", "open")
    await synced(settings, "103", removed=True)
    assert (await agent.delete(103)).whole == TRUE
    await synced(settings, "103")
    assert (await agent.get(cId=103)).whole == NONE
    assert [row["openId"] for row in await agent.rows("open", cId=103)] == ["o-of-103"]


async def test_an_older_word_about_a_contact_changes_nothing(agent: Agent, settings: Settings) -> None:
    await synced(settings, "104", remark="new")
    old = an_event("contact.synced", "104", {"contact_id": "104", "removed": True})
    await publish(settings, msgspec.structs.replace(old, time=old.time.replace(year=2020)))
    # By the same key, so in the same partition: once it is folded, so is the old one.
    await publish(settings, an_event("contact.synced", "104", {"contact_id": "105"}))
    await known_so(settings, "105")
    await agent.add(104, "o-of-104")
    assert [row["remark"] for row in await agent.rows(cId=104)] == ["new"]


async def test_pushes_reach_contacts_by_what_they_are_bound_to(agent: Agent, settings: Settings) -> None:
    await synced(settings, "107", "108", "109")
    await agent.add(107, "o-of-107", appId="a")
    await agent.add(107, "d-of-107", "dingding")
    await agent.add(108, "o-of-108")
    await agent.add(109, "o-of-109")
    await agent.delete(108)
    await synced(settings, "109", removed=True)

    async with open_database(settings.mongo) as database:
        found = await bindings_of(database, ["107", "108", "109", "110"])
    assert found == {
        "107": [
            ContactBinding(contact="107", account_source="dingding", open_id="d-of-107"),
            ContactBinding(contact="107", account_source="wechat", open_id="o-of-107", app_id="a"),
        ],
        "108": [],
        "109": [],
        "110": [],
    }


async def test_contacts_are_told_of_at_events_and_facts_about_bindings_are_not(
    agent: Agent, settings: Settings
) -> None:
    async def post(event: Event) -> int:
        headers = {f"ce-{name}": getattr(event, name) for name in ("id", "source", "type", "subject")}
        headers |= {"ce-specversion": "1.0", "Authorization": "Bearer events-token", "Content-Type": "application/json"}
        async with agent.http.post("/events", data=event.data, headers=headers) as answer:
            return answer.status

    assert await post(an_event("contact.synced", "120", {"contact_id": "120", "remark": "by HTTP"})) == 202
    assert await post(an_event("contact.synced", "0120", {"contact_id": "0120"})) == 400
    fact = {"contact_id": "120", "account_source": "open", "agent": "a", "seq": 1}
    assert await post(an_event("contact.unbound", "120", fact)) == 400
    await synced(settings, "120")
    assert (await agent.add(120, "o-of-120")).whole == TRUE
