"""Two people talk: what is read, recalled, overwritten, and what each of them sees of it afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from im_api import ImApi
from im_messages import Person, at_work, people, text, words_of

from config.settings import Settings
from schemas.im.message import SENT, WITHDRAWN, conversation_of
from schemas.push import PushRequested
from tests.integration.chat_api import an_event, eventually, publish
from tests.integration.published import published


@pytest.fixture(scope="module", autouse=True)
async def folder(im_settings: Settings, im_http: object) -> AsyncIterator[None]:
    async with at_work(im_settings):
        yield


async def test_two_people_talk_and_one_reads_half(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    times = [await ann.imported(bob, f"line {n}") for n in range(6)]
    await bob.has_unread(6)

    await bob.reads(ann, times[2])
    await bob.has_unread(3)
    await bob.reads(ann, str(times[1]))  # told late: what was read stays read
    await bob.reads(ann, times[3])
    await bob.has_unread(2)

    await bob.sends(ann, "answer")
    await ann.has_unread(1)
    await bob.reads(ann)
    await bob.has_unread(0)
    assert await ann.unread(bob) == [1]
    await ann.shows(bob, *(f"line {n}" for n in range(6)), "answer")
    await bob.shows(ann, *(f"line {n}" for n in range(6)), "answer")


async def test_what_is_sent_after_the_reading_is_unread(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")

    await ann.sends(bob, "before")
    await bob.reads(ann)
    await ann.sends(bob, "after")
    await bob.has_unread(1)
    await ann.imported(bob, "an old one comes late", 1_000_000)
    await bob.shows(ann, "an old one comes late", "before", "after")

    assert await bob.unread() == 1


async def test_a_time_of_reading_far_ahead_reads_what_is_there_and_nothing_to_come(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")

    await ann.sends(bob, "before")
    await bob.reads(ann, int(time.time()) + 86_400)
    await ann.sends(bob, "after")
    await bob.shows(ann, "before", "after")

    await bob.has_unread(1)


async def test_a_recalled_message_is_unread_no_more_and_shown_as_recalled_to_both(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    await ann.sends(bob, "stays")
    key = await ann.sends(bob, "goes")

    await ann.withdraws(bob, key)  # though it may not be folded yet
    await bob.has_unread(1)

    for one, other in ((ann, bob), (bob, ann)):
        flags = {words_of(message): message["MsgFlagBits"] for message in await one.history(other)}
        assert flags == {"stays": 0, "goes": 8}
    again = {"From_Account": ann.id, "To_Account": bob.id, "MsgKey": key}
    assert (await im.ask("openim/admin_msgwithdraw", again)).code == 20023
    assert (await im.ask("openim/modify_c2c_msg", {**again, "CloudCustomData": "x"})).code == 20022


async def test_one_that_was_read_may_be_recalled_and_nothing_is_taken_off_twice(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    first = await ann.sends(bob, "read, then recalled")
    await bob.reads(ann)
    await ann.sends(bob, "unread")
    await ann.withdraws(bob, first)

    async def recalled() -> bool:
        return [message["MsgFlagBits"] for message in await bob.history(ann)] == [8, 0]

    await eventually(recalled)
    await bob.has_unread(1)


async def test_a_recall_told_before_its_message_takes_effect_when_that_comes(im: ImApi, im_settings: Settings) -> None:
    """Callbacks overtake each other."""
    ann, bob = await people(im, "ann", "bob")
    key = {"seq": 7, "random": 8, "time": int(time.time()) - 60}
    conversation = conversation_of(im.app, ann.id, bob.id)
    recall = {"conversation": conversation, "app": im.app, "sender": ann.id, "receiver": bob.id, **key}

    await publish(im_settings, an_event(WITHDRAWN, conversation, recall))
    await ann.imported(bob, "recalled before it came", key["time"], MsgSeq=7, MsgRandom=8)
    await ann.sends(bob, "another")

    async def recalled() -> bool:
        return [message["MsgFlagBits"] for message in await bob.history(ann)] == [8, 0]

    await eventually(recalled)
    await bob.has_unread(1)


@pytest.mark.parametrize(
    ("key", "code"), [("1_2_3", 20022), ("1_2", 90054), ("a_2_3", 90054), ("1_2_99999999999", 90054)]
)
@pytest.mark.parametrize("call", ["admin_msgwithdraw", "modify_c2c_msg"])
async def test_only_what_is_there_can_be_changed(im: ImApi, call: str, key: str, code: int) -> None:
    ann, bob = await people(im, "ann", "bob")
    body = {"From_Account": ann.id, "To_Account": bob.id, "MsgKey": key, "CloudCustomData": "x"}

    assert (await im.ask(f"openim/{call}", body)).code == code


async def test_the_direction_is_part_of_what_names_a_message(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    key = await ann.sends(bob, "hello")

    turned = {"From_Account": bob.id, "To_Account": ann.id, "MsgKey": key}
    assert (await im.ask("openim/admin_msgwithdraw", turned)).code == 20022


async def test_a_message_says_what_it_was_made_to_say_last(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    key = await ann.sends(bob, "first", CloudCustomData="data")
    named = {"From_Account": ann.id, "To_Account": bob.id, "MsgKey": key}

    await im.ok("openim/modify_c2c_msg", {**named, "MsgBody": text("second")})
    await bob.shows(ann, "second")
    assert [message["CloudCustomData"] for message in await ann.history(bob)] == ["data"]

    await im.ok("openim/modify_c2c_msg", {**named, "CloudCustomData": "other"})

    async def changed() -> bool:
        (message,) = await ann.history(bob)
        return (words_of(message), message["CloudCustomData"]) == ("second", "other")

    await eventually(changed)
    assert await bob.unread() == 1
    for fields, code in (
        ({}, 90010),
        ({"MsgBody": []}, 90002),
        ({"CloudCustomData": "x" * 12_300}, 93000),
    ):
        assert (await im.ask("openim/modify_c2c_msg", {**named, **fields})).code == code


async def test_histories_differ_where_the_sender_keeps_no_copy(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")

    await ann.sends(bob, "for both", SyncOtherMachine=1)
    await ann.sends(bob, "for bob alone", SyncOtherMachine=2)
    await bob.has_unread(2)

    await bob.shows(ann, "for both", "for bob alone")
    await ann.shows(bob, "for both")


async def test_one_who_talks_to_oneself_has_one_history_and_nothing_unread(im: ImApi) -> None:
    (ann,) = await people(im, "ann")
    await ann.sends(ann, "a note")
    await ann.shows(ann, "a note")

    assert await ann.unread() == 0
    assert await ann.listed() == [(ann.id, 0)]


async def test_a_blacklist_does_not_keep_the_apps_messages_out(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    await im.ok("sns/black_list_add", {"From_Account": bob.id, "To_Account": [ann.id]})

    await ann.sends(bob, "by the app")
    await bob.has_unread(1)


# ---- history ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 3, 100])
async def test_pages_hold_every_message_once_in_order_many_of_one_second_too(im: ImApi, most: int) -> None:
    ann, bob = await people(im, "ann", "bob")
    for n in range(8):
        sender, receiver = (ann, bob) if n % 2 else (bob, ann)
        await sender.imported(receiver, f"{n}", 1_700_000_000 + n // 4, MsgSeq=n, MsgRandom=5)
    # Opposite directions, one key: never parted, though a page asks for one.
    for sender, receiver in ((ann, bob), (bob, ann)):
        await sender.imported(receiver, "twin", 1_700_000_000, MsgSeq=9, MsgRandom=5)

    async def complete() -> bool:
        return len(await ann.history(bob)) == 10

    await eventually(complete)
    for one, other in ((ann, bob), (bob, ann)):
        found = await one.history(other, MaxCnt=most)
        assert [words_of(message) for message in found] == [*"0123", "twin", "twin", *"4567"]


async def test_a_page_has_at_most_thirteen_kilobytes(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    for n in range(5):
        await ann.imported(bob, "x" * 4_000, 1_700_000_000 + n)
    await bob.has_unread(5)

    body = {"Operator_Account": bob.id, "Peer_Account": ann.id, "MaxCnt": 100, "MinTime": 0, "MaxTime": 2_000_000_000}
    page = await im.ok("openim/admin_getroammsg", body)

    assert (page["MsgCnt"], page["Complete"], page["LastMsgTime"]) == (3, 0, 1_700_000_002)
    assert len(msgspec.json.encode(page)) <= 13 * 1024
    assert len(await bob.history(ann)) == 5


async def test_a_window_of_time_is_closed_on_both_sides(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    for n in range(5):
        await ann.imported(bob, f"{n}", 1_700_000_000 + n)
    await bob.has_unread(5)

    found = await bob.history(ann, MinTime=1_700_000_001, MaxTime=1_700_000_003)
    assert [words_of(message) for message in found] == ["1", "2", "3"]
    assert await bob.history(ann, MinTime=1_700_000_009) == []
    assert await bob.history(ann, MinTime=10**15, MaxTime=-5) == []


async def test_a_history_of_nobody_is_refused(im: ImApi) -> None:
    (ann,) = await people(im, "ann")
    stranger = Person(im)
    body = {"Operator_Account": ann.id, "Peer_Account": ann.id, "MaxCnt": 1, "MinTime": 0, "MaxTime": 9}

    for fields, code in (
        ({"Operator_Account": stranger.id}, 90008),
        ({"Peer_Account": stranger.id}, 90003),
        ({"LastMsgKey": "x"}, 90054),
        ({"MaxCnt": 0}, 90010),
    ):
        assert (await im.ask("openim/admin_getroammsg", {**body, **fields})).code == code


async def test_a_read_receipt_is_shown_and_reading_alone_is_none(im: ImApi, im_settings: Settings) -> None:
    ann, bob = await people(im, "ann", "bob")
    keys = [await ann.sends(bob, "one", IsNeedReadReceipt=1), await ann.sends(bob, "two", IsNeedReadReceipt=1)]
    await bob.has_unread(2)
    await bob.reads(ann)
    await bob.has_unread(0)
    assert {message["IsPeerRead"] for message in await ann.history(bob)} == {0}

    seq, number, at = map(int, keys[0].split("_"))
    conversation = conversation_of(im.app, ann.id, bob.id)
    receipt = {"app": im.app, "sender": ann.id, "receiver": bob.id, "seq": seq, "random": number, "time": at}
    event = an_event("im.message.receipted", conversation, {"conversation": conversation, **receipt})
    await publish(im_settings, event)

    async def told() -> bool:
        return {message["MsgKey"]: message["IsPeerRead"] for message in await ann.history(bob)} == {
            keys[0]: 1,
            keys[1]: 0,
        }

    await eventually(told)


# ---- pushes ----------------------------------------------------------------------------------------------------------


async def pushes_to(settings: Settings, person: Person, number: int) -> list[dict[str, Any]]:
    """Once there are so many: title, text and what goes along."""

    async def found() -> list[dict[str, Any]] | None:
        events = [event for event in await published(settings.kafka) if event.type == "push.requested"]
        pushes = [msgspec.json.decode(event.data, type=PushRequested) for event in events]
        pushes = [push for push in pushes if push.recipient == f"user/{person.im.app}:{person.id}"]
        return [msgspec.to_builtins(push) for push in pushes] if len(pushes) >= number else None

    found_pushes: list[dict[str, Any]] = await eventually(found)
    return found_pushes


async def test_one_who_is_offline_gets_a_push_that_says_what_the_message_wants(
    im: ImApi, im_settings: Settings
) -> None:
    ann, bob = await people(im, "ann", "bob")
    profile = {"From_Account": bob.id, "ProfileItem": [{"Tag": "Tag_Profile_IM_MsgSettings", "Value": 1}]}

    await ann.sends(bob, "hello")
    info = {"PushFlag": 0, "Title": "news", "Desc": "look", "Ext": "extra", "ApnsInfo": {"BadgeMode": 1}}
    await ann.sends(bob, "hidden", OfflinePushInfo=info)
    await ann.sends(bob, "no push", OfflinePushInfo={"PushFlag": 1})
    await ann.sends(bob, "online only", MsgLifeTime=0)
    await ann.imported(bob, "imported")
    await im.ok("profile/portrait_set", profile)
    await ann.sends(bob, "do not disturb", SendMsgControl=["WithMuteNotifications"])
    await ann.sends(bob, "all the same")
    await bob.has_unread(6)

    pushes = await pushes_to(im_settings, bob, 3)
    assert [(push["title"], push["body"]) for push in pushes] == [
        (ann.id, "hello"),
        ("news", "look"),
        (ann.id, "all the same"),
    ]
    assert {push["ordered_by"] for push in pushes} == {conversation_of(im.app, ann.id, bob.id)}
    assert pushes[1]["fields"]["offline_push_info"] == {
        "Title": "news",
        "Desc": "look",
        "Ext": "extra",
        "ApnsInfo": {"BadgeMode": 1},
    }


async def test_a_face_with_control_characters_comes_as_it_was_sent_and_is_pushed_without_them(
    im: ImApi, im_settings: Settings
) -> None:
    ann, bob = await people(im, "ann", "bob")
    face = {"MsgType": "TIMFaceElem", "MsgContent": {"Index": 6, "Data": "abc\0\x01"}}  # the contract's

    fields = {"MsgBody": [*text("look"), face], "CloudCustomData": "a\0b"}
    key = await ann.sends(bob, "", **fields, OfflinePushInfo={"Desc": "l\0ook", "Ext": "\0"})
    await ann.imported(bob, "", MsgBody=[face])
    await bob.has_unread(2)

    imported, sent = await bob.history(ann)
    assert (sent["MsgBody"], sent["CloudCustomData"], imported["MsgBody"]) == (fields["MsgBody"], "a\0b", [face])
    (push,) = await pushes_to(im_settings, bob, 1)
    assert (push["body"], push["fields"]["offline_push_info"]) == ("look", {"Desc": "look", "Ext": ""})

    change = {"From_Account": ann.id, "To_Account": bob.id, "MsgKey": key, "MsgBody": [face]}
    await im.ok("openim/modify_c2c_msg", change)

    async def changed() -> bool:
        return (await bob.history(ann))[1]["MsgBody"] == [face]

    await eventually(changed)
    assert (await im.ask("openim/admin_set_msg_read", {"Report_Account": "\0", "Peer_Account": bob.id})).code == 90010


async def test_one_who_is_online_gets_none(im: ImApi, im_settings: Settings) -> None:
    ann, bob = await people(im, "ann", "bob")
    state = {"account": f"{im.app}/{bob.id}", "action": "Login", "platform": "Web"}
    await publish(im_settings, an_event("im.state.changed", f"{im.app}/{bob.id}", state))

    async def online() -> bool:
        answer = await im.ok("openim/query_online_status", {"To_Account": [bob.id]})
        return bool(answer["QueryResult"][0]["Status"] == "Online")

    await eventually(online)
    await ann.sends(bob, "hello")
    await bob.has_unread(1)

    events = await published(im_settings.kafka)
    assert not [event for event in events if event.type == "push.requested" and bob.id in event.subject]
    assert [event for event in events if event.type == SENT and bob.id in event.subject]


async def test_what_is_published_again_changes_nothing_and_pushes_once(im: ImApi, im_settings: Settings) -> None:
    ann, bob = await people(im, "ann", "bob")
    await ann.sends(bob, "one")
    key = await ann.sends(bob, "two")
    await ann.withdraws(bob, key)
    await bob.reads(ann, 5)
    events = [event for event in await published(im_settings.kafka) if bob.id in event.subject]
    ours = [event for event in events if event.type.startswith("im.message")]
    assert len(ours) == 4

    for _ in range(2):
        await asyncio.gather(*(publish(im_settings, event) for event in ours))
    await ann.sends(bob, "three")

    await bob.shows(ann, "one", "two", "three")
    await bob.has_unread(2)
    assert len(await pushes_to(im_settings, bob, 3)) == 3
