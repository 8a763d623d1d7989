"""Callbacks to an app: asked before, told after, as the IM server does it."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from callback_receiver import OK, Received, Receiver, judge, receiving
from callbacks_api import TOKEN
from chat_api import eventually, folding
from im_api import APP, IM, OTHER_APP, OTHER_KEY, ImApi, a_user, serving_im, with_im
from pushing import dispatching, push_settings

from config.settings import Settings
from handlers.im.conversations import MESSAGES
from schemas.im.callbacks import AFTER_SEND, BEFORE_SEND, FRIEND_ADD, FRIEND_DELETE, PORTRAIT_SET
from schemas.im.message import message_id_of, parse_key
from stores.mongo import Database, open_database

COMMANDS = [
    BEFORE_SEND,
    AFTER_SEND,
    "C2C.CallbackAfterMsgReport",
    "C2C.CallbackAfterMsgWithDraw",
    PORTRAIT_SET,
    FRIEND_ADD,
    FRIEND_DELETE,
]


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
async def http(shared_settings: Settings, receiver: Receiver) -> AsyncIterator[aiohttp.ClientSession]:
    """A gateway, a folder and a dispatcher."""
    out = {"url": receiver.url, "commands": COMMANDS, "token": TOKEN}
    apps = {APP: {**IM["apps"][APP], "callbacks_out": out}, OTHER_APP: IM["apps"][OTHER_APP]}
    settings = push_settings(with_im(shared_settings, apps=apps))
    async with serving_im(settings) as http, folding(settings), dispatching(settings):
        yield http


@pytest.fixture(scope="module")
async def store(shared_settings: Settings, http: aiohttp.ClientSession) -> AsyncIterator[Database]:
    async with open_database(shared_settings.mongo) as database:
        yield database


@pytest.fixture
def im(http: aiohttp.ClientSession) -> ImApi:
    return ImApi(http)


@pytest.fixture(autouse=True)
def well_meaning(receiver: Receiver) -> None:
    """Whatever a test before had it answer."""
    receiver.answers.clear()


async def test_the_app_is_told_what_became_of_a_profile(im: ImApi, receiver: Receiver) -> None:
    await im.imported(user := a_user())
    items = [{"Tag": "Tag_Profile_IM_Nick", "Value": 'Li "Lei" 李雷'}]

    await im.ok("profile/portrait_set", {"From_Account": user, "ProfileItem": items})

    told = await receiver.one(PORTRAIT_SET, From_Account=user)
    judge(told)
    assert (told.body["Operator_Account"], told.body["ProfileItem"]) == ("administrator", items)


async def test_what_failed_is_not_told_and_other_apps_are_not_told_at_all(
    im: ImApi, http: aiohttp.ClientSession, receiver: Receiver
) -> None:
    other = ImApi(http, OTHER_APP, OTHER_KEY)
    await im.imported(user := a_user(), last := a_user())
    await other.imported(user)
    items = [{"Tag": "Tag_Profile_IM_Nick", "Value": "n"}]

    assert (await im.ask("profile/portrait_set", {"From_Account": a_user("nobody"), "ProfileItem": items})).code
    await other.ok("profile/portrait_set", {"From_Account": user, "ProfileItem": items})
    await im.ok("profile/portrait_set", {"From_Account": last, "ProfileItem": items})

    await receiver.one(PORTRAIT_SET, From_Account=last)
    assert not receiver.of(PORTRAIT_SET, From_Account=user)


async def test_what_the_app_does_not_take_is_sent_again_and_nothing_overtakes_it(im: ImApi, receiver: Receiver) -> None:
    await im.imported(user := a_user())
    refusals = iter([503, 500])

    def answer(received: Received) -> Any:
        return web.Response(status=status) if (status := next(refusals, None)) else OK

    receiver.answers[PORTRAIT_SET] = answer
    for number in range(3):
        items = [{"Tag": "Tag_Profile_IM_Level", "Value": number}]
        await im.ok("profile/portrait_set", {"From_Account": user, "ProfileItem": items})

    def levels() -> list[int]:
        return [each.body["ProfileItem"][0]["Value"] for each in receiver.of(PORTRAIT_SET, From_Account=user)]

    async def all_there() -> bool:
        return len(levels()) == 5

    await eventually(all_there)
    assert levels() == [0, 0, 0, 1, 2]


async def test_friends_are_told_a_pair_for_each_direction(im: ImApi, receiver: Receiver) -> None:
    await im.imported(user := a_user("a/b%"), friend := a_user())
    item = {"To_Account": friend, "AddSource": "AddSource_Type_Test"}

    await im.ok("sns/friend_add", {"From_Account": user, "AddFriendItem": [item]})
    await im.ok("sns/friend_delete", {"From_Account": user, "To_Account": [friend], "DeleteType": "Delete_Type_Both"})

    async def of_both(command: str) -> Received:
        async def found() -> Received | None:
            for each in receiver.of(command):
                if {pair["To_Account"] for pair in each.body["PairList"]} == {user, friend}:
                    return each
            return None

        return await eventually(found)

    added = await of_both(FRIEND_ADD)
    judge(added)
    assert sorted((pair["From_Account"], pair["Initiator_Account"]) for pair in added.body["PairList"]) == sorted(
        [(user, user), (friend, user)]
    )
    judge(deleted := await of_both(FRIEND_DELETE))
    assert receiver.received.index(added) < receiver.received.index(deleted)


def key_id(sender: str, receiver: str, key: str) -> str:
    """`_id` of a message's document."""
    parsed = parse_key(key)
    assert parsed is not None
    return message_id_of(APP, sender, receiver, parsed)


