"""All operations of the Telegram binding contract: answers and refusals as it says."""

from collections.abc import AsyncIterator
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
import yaml
from chat_api import folding
from chat_contract import formats
from jsonschema import Draft202012Validator
from raw_http import exchange, post
from tg_api import BOT, COMPANY, SECRET, SERVICE, Customer, Telegram, serving, with_telegram

from config.settings import Settings
from gateway.tg_envelope import REFUSALS

BODIES: dict[str, Any] = {
    "createTgQrCode": {},
    "unbindTg": {"chatId": "42"},
    "queryTgBindList": {},
    "queryTgBindListByPage": {"size": 10, "current": 1},
}


@cache
def contract() -> dict[str, Any]:
    """As it is, but that no field may be there which it does not name."""
    text = files("schemas").joinpath("contracts", "tg-binding.yaml").read_text(encoding="utf-8")
    strict = deepcopy(yaml.safe_load(text))
    for name in ("TgAccount", "PageOfTgAccount"):
        strict["components"]["schemas"][name]["additionalProperties"] = False
    return strict


def operations() -> dict[str, str]:
    """operationId to the method's name."""
    return {item["post"]["operationId"]: path.removeprefix(SERVICE) for path, item in contract()["paths"].items()}


def judge_answer(operation_id: str, answer: dict[str, Any]) -> None:
    path = (SERVICE + operations()[operation_id]).replace("/", "~1")
    _judge(f"#/paths/{path}/post/responses/200/content/application~1json/schema", answer)
    assert (answer["code"], answer["ok"], answer["fail"]) == ("0", True, False)


def judge_refusal(answer: dict[str, Any]) -> None:
    _judge("#/components/schemas/BizResult", answer)
    assert (answer["ok"], answer["fail"], answer["data"]) == (False, True, None)
    assert answer["code"] != "0"
    assert answer["msg"]


def _judge(pointer: str, answer: dict[str, Any]) -> None:
    schema = {**contract(), "$ref": pointer, "unevaluatedProperties": False}
    Draft202012Validator(schema, format_checker=formats).validate(answer)
    assert answer.keys() == contract()["components"]["schemas"]["BizResult"]["properties"].keys()


@pytest.fixture(scope="module")
async def settings(shared_settings: Settings) -> Settings:
    return with_telegram(shared_settings, "wang", "li", "nobody")


@pytest.fixture(scope="module")
async def wang(settings: Settings) -> AsyncIterator[Customer]:
    """A customer with three chats, of whom the last has no last name."""
    async with serving(settings) as http, folding(settings):
        wang, telegram = Customer(http, "wang"), Telegram(http)
        for chat, names in ((41, {"last_name": "Li"}), (42, {"last_name": "Li"}), (43, {})):
            await telegram.says(chat, f"/start {await wang.token()}", **names)
        await wang.has(41, 42, 43)
        yield wang


