"""Calls about relations that are cut off at any point, wake up late, or cross each other."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cut_off import Asleep, CutOff, Overtaken
from im_api import ADMIN, APP, ImApi, a_user
from im_friends import SOURCE, add, blacklist, block, blocked, delete, friends, groups, import_, page, related, unblock

from gateway.im.frame import Caller
from gateway.im.sns.commands import sns_commands
from gateway.system import Call, Reply
from schemas.errors import StoreAway
from schemas.im.apps import App
from schemas.im.ids import key_of
from stores.collections import IM_RELATION_HEADS, IM_RELATIONS
from stores.im import relations as store
from stores.im.relations_forget import forget_relations
from stores.mongo import Database

MY_APP = App(APP, "", frozenset({ADMIN}))


async def carry_out(database: Any, command: str, body: dict[str, Any]) -> Reply:
    """A call of the API on a database of one's own, without the gateway around it."""
    (found,) = (known for known in sns_commands(database) if known.name == command)
    call = Call("POST", found.path, {}, {}, msgspec.json.encode(body), datetime.now(UTC), "", "")
    return await found.handle(Caller(MY_APP, ADMIN, call), msgspec.convert(body, found.body))


def adding(user: str, *others: str, **fields: Any) -> dict[str, Any]:
    items = [{"To_Account": other, "AddSource": SOURCE, "GroupName": "work"} for other in others]
    return {"From_Account": user, "AddFriendItem": items, **fields}


async def everything(im: ImApi, users: list[str]) -> dict[str, Any]:
    """What the lists of these users say, without the times, under names that other users' may be compared with."""
    names = {user: f"user {number}" for number, user in enumerate(users)}
    state = {}
    for user in users:
        noted = {names[other]: fields.get("Tag_SNS_IM_Group") for other, fields in (await friends(im, user)).items()}
        members = {group: [names[other] for other in found] for group, found in (await groups(im, user)).items()}
        state[names[user]] = (noted, members, [names[other] for other in await blacklist(im, user)])
    return state


CALLS: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "add both": ("friend_add", lambda me, *you: adding(me, *you)),
    "add one-sided": ("friend_add", lambda me, *you: adding(me, *you, AddType="Add_Type_Single")),
    "delete both": ("friend_delete", lambda me, *you: {"From_Account": me, "To_Account": you, "DeleteType": BOTH}),
    "delete one-sided": ("friend_delete", lambda me, *you: {"From_Account": me, "To_Account": you}),
    "delete all": ("friend_delete_all", lambda me, *you: {"From_Account": me, "DeleteType": BOTH}),
    "block": ("black_list_add", lambda me, *you: {"From_Account": me, "To_Account": you}),
    "group": ("group_add", lambda me, *you: {"From_Account": me, "GroupName": ["golf"], "To_Account": you}),
    "ungroup": ("group_delete", lambda me, *you: {"From_Account": me, "GroupName": ["work"]}),
}
BOTH = "Delete_Type_Both"

FRIENDS_BEFORE = ("delete both", "delete one-sided", "delete all", "block", "group", "ungroup")


async def three(im: ImApi, name: str) -> list[str]:
    """People as they are before the call of that name."""
    users = [a_user("p") for _ in range(3)]
    await im.imported(*users)
    if name in FRIENDS_BEFORE:
        await add(im, users[0], *users[1:], GroupName="work")
    return users


async def carry_out_cut_off(database: Database, writes: int, command: str, body: dict[str, Any]) -> bool:
    """Whether the call came to its end, with so many writes."""
    try:
        await carry_out(CutOff(database, writes), command, body)
    except StoreAway:
        return False
    return True


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_was_cut_off_anywhere_is_carried_through_by_a_repeat(
    im: ImApi, im_database: Database, name: str
) -> None:
    command, body = CALLS[name]
    users = await three(im, name)
    await carry_out(im_database, command, body(*users))
    expected = await everything(im, users)
    for writes in range(100):
        users = await three(im, name)
        whole = await carry_out_cut_off(im_database, writes, command, body(*users))

        await carry_out(im_database, command, body(*users))

        assert await everything(im, users) == expected, f"cut off after {writes} writes"
        if whole:
            break
    assert 2 < writes < 30


