"""Messages are sent, copied and imported, and counted as unread: over HTTP, Kafka and the store."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from im_api import ADMIN, ImApi, a_user
from im_messages import Person, at_work, people, text

from config.settings import Settings
from handlers.im.conversations import MESSAGES
from stores.mongo import Database


@pytest.fixture(scope="module", autouse=True)
async def folder(im_settings: Settings, im_http: object) -> AsyncIterator[None]:
    async with at_work(im_settings):
        yield


async def test_what_is_sent_is_unread_to_the_receiver_and_nobody_else(im: ImApi, other: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    await other.imported(bob.id)

    for words in ("one", "two", "three"):
        await ann.sends(bob, words)
    await bob.has_unread(3)

    assert await bob.unread(ann) == [3]
    assert await ann.unread() == 0
    assert (await other.ok("openim/get_c2c_unread_msg_num", {"To_Account": bob.id}))["AllC2CUnreadMsgNum"] == 0


async def test_the_answer_names_the_message_by_its_key(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")

    body = {"From_Account": ann.id, "To_Account": bob.id, "MsgSeq": 7, "MsgRandom": 9, "MsgBody": text("hello")}
    answer = await im.ok("openim/sendmsg", body)

    assert answer["MsgKey"] == f"7_9_{answer['MsgTime']}"


async def test_the_same_numbers_in_the_same_second_are_one_message(im: ImApi) -> None:
    """The content does not matter."""
    ann, bob = await people(im, "ann", "bob")
    keys = [await ann.sends(bob, f"copy {n}", MsgSeq=1, MsgRandom=2) for n in range(6)]
    await ann.sends(bob, "another", MsgSeq=1, MsgRandom=3)

    await bob.has_unread(len(set(keys)) + 1)


async def test_left_out_the_sender_is_the_admin_who_calls(im: ImApi, im_database: Database) -> None:
    (bob,) = await people(im, "bob")
    await im.ok("openim/sendmsg", {"To_Account": bob.id, "MsgRandom": 1, "MsgBody": text("from above")})
    await bob.has_unread(1)

    message = await im_database[MESSAGES].find_one({"receiver": bob.id})
    assert message is not None
    assert message["sender"] == ADMIN


@pytest.mark.parametrize(
    "options", [{"MsgLifeTime": 0}, {"SendMsgControl": ["NoUnread"]}, {"SendMsgControl": ["NoUnread", "NoLastMsg"]}]
)
async def test_online_only_and_uncounted_messages_are_not_unread(im: ImApi, options: dict[str, Any]) -> None:
    ann, bob = await people(im, "ann", "bob")

    await ann.sends(bob, "not counted", **options)
    await ann.sends(bob, "counted")
    await bob.has_unread(1)

    assert await bob.unread(ann) == [1]


async def test_one_message_is_copied_to_many_under_one_key(im: ImApi) -> None:
    ann, *others = await people(im, "ann", *("user" for _ in range(500)))
    body = {
        "From_Account": ann.id,
        "To_Account": [person.id for person in others],
        "MsgRandom": 5,
        "MsgBody": text("to all"),
    }

    answer = await im.ok("openim/batchsendmsg", body)

    assert answer["ActionStatus"] == "OK"
    assert "ErrorList" not in answer
    assert answer["MsgKey"].split("_")[1] == "5"
    for person in others[::100]:
        await person.has_unread(1)
    assert (await im.ask("openim/batchsendmsg", {**body, "To_Account": [*body["To_Account"], ann.id]})).code == 90011


async def test_receivers_that_do_not_exist_are_named_and_the_others_get_it(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    stranger = a_user()
    body = {"From_Account": ann.id, "To_Account": [stranger, bob.id], "MsgRandom": 5, "MsgBody": text("to some")}

    answer = await im.ok("openim/batchsendmsg", body)

    assert answer["ActionStatus"] == "SomeError"
    assert answer["ErrorList"] == [{"To_Account": stranger, "ErrorCode": 70107}]
    await bob.has_unread(1)

    nobody = await im.ask("openim/batchsendmsg", {**body, "To_Account": [stranger]})
    assert (nobody["ActionStatus"], nobody.code) == ("FAIL", 90012)


async def test_of_imports_with_one_key_the_first_counts_for_each_direction(im: ImApi, im_database: Database) -> None:
    ann, bob = await people(im, "ann", "bob")
    at = 1_600_000_000

    for words in ("first", "second"):
        await ann.imported(bob, words, at, MsgRandom=7)
        await bob.imported(ann, words, at, MsgRandom=7)
    await ann.imported(bob, "history", at + 1, SyncFromOldSystem=2)
    await ann.imported(bob, "last", at + 2)
    await bob.has_unread(2)

    assert await ann.unread() == 1
    bodies = [row["body"] async for row in im_database[MESSAGES].find({"receiver": ann.id})]
    assert bodies == [text("first")]


async def test_nothing_is_imported_from_the_future(im: ImApi) -> None:
    """Whoever reads now would not have read it."""
    ann, bob = await people(im, "ann", "bob")
    body = {"From_Account": ann.id, "To_Account": bob.id, "MsgRandom": 1, "MsgBody": text("x"), "SyncFromOldSystem": 5}

    assert (await im.ask("openim/importmsg", {**body, "MsgTimeStamp": int(time.time()) + 86_400})).code == 90006


async def test_who_does_not_exist_can_neither_send_nor_receive(im: ImApi) -> None:
    (ann,) = await people(im, "ann")
    stranger = Person(im)

    for sender, receiver, codes in ((ann, stranger, 90012), (stranger, ann, 90048)):
        body = {
            "From_Account": sender.id,
            "To_Account": receiver.id,
            "MsgRandom": 1,
            "MsgBody": text("x"),
            "MsgTimeStamp": 1,
            "SyncFromOldSystem": 5,
        }
        assert (await im.ask("openim/sendmsg", body)).code == codes
        assert (await im.ask("openim/importmsg", body)).code == codes
    assert (await im.ask("openim/get_c2c_unread_msg_num", {"To_Account": stranger.id})).code == 90003


async def test_peers_that_do_not_exist_are_named_beside_the_counts_of_the_others(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    stranger = a_user()
    body = {"To_Account": ann.id, "Peer_Account": [bob.id, stranger, bob.id]}

    answer = await im.ok("openim/get_c2c_unread_msg_num", body)

    assert answer["C2CUnreadMsgNumList"] == [{"Peer_Account": bob.id, "C2CUnreadMsgNum": 0}]
    assert answer["ErrorList"] == [{"Peer_Account": stranger, "ErrorCode": 70107}]
    assert "AllC2CUnreadMsgNum" not in answer
    eleven = {**body, "Peer_Account": [a_user() for _ in range(11)]}
    assert (await im.ask("openim/get_c2c_unread_msg_num", eleven)).code == 90018
    assert (await im.ask("openim/get_c2c_unread_msg_num", {**body, "Peer_Account": []})).code == 90010


GOOD = {"To_Account": "x", "MsgRandom": 1, "MsgBody": text("x")}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"To_Account": 7}, 90003),
        ({"From_Account": 7}, 90008),
        ({"MsgSeq": "7"}, 90004),
        ({"MsgSeq": 2**32}, 90004),
        ({"MsgRandom": None}, 90005),
        ({"MsgBody": {}}, 90007),
        ({"MsgBody": None}, 90007),
        ({"MsgBody": []}, 90002),
        ({"MsgBody": ["x"]}, 90002),
        ({"MsgBody": [{"MsgType": "TIMOtherElem", "MsgContent": {}}]}, 90002),
        ({"MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {}}]}, 90002),
        ({"MsgBody": text("x" * 12_300)}, 93000),
        ({"MsgBody": text("x" * 6_000), "CloudCustomData": "y" * 6_500}, 93000),
        ({"OfflinePushInfo": {"Ext": "x" * 12_300}}, 93000),
        ({"OfflinePushInfo": {"Ext": 7}}, 90043),
        ({"OfflinePushInfo": {"ApnsInfo": {"BadgeMode": 2}}}, 90043),
        ({"MsgLifeTime": 604_801}, 90026),
        ({"MsgLifeTime": -1}, 90044),
        ({"MsgLifeTime": "60"}, 90044),
        ({"SyncOtherMachine": 3}, 90031),
        ({"SendMsgControl": ["NoSuch"]}, 90010),
        ({"ForbidCallbackControl": ["NoSuch"]}, 90010),
        ({"CloudCustomData": 7}, 90010),
        ({"OfflinePushInfo": {"PushFlag": 2}}, 90043),
        ({"OfflinePushInfo": "x"}, 90043),
    ],
)
async def test_a_message_that_is_wrong_is_refused_with_the_code_for_it(
    im: ImApi, fields: dict[str, Any], code: int
) -> None:
    assert (await im.ask("openim/sendmsg", {**GOOD, **fields})).code == code


@pytest.mark.parametrize(("missing", "code"), [("To_Account", 90003), ("MsgRandom", 90005), ("MsgBody", 90002)])
async def test_what_a_message_lacks_has_the_same_code(im: ImApi, missing: str, code: int) -> None:
    assert (await im.ask("openim/sendmsg", {name: GOOD[name] for name in GOOD if name != missing})).code == code


async def test_pairs_hang_on_a_message_that_was_sent_for_it(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    key = await ann.sends(bob, "who comes?", SupportMessageExtension=1)
    about = {"From_Account": ann.id, "To_Account": bob.id, "MsgKey": key}
    read, write = "openim_msg_ext_http_svc/get_key_values", "openim_msg_ext_http_svc/set_key_values"

    async def change(what: int, *pairs: dict[str, Any]) -> list[tuple[int, int]]:
        answer = await im.ok(write, {**about, "OperateType": what, "ExtensionList": pairs})
        return [(item["ErrorCode"], item["Extension"]["Seq"]) for item in answer.get("ExtensionList", ())]

    assert await change(1, {"Key": "cid", "Value": "yes", "Seq": 0}, {"Key": "dan", "Value": "no"}) == [(0, 1), (0, 1)]
    assert await change(1, {"Key": "dan", "Value": "yes", "Seq": 1}) == [(0, 2)]
    assert await change(2, {"Key": "cid", "Seq": 7}, {"Key": "dan", "Seq": 2}, {"Key": "eve"}) == [
        (23001, 1),
        (0, 3),
        (23004, 0),
    ]
    kept = await im.ok(read, about)
    assert kept["ExtensionList"] == [{"Key": "cid", "Value": "yes", "Seq": 1}]
    assert (kept["CompleteFlag"], kept["LatestSeq"], kept["ClearSeq"]) == (1, 3, 0)
    assert await change(3) == []
    assert (await im.ok(read, about))["ClearSeq"] == 4

    without = await ann.sends(bob, "no pairs on this")
    assert (await im.ask(read, {**about, "MsgKey": without})).code == 10004
    assert (await im.ask(read, {**about, "MsgKey": "1_2_3"})).code == 20022
    assert (await im.ask(write, {**about, "OperateType": 1, "ExtensionList": [{"Key": "x" * 101}]})).code == 10004
    many = [{"Key": str(number)} for number in range(21)]
    assert (await im.ask(write, {**about, "OperateType": 1, "ExtensionList": many})).code == 10004