async def test_every_operation_answers_as_the_contract_says(wang: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    answers = {}
    for operation_id, method in operations().items():
        answer = await wang.send(method, BODIES[operation_id])
        assert answer.status == 200, operation_id
        judge_answer(operation_id, answer.whole)
        answers[operation_id] = answer.data
    with capsys.disabled():
        print(f"\ntg-binding contract: {len(answers)} of {len(operations())} operations answered as it says")  # noqa: T201

    assert answers["createTgQrCode"].startswith(f"https://t.me/{BOT}?start=")
    assert answers["unbindTg"] is True
    rows = [
        {"chatId": "41", "firstName": "Lei", "lastName": "Li"},
        {"chatId": "43", "firstName": "Lei"},
    ]
    assert answers["queryTgBindList"] == rows
    assert answers["queryTgBindListByPage"] == {"total": 2, "size": 10, "current": 1, "records": rows}


async def test_the_bodies_that_the_contract_calls_optional_may_be_left_out(wang: Customer) -> None:
    for path, item in contract()["paths"].items():
        answer = await wang.send(path.removeprefix(SERVICE), None)
        operation_id = item["post"]["operationId"]
        if item["post"]["requestBody"]["required"]:
            judge_refusal(answer.whole)
            assert (answer.status, answer.whole["code"]) == (400, "4001")
        else:
            judge_answer(operation_id, answer.whole)
    page = (await wang.send("queryCustomerTgBindListByPage")).data
    assert (page["size"], page["current"]) == (20, 1)


async def test_without_a_body_no_content_type_is_needed(wang: Customer) -> None:
    url = f"{SERVICE}queryCustomerTgBindList"
    async with wang.http.post(url, headers=wang.headers, skip_auto_headers=["Content-Type"]) as answer:
        judge_answer("queryTgBindList", await answer.json())


async def test_every_operation_refuses_who_is_not_logged_in_or_speaks_for_another_company(wang: Customer) -> None:
    for operation_id, method in operations().items():
        for headers, status, code in (
            ({"Authorization": "Bearer token-of-somebody"}, 401, "4010"),
            ({"Authorization": "Bearer "}, 401, "4010"),
            ({"Authorization": "Basic token-of-wang"}, 401, "4010"),
            ({"companyId": "6"}, 403, "4030"),
        ):
            answer = await wang.send(method, BODIES[operation_id], **headers)

            judge_refusal(answer.whole)
            assert (answer.status, answer.whole["code"]) == (status, code), (operation_id, headers)
        assert (await wang.send(method, BODIES[operation_id], companyId=COMPANY, version="0.0.1")).status == 200


@pytest.mark.parametrize(
    ("operation", "body", "field"),
    [
        ("unbindTg", {}, "chatId"),
        ("unbindTg", {"chatId": 42}, "chatId"),
        ("unbindTg", {"chatId": ""}, "chatId"),
        ("unbindTg", {"chatId": "a\0"}, "chatId"),
        ("queryCustomerTgBindListByPage", {"size": 0}, "size"),
        ("queryCustomerTgBindListByPage", {"size": 501}, "size"),
        ("queryCustomerTgBindListByPage", {"size": "20"}, "size"),
        ("queryCustomerTgBindListByPage", {"current": 0}, "current"),
        ("queryCustomerTgBindListByPage", {"current": 2**31}, "current"),
        ("queryCustomerTgBindListByPage", {"current": 1.5}, "current"),
    ],
)
async def test_a_wrong_field_is_named_in_the_text_and_its_parameters(
    wang: Customer, operation: str, body: dict[str, Any], field: str
) -> None:
    answer = await wang.send(operation, body, lang="zh-CN")

    judge_refusal(answer.whole)
    assert (answer.status, answer.whole["code"]) == (400, "4001")
    assert field in answer.whole["msgParams"]
    assert answer.whole["msg"] == REFUSALS["bad_field"].zh.replace("{0}", answer.whole["msgParams"])


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b"\xff"])
async def test_a_body_that_is_no_object_is_refused_in_the_envelope(wang: Customer, body: bytes) -> None:
    headers = wang.headers | {"Content-Type": "application/json"}
    for method in operations().values():
        async with wang.http.post(SERVICE + method, data=body, headers=headers) as answer:
            whole = await answer.json()
        judge_refusal(whole)
        assert (answer.status, whole["code"]) == (400, "4000")


async def test_unknown_paths_and_other_methods_are_refused_in_the_envelope(wang: Customer) -> None:
    unknown = await wang.send("bindEverything", {}, lang="zh")
    judge_refusal(unknown.whole)
    assert (unknown.status, unknown.whole["code"], unknown.whole["msg"]) == (404, "4040", REFUSALS["not_found"].zh)
    async with wang.http.get(f"{SERVICE}unbindTg", headers={"trace": "t-1"}) as answer:
        whole = await answer.json()
    judge_refusal(whole)
    assert (answer.status, whole["code"], whole["trace"]) == (405, "4050", "t-1")