def a_text(text: str) -> list[dict[str, Any]]:
    return [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]


async def test_a_message_is_asked_about_and_then_told(im: ImApi, receiver: Receiver) -> None:
    await im.imported(bob := a_user(), al := a_user())
    sent = await im.ok(
        "openim/sendmsg", {"From_Account": bob, "To_Account": al, "MsgRandom": 1, "MsgBody": a_text("a")}
    )
    key = sent["MsgKey"]
    told = await receiver.one(AFTER_SEND, MsgKey=key)
    judge(told)
    judge(asked := await receiver.one(BEFORE_SEND, MsgKey=key))
    assert (told.body["UnreadMsgNum"], asked.body["MsgBody"]) == (1, told.body["MsgBody"])


async def test_what_is_read_and_what_is_recalled_is_told(im: ImApi, receiver: Receiver) -> None:
    await im.imported(bob := a_user(), al := a_user())
    body = {"From_Account": bob, "To_Account": al, "MsgSeq": 1, "MsgRandom": 1, "MsgBody": a_text("a")}
    key = (await im.ok("openim/sendmsg", body))["MsgKey"]
    sent_at = int(key.rpartition("_")[2])
    for ago in (100, 50):
        live = {"SyncFromOldSystem": 5, "MsgTimeStamp": sent_at - ago}
        await im.ok("openim/importmsg", body | live)

    async def counted(number: int) -> None:
        async def so_many() -> bool:
            answer = await im.ok("openim/get_c2c_unread_msg_num", {"To_Account": al})
            return bool(answer["AllC2CUnreadMsgNum"] == number)

        await eventually(so_many)

    async def left(command: str, **fields: Any) -> int:
        judge(told := await receiver.one(command, **fields))
        return int(told.body["UnreadMsgNum"])

    await counted(3)
    reading = {"Report_Account": al, "Peer_Account": bob}
    await im.ok("openim/admin_set_msg_read", {**reading, "MsgReadTime": sent_at - 60})
    assert await left("C2C.CallbackAfterMsgReport", Report_Account=al, LastReadTime=sent_at - 60) == 2
    await counted(2)
    # Of a time before that nothing more is read; what is read already does not count in a recall.
    await im.ok("openim/admin_set_msg_read", {**reading, "MsgReadTime": sent_at - 200})
    assert await left("C2C.CallbackAfterMsgReport", Report_Account=al, LastReadTime=sent_at - 200) == 2

    for recalled, unread in ((f"1_1_{sent_at - 100}", 2), (key, 1)):
        await im.ok("openim/admin_msgwithdraw", {"From_Account": bob, "To_Account": al, "MsgKey": recalled})
        assert await left("C2C.CallbackAfterMsgWithDraw", MsgKey=recalled, To_Account=al) == unread


