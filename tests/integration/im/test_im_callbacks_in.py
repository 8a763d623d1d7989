"""Callbacks of the IM server, taken in: every one of the contract, who may send them, what they bring about."""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from callbacks_api import TOKEN, ImServer, a_sent, a_state, commands, contract, example_of, webhook
from chat_api import eventually, folding
from im_api import APP, IM, OTHER_APP, ImApi, a_user, serving_im, with_im
from jsonschema import Draft202012Validator
from published import published

from config.settings import Settings
from handlers.im.callbacks import CALLBACKS, STATE_CHANGES, HearFriends
from handlers.im.conversations import CONVERSATIONS, MESSAGES
from schemas.cloudevents import to_millisecond
from schemas.im.callbacks import AFTER_SEND, DECIDED, Pair, is_before
from schemas.im.ids import key_of
from schemas.im.message import conversation_of, side_of
from stores.im.callbacks import hear_friends
from stores.mongo import Database, open_database

RULES = [
    {"action": "allow", "accounts": ["trusted"], "words": ["red packet"]},
    {"action": "replace", "words": ["darn"], "replacement": "d**n"},
    {"action": "deny", "words": ["red packet"], "code": 120001, "info": "not here"},
    {"action": "drop", "patterns": ["buy .{0,20} now"]},
    {"action": "deny", "commands": ["Group.CallbackBeforeCreateGroup"], "words": ["casino"], "code": 10100},
    {"action": "deny", "commands": ["Sns.CallbackPrevFriendAdd"], "words": ["casino"]},
]
NOW = int(time.time())
FACE = {"MsgType": "TIMFaceElem", "MsgContent": {"Index": 6, "Data": "abc\0\x01"}}
"""As the contract shows one."""


def with_callbacks(settings: Settings) -> Settings:
    apps = {
        APP: {**IM["apps"][APP], "callbacks_in": {"token": TOKEN, "rules": RULES}},
        OTHER_APP: {**IM["apps"][OTHER_APP], "callbacks_in": {"allow_networks": ["192.0.2.0/24"]}},
        "1400000003": {"key": "k", "admins": ["a"]},
        "1400000004": {"key": "k", "admins": ["a"], "callbacks_in": {"allow_networks": ["127.0.0.0/8"]}},
    }
    return with_im(settings, apps=apps)


@pytest.fixture(scope="module")
def callback_settings(shared_settings: Settings) -> Settings:
    return with_callbacks(shared_settings)