async def test_a_page_is_part_of_the_list_and_counts_the_whole(wang: Customer) -> None:
    whole = (await wang.send("queryCustomerTgBindList")).data
    pages = [(await wang.send("queryCustomerTgBindListByPage", {"size": 1, "current": n})).data for n in (1, 2, 3)]

    assert [page["records"] for page in pages] == [*([row] for row in whole), []]
    assert {(page["total"], page["size"]) for page in pages} == {(len(whole), 1)}
    far = {"size": 500, "current": 2**31 - 1}
    assert (await wang.send("queryCustomerTgBindListByPage", far)).data["records"] == []


@pytest.mark.parametrize(
    ("lang", "language"),
    [
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh_CN", "zh"),
        ("ZH-Hans", "zh"),
        ("en", "en"),
        ("en-US", "en"),
        ("fr", "en"),
        ("", "en"),
    ],
)
async def test_the_text_is_in_the_language_asked_for_or_english(wang: Customer, lang: str, language: str) -> None:
    done = await wang.send("queryCustomerTgBindList", lang=lang)
    refused = await wang.send("queryCustomerTgBindList", lang=lang, Authorization="")

    assert done.whole["msg"] == {"en": "ok", "zh": "成功"}[language]
    assert refused.whole["msg"] == getattr(REFUSALS["unauthenticated"], language)


async def test_the_callers_trace_is_answered_back_or_else_ours(wang: Customer) -> None:
    traced = await wang.send("queryCustomerTgBindList", trace="their trace/7")
    refused = await wang.send("queryCustomerTgBindList", trace="their trace/8", companyId="6")
    untraced = await wang.send("queryCustomerTgBindList")

    assert (traced.whole["trace"], refused.whole["trace"]) == ("their trace/7", "their trace/8")
    assert untraced.whole["trace"] == untraced.headers["X-Trace-Id"]


async def test_headers_that_are_no_text_do_no_harm(wang: Customer) -> None:
    gateway, path = str(wang.http._base_url), f"{SERVICE}queryCustomerTgBindList"

    answer = await exchange(gateway, post(path, b"{}", wang.headers | {"trace": "a\udcffb", "lang": "zh\udcff"}))
    assert (answer.status, answer.json["trace"], answer.json["msg"]) == (200, "a\ufffdb", "ok")
    for headers, status in (({"companyId": "5\udcff"}, 403), ({"Authorization": "Bearer \udcff"}, 401)):
        answer = await exchange(gateway, post(path, b"{}", wang.headers | headers))
        judge_refusal(answer.json)
        assert answer.status == status
    secret = {"X-Telegram-Bot-Api-Secret-Token": "\udcff"}
    assert (await exchange(gateway, post("/callbacks/telegram", b"{}", secret))).status == 401


async def test_without_the_settings_the_calls_say_which_one_is_missing(shared_settings: Settings) -> None:
    without = with_telegram(shared_settings, "wang").model_copy(update={"telegram": shared_settings.telegram})
    async with serving(without) as http:
        answer = await Customer(http, "wang").send("createTgQrCode", {}, lang="zh")
        judge_refusal(answer.whole)
        assert (answer.status, answer.whole["code"]) == (501, "5010")
        assert "FANFOLD_TELEGRAM__BOT_NAME" in answer.whole["msgParams"]
        telegram = Telegram(http)
        assert await telegram.post(telegram.message(1, "/start"), secret="") == 501
    async with serving(shared_settings) as http:
        answer = await Customer(http, "wang").send("queryCustomerTgBindList")
        assert (answer.status, answer.whole["code"]) == (501, "5010")
        assert "FANFOLD_TG_BINDING__TOKENS" in answer.whole["msg"]


async def test_telegrams_calls_are_known_by_the_secret(wang: Customer) -> None:
    telegram = Telegram(wang.http, first=10_000)
    for secret in (None, "", "no", SECRET + "x"):
        assert await telegram.post(telegram.message(77, "/stop"), secret) == 401
    assert await telegram.post(telegram.message(77, "/stop")) == 200