async def test_a_message_that_the_app_changed_is_the_one_that_is_stored(
    im: ImApi, receiver: Receiver, store: Database
) -> None:
    await im.imported(bob := a_user(), al := a_user())
    receiver.answers[BEFORE_SEND] = lambda _: {**OK, "MsgBody": a_text("flowers"), "CloudCustomData": "new"}

    body = {"From_Account": bob, "To_Account": al, "MsgRandom": 1, "MsgBody": a_text("packet")}
    key = (await im.ok("openim/sendmsg", body))["MsgKey"]

    told = await receiver.one(AFTER_SEND, MsgKey=key)
    assert (told.body["MsgBody"], told.body["CloudCustomData"]) == (a_text("flowers"), "new")

    message = await eventually(lambda: store[MESSAGES].find_one({"_id": key_id(bob, al, key)}))
    assert (message["body"], message["custom_data"]) == (a_text("flowers"), "new")


async def test_what_the_app_denies_is_nowhere_and_what_it_drops_looks_sent(im: ImApi, receiver: Receiver) -> None:
    await im.imported(bob := a_user(), al := a_user())
    body = {"From_Account": bob, "To_Account": al, "MsgRandom": 1, "MsgBody": a_text("packet")}

    receiver.answers[BEFORE_SEND] = lambda _: {**OK, "ErrorCode": 120001, "ErrorInfo": "not here"}
    denied = await im.ask("openim/sendmsg", body)
    receiver.answers[BEFORE_SEND] = lambda _: {**OK, "ErrorCode": 2}
    await im.ok("openim/sendmsg", body)
    receiver.answers.clear()
    last = (await im.ok("openim/sendmsg", {**body, "MsgRandom": 2}))["MsgKey"]

    assert (denied.code, denied.info) == (120001, "not here")
    await receiver.one(AFTER_SEND, MsgKey=last)
    assert len(receiver.of(AFTER_SEND, To_Account=al)) == 1

    async def counted() -> int:
        return (await im.ok("openim/get_c2c_unread_msg_num", {"To_Account": al}))["AllC2CUnreadMsgNum"]

    assert await eventually(counted) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"To_Account": "nobody"}, 90012),
        ({"From_Account": "nobody"}, 90048),
        ({"MsgLifeTime": 604_801}, 90026),
        ({"MsgBody": [{"MsgType": "TIMNoElem", "MsgContent": {}}]}, 90002),
        ({"OfflinePushInfo": {"PushFlag": 0, "Ext": "x" * 13_000}}, 93000),
    ],
)
async def test_what_cannot_be_sent_the_app_is_not_asked_about(
    im: ImApi, receiver: Receiver, fields: dict[str, Any], code: int
) -> None:
    await im.imported(bob := a_user(), al := a_user())
    receiver.answers[BEFORE_SEND] = lambda _: {**OK, "ErrorCode": 2}  # it would look sent
    body = {"From_Account": bob, "To_Account": al, "MsgRandom": 1, "MsgBody": a_text("x"), **fields}

    assert (await im.ask("openim/sendmsg", body)).code == code
    assert not [*receiver.of(BEFORE_SEND, From_Account=bob), *receiver.of(BEFORE_SEND, To_Account=al)]


async def test_what_the_app_has_made_no_message_of_is_told_as_failed_to_both(im: ImApi, receiver: Receiver) -> None:
    await im.imported(bob := a_user(), al := a_user())
    receiver.answers[BEFORE_SEND] = lambda _: {**OK, "MsgBody": []}
    body = {"From_Account": bob, "To_Account": al, "MsgRandom": 1, "MsgBody": a_text("x")}

    assert (await im.ask("openim/sendmsg", body)).code == 90992

    judge(told := await receiver.one(AFTER_SEND, From_Account=bob))
    assert (told.body["SendMsgResult"], told.body["UnreadMsgNum"]) == (90992, -1)


async def test_messages_of_a_conversation_are_told_in_order_though_one_is_not_taken_at_once(
    im: ImApi, receiver: Receiver
) -> None:
    await im.imported(bob := a_user(), al := a_user())
    refusals = iter([503, 500])
    receiver.answers[AFTER_SEND] = lambda _: web.Response(status=s) if (s := next(refusals, None)) else OK
    keys = []
    for number in range(4):
        one, other = (bob, al) if number % 2 else (al, bob)
        body = {"From_Account": one, "To_Account": other, "MsgRandom": number, "MsgBody": a_text("x")}
        keys.append((await im.ok("openim/sendmsg", body))["MsgKey"])

    def told() -> list[str]:
        return [each.body["MsgKey"] for each in receiver.of(AFTER_SEND) if each.body["From_Account"] in (bob, al)]

    async def all_there() -> bool:
        return len(told()) == 6

    await eventually(all_there)
    assert told() == [keys[0], keys[0], *keys]