async def test_what_a_cut_off_call_has_decided_is_seen_whole_by_the_next_who_looks(
    im: ImApi, im_database: Database
) -> None:
    ann, ben = a_user("ann"), a_user("ben")
    await im.imported(ann, ben)
    # One write, to the head: it is decided, and no edge is written.
    assert not await carry_out_cut_off(im_database, 1, "friend_add", adding(ann, ben, AddType="Add_Type_Single"))
    head = await im_database[IM_RELATION_HEADS].find_one({"_id": key_of(APP, ann)})
    assert head is not None
    assert "work" in head
    assert await im_database[IM_RELATIONS].find_one({"_id": key_of(APP, ann, ben)}) is None

    answer = await page(im, ann)

    assert (answer["FriendNum"], [item["To_Account"] for item in answer["UserDataItem"]]) == (1, [ben])
    assert await groups(im, ann) == {"work": [ben]}


async def test_a_writer_that_wakes_up_late_sets_nothing_back(im: ImApi, im_database: Database) -> None:
    ann, ben, cat = a_user("ann"), a_user("ben"), a_user("cat")
    await im.imported(ann, ben, cat)
    sleeper = Asleep(im_database, IM_RELATIONS)
    late = asyncio.create_task(carry_out(sleeper, "friend_add", adding(ann, ben, cat, AddType="Add_Type_Single")))
    await sleeper.fell_asleep.wait()

    # Meanwhile others see the change, carry it through and go on: one friend is deleted, the other blocked.
    assert [*await friends(im, ann)] == [ben, cat]
    assert await delete(im, ann, ben) == {ben: 0}
    assert await block(im, ann, cat) == {cat: 0}
    sleeper.awake.set()
    await late

    assert await friends(im, ann) == {}
    assert await blacklist(im, ann) == [cat]
    assert await groups(im, ann) == {"work": []}


async def test_who_was_blocked_while_adding_is_taken_off_again(im: ImApi, im_database: Database) -> None:
    ann, ben = a_user("ann"), a_user("ben")
    await im.imported(ann, ben)
    sleeper = Asleep(im_database, IM_RELATION_HEADS)
    late = asyncio.create_task(carry_out(sleeper, "friend_add", adding(ann, ben, AddType="Add_Type_Single")))
    await sleeper.fell_asleep.wait()

    # Nothing stood against it when it was decided.
    assert await block(im, ben, ann) == {ann: 0}
    sleeper.awake.set()
    reply = await late

    assert [item.result_code for item in reply.data.result_item] == [30525]
    assert reply.facts == () or {fact.type for fact in reply.facts} == {"im.friend-group.changed"}
    assert (await related(im, ann, ben), await blocked(im, ann, ben)) == ("NoRelation", "BWithA")


async def test_a_friend_whom_the_own_list_has_no_room_for_is_taken_off_the_others(
    im: ImApi, im_database: Database
) -> None:
    ann, ben, cat = a_user("ann"), a_user("ben"), a_user("cat")
    await im.imported(ann, ben, cat)
    await im_database[IM_RELATION_HEADS].insert_one({"_id": key_of(APP, ann), "head": {"version": 1, "friends": 2999}})
    sleeper = Asleep(im_database, IM_RELATION_HEADS)
    late = asyncio.create_task(carry_out(sleeper, "friend_add", adding(ann, ben)))
    await sleeper.fell_asleep.wait()

    # There was room for one more, which is taken now.
    assert await import_(im, ann, cat) == {cat: 0}
    sleeper.awake.set()
    reply = await late

    assert [item.result_code for item in reply.data.result_item] == [30010]
    assert await related(im, ann, ben) == "NoRelation"
    assert reply.facts == ()


async def test_calls_at_the_same_moment_lose_nothing_of_each_other(im: ImApi) -> None:
    ann, *others = users = [a_user("p") for _ in range(16)]
    await im.imported(*users)
    before = await page(im, ann)

    await asyncio.gather(
        *(add(im, ann, other, GroupName="work") for other in others[:8]),
        *(add(im, other, ann) for other in others[8:]),
    )

    after = await page(im, ann)
    assert after["FriendNum"] == len(after["UserDataItem"]) == len(others)
    assert after["StandardSequence"] == before["StandardSequence"] + len(others)
    assert sorted((await groups(im, ann))["work"]) == sorted(others[:8])
    assert {await related(im, ann, other) for other in others} == {"BothWay"}