@pytest.fixture(scope="module")
async def http(callback_settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """A gateway and a folder."""
    async with serving_im(callback_settings) as http, folding(callback_settings):
        yield http


@pytest.fixture(scope="module")
async def store(callback_settings: Settings, http: aiohttp.ClientSession) -> AsyncIterator[Database]:
    async with open_database(callback_settings.mongo) as database:
        yield database


@pytest.fixture
def server(http: aiohttp.ClientSession) -> ImServer:
    return ImServer(http)


@pytest.fixture
def im(http: aiohttp.ClientSession) -> ImApi:
    return ImApi(http)


async def states(im: ImApi, user: str) -> dict[str, str]:
    """By platform; empty while the user is offline."""
    answer = await im.ok("openim/query_online_status", {"To_Account": [user], "IsNeedDetail": 1})
    return {each["Platform"]: each["Status"] for each in answer["QueryResult"][0].get("Detail", ())}


def judge(command: str, answer: dict[str, Any]) -> None:
    schema = webhook(command)["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({"components": contract()["components"], **schema}).validate(answer)


async def test_every_callback_of_the_contract_is_taken_and_answered_and_a_fact(
    server: ImServer, callback_settings: Settings
) -> None:
    before = {fact.identity for fact in await published(callback_settings.kafka)}
    for command in commands():
        judge(command, await server.ok(command, example_of(command)))

    # Whoever folds meanwhile has dead letters of its own: the marks that were written to read all there is.
    now = [fact for fact in await published(callback_settings.kafka) if fact.type.startswith("im.")]
    facts = [fact for fact in now if fact.identity not in before]

    print(f"callbacks covered: {len(facts)} of {len(commands())}")  # noqa: T201 - what `make test` shows
    assert len(facts) == len(commands()) == 17
    assert Counter(fact.type for fact in facts) == {
        "im.state.changed": 1,
        "im.message.relayed": 1,  # the contract's example is for those online alone
        "im.message.read": 1,
        "im.message.withdrawn": 1,
        "im.callback.received": 13,
    }


async def test_a_command_that_nobody_knows_yet_is_kept_as_it_came(server: ImServer, store: Database) -> None:
    body = {"GroupId": (group := a_user("@TGS#")), "$new": {"a.b": "\0"}, "N": 2**70}

    assert await server.ok("Group.CallbackAfterSomethingNew", body) == {
        "ActionStatus": "OK",
        "ErrorInfo": "",
        "ErrorCode": 0,
    }

    async def kept() -> dict[str, Any] | None:
        return await store[CALLBACKS].find_one({"about": key_of(APP, group)})

    document = await eventually(kept)
    assert (document["command"], document["client_ip"]) == ("Group.CallbackAfterSomethingNew", "192.0.2.7")
    assert '"$new"' in document["body"]


async def test_the_same_callback_again_counts_once_though_the_unread_count_has_changed(
    server: ImServer, store: Database
) -> None:
    group, end = a_user("@TGS#"), a_user("@TGS#")
    for unread in (1, 2, 3):
        await server.ok("Group.CallbackAfterTopicDestroyed", {"GroupId": group, "EventTime": 5, "UnreadMsgNum": unread})
    await server.ok("Group.CallbackAfterTopicDestroyed", {"GroupId": group, "EventTime": 6})
    await server.ok("Group.CallbackAfterTopicDestroyed", {"GroupId": end, "EventTime": 6})

    await eventually(lambda: store[CALLBACKS].find_one({"about": key_of(APP, end)}))

    async def both() -> bool:
        return await store[CALLBACKS].count_documents({"about": key_of(APP, group)}) == 2

    await eventually(both)


async def test_who_logs_in_is_online_and_who_is_thrown_out_by_it_is_not(server: ImServer, im: ImApi) -> None:
    await im.imported(user := a_user())

    await server.ok("State.StateChange", a_state(user, "Login", NOW * 1000 - 9000), OptPlatform="Windows")
    await server.ok("State.StateChange", a_state(user, "Login", NOW * 1000 - 8000, "Windows", "IOS"), OptPlatform="iOS")

    async def on_the_phone() -> bool:
        return await states(im, user) == {"iPhone": "Online"}

    await eventually(on_the_phone)

    await server.ok("State.StateChange", a_state(user, "Disconnect", NOW * 1000 - 7000), OptPlatform="iOS")

    async def reachable() -> bool:
        return await states(im, user) == {"iPhone": "PushOnline"}

    await eventually(reachable)

    await server.ok("State.StateChange", a_state(user, "Logout", NOW * 1000 - 6000), OptPlatform="iOS")

    async def gone() -> bool:
        return await states(im, user) == {}

    await eventually(gone)


async def test_changes_count_in_the_order_of_their_milliseconds_and_once(
    server: ImServer, im: ImApi, store: Database
) -> None:
    await im.imported(user := a_user())
    for at, action in ((3, "Login"), (2, "Logout"), (1, "Login"), (3, "Login"), (2, "Logout")):
        await server.ok("State.StateChange", a_state(user, action, NOW * 1000 + at))

    async def history() -> list[str] | None:
        entries = await store[STATE_CHANGES].find({"account": key_of(APP, user)}).sort("at", 1).to_list()
        return [entry["action"] for entry in entries] if len(entries) == 3 else None

    assert await eventually(history) == ["Login", "Logout", "Login"]

    async def on_the_phone() -> bool:  # another document, written after those of the history
        return await states(im, user) == {"Android": "Online"}

    await eventually(on_the_phone)


async def test_a_profile_is_what_the_latest_callback_says_not_the_last_to_come(server: ImServer, im: ImApi) -> None:
    await im.imported(user := a_user())

    def changed(nick: str, at: int) -> dict[str, Any]:
        items = [{"Tag": "Tag_Profile_IM_Nick", "Value": nick}, {"Tag": "Tag_Profile_Custom_None", "Value": "x"}]
        return {"Operator_Account": user, "From_Account": user, "EventTime": at, "ProfileItem": items}

    await server.ok("Profile.CallbackPortraitSet", changed("newer", 2000))
    await server.ok("Profile.CallbackPortraitSet", changed("older", 1000))
    await server.ok("Profile.CallbackPortraitSet", leveled(user, 2001))

    assert await nick_of_leveled(im, user) == "newer"


async def test_a_late_callback_does_not_undo_what_a_call_has_set(server: ImServer, im: ImApi) -> None:
    await im.imported(user := a_user())
    nick = [{"Tag": "Tag_Profile_IM_Nick", "Value": "set"}]
    await im.ok("profile/portrait_set", {"From_Account": user, "ProfileItem": nick})

    late = [{"Tag": "Tag_Profile_IM_Nick", "Value": "late"}]
    body = {"Operator_Account": user, "From_Account": user, "EventTime": NOW * 1000 - 60_000, "ProfileItem": late}
    await server.ok("Profile.CallbackPortraitSet", body)
    await server.ok("Profile.CallbackPortraitSet", leveled(user, NOW * 1000))

    assert await nick_of_leveled(im, user) == "set"


def leveled(user: str, at: int) -> dict[str, Any]:
    """Another field: once it is there, so is what callbacks said of the profile before."""
    items = [{"Tag": "Tag_Profile_IM_Level", "Value": 7}]
    return {"Operator_Account": user, "From_Account": user, "EventTime": at, "ProfileItem": items}


async def nick_of_leveled(im: ImApi, user: str) -> str:
    body = {"To_Account": [user], "TagList": ["Tag_Profile_IM_Nick", "Tag_Profile_IM_Level"]}

    async def both() -> dict[str, Any] | None:
        (profile,) = (await im.ok("profile/portrait_get", body))["UserProfileItem"]
        fields = {item["Tag"]: item["Value"] for item in profile["ProfileItem"]}
        return fields if "Tag_Profile_IM_Level" in fields else None

    return (await eventually(both))["Tag_Profile_IM_Nick"]


async def related(im: ImApi, user: str, relations: dict[str, str]) -> None:
    body = {"From_Account": user, "To_Account": list(relations), "CheckType": "CheckResult_Type_Both"}
    expected = [f"CheckResult_Type_{relation}" for relation in relations.values()]

    async def so_it_is() -> bool:
        return [item["Relation"] for item in (await im.ok("sns/friend_check", body))["InfoItem"]] == expected

    await eventually(so_it_is)


async def test_friends_are_those_that_callbacks_say_on_the_lists_that_they_name(
    server: ImServer, im: ImApi, callback_settings: Settings
) -> None:
    await im.imported(user := a_user(), one := a_user(), two := a_user())
    nobody = a_user("nobody")

    def pairs(*named: tuple[str, str]) -> dict[str, Any]:
        return {"PairList": [{"From_Account": a, "To_Account": b, "Initiator_Account": user} for a, b in named]}

    added = {**pairs((user, one), (one, user), (user, two), (user, nobody), (user, user)), "ClientCmd": "friend_add"}
    add = {**added, "Admin_Account": "", "ForceFlag": 0}
    await server.ok("Sns.CallbackFriendAdd", add)
    await related(im, user, {one: "BothWay", two: "AWithB"})

    await server.ok("Sns.CallbackFriendDelete", pairs((user, one)))
    await related(im, user, {one: "BWithA", two: "AWithB"})

    await server.ok("Sns.CallbackFriendAdd", add)  # a late copy
    await server.ok("Sns.CallbackFriendDelete", pairs((user, two)))
    await related(im, user, {one: "BWithA", two: "NoRelation"})

    told = [fact for fact in await published(callback_settings.kafka) if fact.type.startswith("im.friend.")]
    assert Counter((fact.type, fact.subject) for fact in told if user in fact.data.decode()) == {
        ("im.friend.added", key_of(APP, user)): 2,
        ("im.friend.added", key_of(APP, one)): 1,
        ("im.friend.deleted", key_of(APP, user)): 2,
    }


async def test_what_is_done_again_after_a_crash_is_told_under_the_same_ids(im: ImApi, store: Database) -> None:
    await im.imported(user := a_user(), friend := a_user())
    start = datetime.now(UTC)

    def heard(seconds: int, *, made: bool) -> HearFriends:
        return HearFriends(
            cause=f"{user}/{seconds}",
            app=APP,
            made=made,
            pairs=(Pair(from_account=user, to_account=friend),),
            admins=frozenset(),
            admin="",
            forced=False,
            at=to_millisecond(start) + timedelta(seconds=seconds),
            traceparent=None,
        )

    async def done(*several: HearFriends) -> list[str]:
        return [
            event.id for one in several for events in [e async for e in hear_friends(store, one)] for event in events
        ]

    add, delete, late = heard(1, made=True), heard(3, made=False), heard(2, made=True)

    first = await done(add, delete)
    assert len(first) == 2
    # The first of them was told before the second was done.
    assert await done(add, delete) == first[1:]
    assert await done(late) == []
    await related(im, user, {friend: "NoRelation"})


async def unread(store: Database, user: str, peer: str) -> int | None:
    document = await store[CONVERSATIONS].find_one({"_id": side_of(APP, user, peer)})
    return None if document is None else document["unread"]


async def test_messages_of_callbacks_are_counted_once_and_read_and_withdrawn(server: ImServer, store: Database) -> None:
    bob, al = a_user("bob/%"), a_user()

    async def counted(number: int) -> None:
        async def so_many() -> bool:
            return await unread(store, al, bob) == number

        await eventually(so_many)

    for seq in (1, 2, 2, 3):
        await server.ok(AFTER_SEND, a_sent(bob, al, seq, NOW - 100 + seq))
    await server.ok(AFTER_SEND, a_sent(bob, al, 4, NOW - 96, MsgBody=[FACE]))
    await server.ok(AFTER_SEND, a_sent(bob, al, 5, NOW, SendMsgResult=80001, ErrorInfo="bad words", UnreadMsgNum=-1))
    await server.ok(AFTER_SEND, a_sent(bob, al, 6, NOW, OnlineOnlyFlag=1))
    await counted(4)

    read = {"Report_Account": al, "Peer_Account": bob, "LastReadTime": NOW - 98, "UnreadMsgNum": 2}
    for _ in range(2):
        await server.ok("C2C.CallbackAfterMsgReport", read)
    await counted(2)

    key = a_sent(bob, al, 3, NOW - 97)["MsgKey"]
    await server.ok(
        "C2C.CallbackAfterMsgWithDraw", {"From_Account": bob, "To_Account": al, "MsgKey": key, "UnreadMsgNum": 1}
    )
    await counted(1)
    kept = await store[MESSAGES].find({"conversation": conversation_of(APP, al, bob)}).sort("order", 1).to_list()
    assert [document["withdrawn"] for document in kept] == [False, False, True, False]
    assert kept[0]["body"] == [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]
    assert kept[3]["body"] == [FACE]


async def test_a_message_by_a_call_and_by_a_callback_is_one(server: ImServer, im: ImApi, store: Database) -> None:
    await im.imported(bob := a_user(), al := a_user())
    body = {"From_Account": bob, "To_Account": al, "MsgSeq": 1, "MsgRandom": 7, "MsgBody": [], "SyncOtherMachine": 1}
    body["MsgBody"] = a_sent(bob, al, 1, NOW)["MsgBody"]

    sent = await im.ok("openim/sendmsg", body)
    assert sent["MsgKey"] == a_sent(bob, al, 1, sent["MsgTime"])["MsgKey"]
    await server.ok(AFTER_SEND, a_sent(bob, al, 1, sent["MsgTime"]))
    await server.ok(AFTER_SEND, a_sent(bob, al, 2, sent["MsgTime"]))

    async def last_counted() -> bool:
        return (await unread(store, al, bob) or 0) >= 2

    await eventually(last_counted)
    assert await store[MESSAGES].count_documents({"conversation": conversation_of(APP, al, bob)}) == 2
    assert await unread(store, al, bob) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"MsgBody": []},
        {"MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"$Text": "x"}}]},
        {"MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "x", "\0": ""}}]},
        {"MsgSeq": -1},
        {"To_Account": "x" * 33},
        {"MsgTime": "soon"},
    ],
)
async def test_what_can_be_no_message_is_kept_as_a_callback(
    server: ImServer, store: Database, fields: dict[str, Any]
) -> None:
    body = a_sent(a_user(), a_user(), 1, NOW) | {"GroupId": (group := a_user("@TGS#"))} | fields

    await server.ok(AFTER_SEND, body)

    await eventually(lambda: store[CALLBACKS].find_one({"about": key_of(APP, group)}))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello", {"ErrorCode": 0}),
        ("a RED packet", {"ErrorCode": 120001, "ErrorInfo": "not here"}),
        ("buy it all now", {"ErrorCode": 2}),
        ("Darn it", {"ErrorCode": 0, "MsgBody": "d**n it"}),
    ],
)
async def test_a_before_callback_is_answered_by_the_rules(server: ImServer, text: str, answer: dict[str, Any]) -> None:
    body = {**example_of("C2C.CallbackBeforeSendMsg")}
    body["MsgBody"] = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]

    answered = await server.ok("C2C.CallbackBeforeSendMsg", body)

    judge("C2C.CallbackBeforeSendMsg", answered)
    if "MsgBody" in answered:
        answered["MsgBody"] = answered["MsgBody"][0]["MsgContent"]["Text"]
    assert answered == {"ActionStatus": "OK", "ErrorInfo": "", **answer}


