"""The list of conversations: what moves up in it, what is pinned, deleted, paged."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from im_api import ImApi
from im_messages import Person, at_work, people

from config.settings import Settings
from schemas.im.message import conversation_of
from tests.integration.chat_api import an_event, eventually, publish


@pytest.fixture(scope="module", autouse=True)
async def folder(im_settings: Settings, im_http: object) -> AsyncIterator[None]:
    async with at_work(im_settings):
        yield


async def shows(person: Person, *expected: tuple[Person, int], **fields: Any) -> None:
    """Waits until the list is exactly this."""

    async def reached() -> bool:
        return await person.listed(**fields) == [(peer.id, pinned) for peer, pinned in expected]

    await eventually(reached)


async def pin(settings: Settings, owner: Person, peer: Person, *, pinned: bool = True) -> None:
    conversation = conversation_of(owner.im.app, owner.id, peer.id)
    sides = {"app": owner.im.app, "owner": owner.id, "peer": peer.id, "pinned": pinned}
    await publish(settings, an_event("im.conversation.pinned", conversation, {"conversation": conversation, **sides}))


async def test_conversations_go_by_the_time_of_their_last_message(im: ImApi) -> None:
    ann, bob, cid, dan = await people(im, "ann", "bob", "cid", "dan")
    for second, (sender, receiver) in enumerate(((ann, bob), (cid, ann), (ann, dan), (bob, ann)), 1_700_000_000):
        await sender.imported(receiver, "x", second)

    await shows(ann, (cid, 0), (dan, 0), (bob, 0))
    await shows(bob, (ann, 0))
    await cid.imported(ann, "an old one", 1_600_000_000)
    await ann.sends(cid, "not shown", SendMsgControl=["NoLastMsg"])
    await cid.shows(ann, "an old one", "x", "not shown")
    await shows(ann, (cid, 0), (dan, 0), (bob, 0))
    page = await im.ok("recentcontact/get_list", first(ann))
    assert [item["MsgTime"] for item in page["SessionItem"]] == [1_700_000_001, 1_700_000_002, 1_700_000_003]


def first(person: Person, **fields: Any) -> dict[str, Any]:
    cursor = {"TimeStamp": 0, "StartIndex": 0, "TopTimeStamp": 0, "TopStartIndex": 0}
    return {"From_Account": person.id, "AssistFlags": 7, **cursor, **fields}


async def test_a_deleted_conversation_comes_back_with_the_next_message(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    await ann.sends(bob, "one")
    await bob.has_unread(1)

    await bob.deletes(ann, history=False)
    await shows(bob)
    await shows(ann, (bob, 0))
    await bob.shows(ann, "one")
    assert await bob.unread() == 1

    await ann.sends(bob, "two")
    await shows(bob, (ann, 0))
    await bob.shows(ann, "one", "two")


async def test_a_history_is_cleared_for_one_side_alone_and_nothing_of_it_is_unread(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    await ann.sends(bob, "one")
    await ann.sends(bob, "two")
    await bob.has_unread(2)

    await bob.deletes(ann, history=True)
    await bob.has_unread(0)
    await ann.sends(bob, "three")
    await bob.shows(ann, "three")

    await bob.has_unread(1)
    await ann.shows(bob, "one", "two", "three")
    await shows(ann, (bob, 0))


async def test_whoever_gets_the_name_of_a_deleted_account_has_nothing_of_its_conversations(
    im: ImApi, im_settings: Settings
) -> None:
    ann, bob, cid = await people(im, "ann", "bob/%", "cid")
    await ann.sends(bob, "one")
    await bob.sends(ann, "two")
    await cid.sends(bob, "three")
    await pin(im_settings, bob, cid)
    await bob.has_unread(2)
    await shows(bob, (cid, 1), (ann, 0))

    for _ in range(2):  # nobody heard of the end of the first call
        await im.ok("im_open_login_svc/account_delete", {"DeleteItem": [{"UserID": bob.id}]})
    await im.imported(bob.id)

    await bob.has_unread(0)
    await shows(bob)
    await bob.shows(ann)
    await bob.shows(cid)
    await ann.shows(bob, "one", "two")
    await shows(ann, (bob, 0))
    await ann.has_unread(1)

    await ann.sends(bob, "welcome")
    await bob.has_unread(1)
    await bob.shows(ann, "welcome")
    await shows(bob, (ann, 0))


async def test_an_old_message_imported_after_that_makes_an_empty_conversation(im: ImApi) -> None:
    ann, bob = await people(im, "ann", "bob")
    await bob.deletes(ann, history=True)
    await ann.imported(bob, "old")
    await ann.shows(bob, "old")

    assert await bob.history(ann) == []
    assert await bob.unread() == 0
    await shows(bob, (ann, 0))
    await shows(bob, AssistFlags=5)


async def test_pinned_conversations_come_first(im: ImApi, im_settings: Settings) -> None:
    ann, *others = await people(im, "ann", "bob", "cid", "dan")
    bob, cid, dan = others
    for second, person in enumerate(others, 1_700_000_000):
        await person.imported(ann, "x", second)
    await pin(im_settings, ann, dan)
    await pin(im_settings, ann, cid)
    await shows(ann, (cid, 1), (dan, 1), (bob, 0))
    await shows(ann, (bob, 0), (cid, 0), (dan, 0), AssistFlags=6)

    await cid.imported(ann, "pinned still", 1_700_000_009)
    await shows(ann, (dan, 1), (cid, 1), (bob, 0))
    await pin(im_settings, ann, dan, pinned=False)
    await shows(ann, (cid, 1), (bob, 0), (dan, 0))
    await ann.deletes(cid, history=False)
    await shows(ann, (bob, 0), (dan, 0))
    await cid.imported(ann, "back again", 1_700_000_010)
    await shows(ann, (bob, 0), (dan, 0), (cid, 0))


@pytest.mark.parametrize("flags", [7, 5, 2])
async def test_long_lists_are_paged_and_miss_none(im: ImApi, im_settings: Settings, flags: int) -> None:
    ann, *others = await people(im, "ann", *("peer" for _ in range(230)))
    message = {
        "From_Account": ann.id,
        "To_Account": [person.id for person in others],
        "MsgRandom": 1,
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "x"}}],
    }
    await im.ok("openim/batchsendmsg", message)
    pinned = others[:120]
    for person in pinned[:3]:
        await pin(im_settings, ann, person)
    for person in pinned[3:]:
        await pin(im_settings, ann, person)

    async def complete() -> bool:
        found = await ann.listed(AssistFlags=7)
        return sum(top for _, top in found) == 120 and len(found) == 230

    await eventually(complete)
    found = await ann.listed(AssistFlags=flags)
    assert sorted(peer for peer, _ in found) == sorted(person.id for person in others)
    apart = bool(flags & 1)
    assert [top for _, top in found] == ([1] * 120 + [0] * 110 if apart else [0] * 230)


async def test_a_list_or_a_deletion_that_is_wrong_is_refused(im: ImApi) -> None:
    (ann,) = await people(im, "ann")
    stranger = Person(im)

    assert (await im.ask("recentcontact/get_list", first(stranger))).code == 50001
    assert (await im.ask("recentcontact/get_list", first(ann, TimeStamp=-1))).code == 50002
    assert (await im.ask("recentcontact/get_list", first(ann, AssistFlags=8))).code == 50002
    deletion = {"From_Account": ann.id, "Type": 1, "To_Account": "x"}
    for fields, code in (
        ({"From_Account": stranger.id}, 50001),
        ({"Type": 3}, 50002),
        ({"Type": 2, "ToGroupid": "group"}, 50002),
        ({"To_Account": None}, 50002),
        ({"To_Account": ""}, 50002),
        ({"ClearRamble": 2}, 50002),
    ):
        assert (await im.ask("recentcontact/delete", {**deletion, **fields})).code == code