async def test_whatever_crosses_who_is_blocked_is_no_friend(im: ImApi) -> None:
    pairs = [(a_user("ann"), a_user("ben")) for _ in range(10)]
    await im.imported(*(user for pair in pairs for user in pair))

    async def cross(ann: str, ben: str) -> None:
        acts: list[Callable[[], Awaitable[Any]]] = [
            lambda: add(im, ann, ben),
            lambda: block(im, ben, ann),
            lambda: import_(im, ann, ben),
            lambda: add(im, ben, ann, single=True),
        ]
        await asyncio.gather(*(act() for act in acts))

    await asyncio.gather(*(cross(*pair) for pair in pairs))

    for ann, ben in pairs:
        assert (await related(im, ann, ben), await blocked(im, ben, ann)) == ("NoRelation", "AWithB")
        await unblock(im, ben, ann)
        assert await add(im, ann, ben) == {ben: 0}


async def test_relations_that_others_go_on_changing_faster_are_a_conflict(
    im: ImApi, im_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = a_user("ann"), a_user("ben")
    await im.imported(ann, ben)
    monkeypatch.setattr(store, "PATIENCE_SECONDS", 0.0)

    async def change_ann() -> None:
        version = {"$inc": {"head.version": 1}}
        await im_database[IM_RELATION_HEADS].update_one({"_id": key_of(APP, ann)}, version, upsert=True)

    reply = await carry_out(Overtaken(im_database, change_ann), "friend_add", adding(ann, ben))

    assert [item.result_code for item in reply.data.result_item] == [30008]
    assert await related(im, ann, ben) == "NoRelation"


@pytest.mark.parametrize("name", ["add both", "delete both", "block"])
async def test_a_repeat_tells_again_what_was_done_under_the_same_ids(
    im: ImApi, im_database: Database, name: str
) -> None:
    command, body = CALLS[name]
    users = await three(im, name)

    first = await carry_out(im_database, command, body(*users))
    again = await carry_out(im_database, command, body(*users))

    told = {fact.id for fact in first.facts if fact.type != "im.friend-group.changed"}
    assert len(told) >= 4
    assert {fact.id for fact in again.facts} == told
    await make_older(im_database, users, timedelta(minutes=10))
    assert (await carry_out(im_database, command, body(*users))).facts == ()


async def test_what_another_call_has_done_is_not_told_again(im: ImApi, im_database: Database) -> None:
    ann, ben = a_user("ann"), a_user("ben")
    await im.imported(ann, ben)
    await carry_out(im_database, "friend_add", adding(ann, ben))

    (known,) = (await carry_out(im_database, "friend_add", adding(ben, ann))).data.result_item
    assert (await carry_out(im_database, "friend_add", adding(ben, ann))).facts == ()
    assert known.result_code == 30001

    await carry_out(im_database, "friend_delete", {"From_Account": ben, "To_Account": [ann]})
    reply = await carry_out(im_database, "friend_delete", {"From_Account": ann, "To_Account": [ben]})
    assert [(fact.type, fact.subject) for fact in reply.facts] == [("im.friend.deleted", key_of(APP, ann))]


async def make_older(database: Database, users: list[str], age: timedelta) -> None:
    """What was told of these users was told so long ago."""
    edges = {"_id": {"$in": [key_of(APP, by, of) for by in users for of in users]}, "told": {"$exists": True}}
    await database[IM_RELATIONS].update_many(edges, {"$set": {"told.at": datetime.now(UTC) - age}})


async def test_to_forget_an_account_is_carried_through_by_a_repeat(im: ImApi, im_database: Database) -> None:
    for writes in range(100):
        ann, ben, cat = a_user("ann"), a_user("ben"), a_user("cat")
        await im.imported(ann, ben, cat)
        await add(im, ann, ben, GroupName="work")
        await add(im, ben, cat)
        await block(im, cat, ann)
        try:
            await forget_relations(CutOff(im_database, writes), MY_APP, [ann])  # type: ignore[arg-type]
            whole = True
        except StoreAway:
            whole = False

        await forget_relations(im_database, MY_APP, [ann])

        assert await everything(im, [ann]) == {"user 0": ({}, {}, [])}
        assert ([*await friends(im, ben)], await blacklist(im, cat)) == ([cat], [])
        if whole:
            break
    assert 5 < writes < 40