async def test_friends_are_decided_about_one_by_one(server: ImServer) -> None:
    items = [{"To_Account": "id1", "AddWording": "hi"}, {"To_Account": "id2", "AddWording": "my Casino"}]

    answered = await server.ok(
        "Sns.CallbackPrevFriendAdd", {"Requester_Account": "id", "From_Account": "id", "FriendItem": items}
    )

    assert [(item["To_Account"], item["ResultCode"]) for item in answered["ResultItem"]] == [("id1", 0), ("id2", 38000)]


async def test_groups_named_so_may_not_be_made(server: ImServer) -> None:
    body = {**example_of("Group.CallbackBeforeCreateGroup"), "Name": "Casino royal"}

    assert (await server.ok("Group.CallbackBeforeCreateGroup", body))["ErrorCode"] == 10100


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"SdkAppid": "1400009999"}, 401),
        ({"SdkAppid": None}, 401),
        ({"SdkAppid": "1400000003"}, 501),  # neither token nor addresses are set
        ({"SdkAppid": OTHER_APP}, 403),  # another address
        ({"SdkAppid": "1400000004"}, 200),  # this address
        ({"Sign": "0" * 64}, 401),
        ({"RequestTime": "1"}, 401),
        ({"Sign": None}, 401),
        ({"Sign": None, "Token": "wrong"}, 401),
        ({"Sign": None, "Token": TOKEN}, 200),
        ({"CallbackCommand": "State.Other"}, 400),
        ({"CallbackCommand": None}, 200),
    ],
)
async def test_callbacks_are_taken_from_those_who_may_send_them(
    server: ImServer, query: dict[str, str | None], status: int
) -> None:
    called = await server.call("State.StateChange", a_state(a_user(), "Login", 1), **query)

    assert called.status == status
    assert called.body["ActionStatus"] == ("OK" if status == 200 else "FAIL")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":"\xff"}', b"[" * 100_000])
async def test_what_is_no_callback_is_refused(server: ImServer, body: bytes) -> None:
    assert (await server.send(body, server.query("State.StateChange"))).status == 400


async def test_a_signature_of_long_ago_is_stale(server: ImServer) -> None:
    async def send(age: int) -> int:
        then = str(int(time.time()) - age)
        signed = {"RequestTime": then, "Sign": hashlib.sha256((TOKEN + then).encode()).hexdigest()}
        return (await server.call("State.StateChange", a_state(a_user(), "Login", 1), **signed)).status

    assert await asyncio.gather(send(200), send(400)) == [200, 401]


def test_the_contract_says_which_callbacks_wait_for_an_answer() -> None:
    assert {command for command in commands() if is_before(command)} == {
        command for command in commands() if webhook(command)["x-blocking"]
    }


def test_of_every_callback_that_waits_for_an_answer_rules_may_decide() -> None:
    assert {command for command in commands() if is_before(command)} <= DECIDED
