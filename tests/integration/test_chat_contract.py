"""All operations of the chat contract, on a gateway and a folder at work: answers and refusals as it says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import jwt
import pytest
from chat_api import Answered, ChatApi, an_event, eventually, folding, in_time, publish
from chat_contract import contract, judge_answer, judge_refusal, operations

from config.settings import Settings

SIGNED = {
    "loginCallBack": {"userId": "u9", "onOffline": 0, "loginType": 2**40, "requestId": "r1"},
    "syncUserInfo": {"userId": "u9", "status": 1, "channel": "wechat", "taskTrigger": True},
    "detectionNotice": {
        "type": "1",
        "code": "T1",
        "receiveUserId": "boss",
        "receiveEmail": "boss@example.org",
        "params": {"any": {"thing": [1, 2.5, None]}},
        "recordList": [{"jid": 2**50, "userId": "u9", "checkStatus": "1", "inspectionStatus": "1"}],
        "details": ["a"],
    },
    "qryTransferCount": {"userId": "u1"},
    "findUserByPhone": {"phone": "13800000000"},
    "findCustomerByName": {"name": "Wang", "avatar": "https://example.org/w.png"},
    "reofferKeyword": {},
}
PLAIN: dict[str, Any] = {
    "getUsers": {"pageSize": 10, "unlockStatus": 2},
    "getSonUsers": None,
    "getSonUsersByClass": None,
    "bindSubAccounts": {"mainUserId": "main", "sonUsers": [{"id": 1, "userId": "u8", "status": 0}]},
    "getPanel": None,
    "updateUser": {"userId": "u1", "saleNo": "S1", "administrators": "S2", "status": 1},
    "deleteUser": {"userId": "u7"},
    "importUser": {"userId": "u7", "shortName": "seven", "createBy": "boss"},
    "goOnline": {"userId": "u5", "loginType": "qrcode", "automaticLogon": True},
    "goOffline": {"userId": "u5"},
    "getLoginLog": {"userIds": ["u1"]},
    "getQrCode": {"userId": "u1"},
    "getLoginStatus": {"userId": "u1"},
    "loginCode": {"userId": "u1", "code": "123456", "requestId": "r1", "qrCodeKey": "k"},
    "getSocketUrl": None,
    "getChatToken": None,
    "getChatSeat": {"externalUserId": "ext-1"},
    "userInfo": {"chatUserId": "chat-1"},
    "syncLinker": {"chatUserId": "chat-1", "linkType": "1"},
}
Call = Callable[[str], Awaitable[Answered]]


@pytest.fixture
async def chat(gateway: str, settings: Settings) -> AsyncIterator[ChatApi]:
    """The API with something to answer in every operation."""
    async with folding(settings), aiohttp.ClientSession(gateway) as http:
        chat = ChatApi(http)
        await given_facts(chat, settings)
        yield chat


async def given_facts(chat: ChatApi, settings: Settings) -> None:
    profile = {
        "user_id": "u1",
        "chat_user_id": "chat-1",
        "project_id": 3,
        "alias": "one",
        "gender": 1,
        "department": "sales",
        "main_department": 5,
        "is_leader_in_dept": "1",
        "thumb_avatar": "https://example.org/t.png",
        "open_userid": "open",
        "role_ids": [1, 2],
        "classify_id": 2**40,
        "supports_automatic_login": True,
    }
    await publish(
        settings,
        an_event("account.profiled", "u1", profile),
        an_event("seat.synced", "seat-1", {"user_id": "seat-1", "name": "Li", "phone": "13800000000", "online": True}),
        an_event("seat.assigned", "cust-1", {"customer_id": "cust-1", "user_id": "seat-1", "chatting": True}),
        an_event(
            "customer.synced",
            "cust-1",
            {
                "customer_id": "cust-1",
                "external_user_id": "ext-1",
                "name": "Wang",
                "avatar": "https://example.org/w.png",
            },
        ),
        an_event("transfer.changed", "t1", {"transfer_id": "t1", "user_id": "u1", "state": "started"}),
        an_event("keyword.synced", "refund", {"keyword": "refund"}),
        an_event("affiliation.named", "A", {"ascription": "A", "name": "North"}),
    )
    login = {
        "corpId": "c1",
        "corpName": "Corp",
        "email": "one@example.org",
        "headUrl": "https://example.org/1.png",
        "loginType": 1,
        "mobile": "13900000000",
        "name": "One",
        "qrCode": "qr",
        "realName": "Real",
        "seatNo": "S9",
        "userName": "one",
    }
    await chat.login("u1", **login)
    await chat.tell("syncUserInfo", {"userId": "u1", "status": 2, "unlockTime": in_time(days=1)})
    binding = {"mainUserId": "main", "userId": "u1", "shortName": "uno", "ascription": "A", "accountAttribute": 4}
    await chat.ask("binding", {**binding, "minSecond": 1, "maxSecond": 2, "upperLimit": 3})

    async def folded() -> bool:
        user = await chat.user("u1")
        seats = (await chat.ask("getChatSeat", {"customerId": "cust-1"})).data
        found = [(await chat.tell(path, SIGNED[name])).data for name, path in LOOKUPS.items()]
        return bool(
            user and {"email", "alias", "unlockTime"} <= user.keys() and seats and "name" in seats[0] and all(found)
        )

    await eventually(folded)


LOOKUPS = {
    "qryTransferCount": "qryTransferCount",
    "findUserByPhone": "findUserByPhone",
    "findCustomerByName": "findCustomerByName",
    "reofferKeyword": "reoffer/keyword",
}


def relative(operation_id: str) -> str:
    return operations()[operation_id].removeprefix("/message/chat/")


async def call(chat: ChatApi, operation_id: str, **query: str) -> Answered:
    if operation_id in SIGNED:
        return await chat.tell(relative(operation_id), SIGNED[operation_id])
    return await chat.ask(relative(operation_id), PLAIN[operation_id], **query)


async def test_every_operation_answers_as_the_contract_says(chat: ChatApi, capsys: pytest.CaptureFixture[str]) -> None:
    answers = {}
    for operation_id in operations():
        answer = await call(chat, operation_id)
        assert (answer.status, answer.code, answer.msg) == (200, 0, "ok"), (operation_id, answer)
        judge_answer(operation_id, answer.whole)
        answers[operation_id] = answer.data
    with capsys.disabled():
        print(f"\nchat contract: {len(answers)} of {len(operations())} operations answered as it says")  # noqa: T201

    [user] = answers["getUsers"]["list"]
    assert user.keys() == EVERY_FIELD
    assert answers["getSonUsersByClass"]["list"][0]["userId"] == "u1"
    assert answers["findUserByPhone"] == "seat-1"
    assert answers["findCustomerByName"] == "cust-1"
    assert answers["getChatSeat"] == [{"userId": "seat-1", "name": "Li"}]
    assert answers["qryTransferCount"] == {"transferCount": 1}
    assert answers["reofferKeyword"] == ["refund"]
    assert answers["userInfo"] == {"userName": "u1", "chatUserId": "chat-1", "autoLogin": False}
    assert answers["getLoginLog"]["total"] == 1


# What a row can say; the others of the contract (id, accessToken, userIds, paging) have no meaning in it.
EVERY_FIELD = (
    contract()["components"]["schemas"]["WeComUser"]["properties"].keys()
    - {"id", "accessToken", "userIds", "pageSize", "pageNo", "creator", "saleNo", "administrators", "automaticLogon"}
) | {"saleNo"}


async def test_every_operation_refuses_a_caller_without_token_or_signature(chat: ChatApi) -> None:
    for operation_id in operations():
        answer = await chat.send(relative(operation_id), SIGNED.get(operation_id) or PLAIN.get(operation_id))

        judge_refusal(answer.whole)
        assert answer.status == 401, operation_id


async def test_every_operation_with_a_body_names_the_field_that_is_wrong(chat: ChatApi) -> None:
    wrong = {operation_id: next(iter(body)) for operation_id, body in (SIGNED | PLAIN).items() if body}
    for operation_id, field in wrong.items():
        body = {**(SIGNED | PLAIN)[operation_id], field: [["no such type"]]}
        if operation_id in SIGNED:
            answer = await chat.tell(relative(operation_id), body)
        else:
            answer = await chat.ask(relative(operation_id), body)

        judge_refusal(answer.whole)
        assert (answer.status, answer.code) == (400, 4001), operation_id
        assert field in answer.msg


async def test_every_operation_takes_only_post(chat: ChatApi) -> None:
    for path in contract()["paths"]:
        async with chat.http.get(path) as answer:
            whole = await answer.json()
            judge_refusal(whole)
            assert (answer.status, whole["code"]) == (405, 4050)


async def test_the_52_caller_parameters_are_taken_and_do_no_harm(chat: ChatApi) -> None:
    caller = {parameter["name"]: "1" for parameter in contract()["components"]["parameters"].values()}
    assert len(caller) == 52
    for operation_id in operations():
        if contract()["paths"][operations()[operation_id]]["post"].get("parameters"):
            answer = await call(chat, operation_id, **(caller | {"accessToken": "chat-token"}))

            assert answer.code == 0, operation_id
            judge_answer(operation_id, answer.whole)


async def test_tokens_are_json_web_tokens_for_their_audience(chat: ChatApi, settings: Settings) -> None:
    assert settings.chat.token_key is not None
    key = settings.chat.token_key.get_secret_value()

    socket = (await chat.ask("getSocketUrl", userid="seat-1")).data
    claims = jwt.decode(socket["token"], key, algorithms=["HS256"], audience="socket")
    assert (claims["sub"], claims["iss"]) == ("seat-1", "fanfold")
    assert claims["exp"] - claims["iat"] == socket["expiresIn"] == settings.chat.token_seconds
    assert socket["url"] == settings.chat.socket_url

    token = (await chat.ask("getChatToken")).data["token"]
    assert "sub" not in jwt.decode(token, key, algorithms=["HS256"], audience="chat")
