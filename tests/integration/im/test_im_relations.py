"""Friends, blacklists and friend groups, as the manual of the API tells them."""

import asyncio
from typing import Any

import aiohttp
import pytest
from im_api import APP, ImApi, a_user
from im_friends import (
    SOURCE,
    add,
    allow,
    blacklist,
    block,
    blocked,
    delete,
    delete_all,
    friends,
    group_sequence,
    groups,
    import_,
    page,
    related,
    unblock,
    update,
)
from published import published

from config.settings import Settings
from schemas.im.apps import App
from schemas.im.ids import key_of
from stores.collections import IM_RELATION_HEADS
from stores.im.relations_read import Standing, may_send
from stores.mongo import Database

REMARK, GROUP, TIME = "Tag_SNS_IM_Remark", "Tag_SNS_IM_Group", "Tag_SNS_IM_AddTime"
CUSTOM = "Tag_SNS_Custom_Test"


async def people(im: ImApi, *names: str) -> list[str]:
    users = [a_user(name) for name in names]
    await im.imported(*users)
    return users


# ---- friends ---------------------------------------------------------------------------------------------------------


async def test_a_friend_who_allows_anyone_is_one_at_once_on_both_sides(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")

    assert await add(im, ann, ben, Remark="Benny", GroupName="work", AddWording="It's me") == {ben: 0}

    mine, theirs = (await friends(im, ann))[ben], (await friends(im, ben))[ann]
    assert mine.pop(TIME) == theirs.pop(TIME)
    assert mine == {
        "Tag_SNS_IM_AddSource": SOURCE,
        REMARK: "Benny",
        GROUP: ["work"],
        "Tag_SNS_IM_AddWording": "It's me",
    }
    assert theirs == {"Tag_SNS_IM_AddSource": SOURCE}
    assert await related(im, ann, ben) == "BothWay"


async def test_one_may_be_put_on_a_list_without_the_other_way_round(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")

    assert await add(im, ann, ben, single=True) == {ben: 0}

    assert (await related(im, ann, ben), await related(im, ben, ann)) == ("AWithB", "BWithA")
    assert (await related(im, ann, ben, both=False), await related(im, ben, ann, both=False)) == (
        "AWithB",
        "NoRelation",
    )
    assert await friends(im, ben) == {}


async def test_friends_already_is_told_by_a_text(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")
    await add(im, ann, ben)

    body = {"From_Account": ann, "AddFriendItem": [{"To_Account": ben, "AddSource": SOURCE}]}
    (item,) = (await im.ok("sns/friend_add", body))["ResultItem"]

    assert (item["ResultCode"], item["ResultInfo"]) == (30001, "Err_SNS_FriendAdd_Friend_Exist")


async def test_who_wants_to_confirm_is_asked_and_says_yes_by_asking_back(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")
    await allow(im, ann, "NeedConfirm")
    await allow(im, ben, "NeedConfirm")

    assert await add(im, ann, ben) == {ben: 30539}
    assert await add(im, ann, ben) == {ben: 30539}
    assert await related(im, ann, ben) == "NoRelation"

    assert await add(im, ben, ann) == {ann: 0}
    assert await related(im, ann, ben) == "BothWay"

    await delete(im, ann, ben, both=True)
    assert await add(im, ben, ann) == {ann: 30539}


async def test_who_denies_everybody_is_befriended_by_force_only(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")
    await allow(im, ben, "DenyAny")

    assert await add(im, ann, ben) == {ben: 30516}
    assert await add(im, ann, ben, force=True) == {ben: 0}
    assert await related(im, ann, ben) == "BothWay"


async def test_who_may_not_ask_does_not(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")
    item = {"Tag": "Tag_Profile_IM_AdminForbidType", "Value": "AdminForbid_Type_SendOut"}
    await im.ok("profile/portrait_set", {"From_Account": ann, "ProfileItem": [item]})

    assert await add(im, ann, ben) == {ben: 30009}
    assert await add(im, ben, ann) == {ann: 0}


async def test_every_account_of_a_call_has_its_own_result(im: ImApi) -> None:
    ann, ben, cat, dan = await people(im, "ann", "ben", "cat", "dan")
    nobody = a_user("nobody")
    await allow(im, cat, "DenyAny")
    await block(im, dan, ann)

    codes = await add(im, ann, ben, cat, dan, nobody, ann)

    assert codes == {ben: 0, cat: 30516, dan: 30525, nobody: 30003, ann: 30001}
    assert [*await friends(im, ann)] == [ben]


@pytest.mark.parametrize(
    "fields",
    [
        {"Remark": "张" * 33},
        {"GroupName": "张" * 11},
        {"AddWording": "x" * 257},
        {"AddSource": "elsewhere"},
    ],
)
async def test_a_field_that_does_not_fit_keeps_out_its_own_friend(im: ImApi, fields: dict[str, str]) -> None:
    ann, ben, cat = await people(im, "ann", "ben", "cat")
    items = [{"To_Account": ben, "AddSource": SOURCE, **fields}, {"To_Account": cat, "AddSource": SOURCE}]

    answer = await im.ok("sns/friend_add", {"From_Account": ann, "AddFriendItem": items})

    assert [item["ResultCode"] for item in answer["ResultItem"]] == [30001, 0]


async def test_imported_friends_are_on_one_list_and_nobody_is_asked(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")
    await allow(im, ben, "DenyAny")
    custom = [{"Tag": CUSTOM, "Value": "x"}]
    fields = {"Remark": "B.", "GroupName": ["a", "b"], "AddTime": 1420000001, "RemarkTime": 1, "CustomItem": custom}

    assert await import_(im, ann, ben, **fields) == {ben: 0}
    assert await related(im, ann, ben) == "AWithB"

    assert await import_(im, ann, ben, Remark="Ben") == {ben: 0}
    assert await friends(im, ann) == {
        ben: {"Tag_SNS_IM_AddSource": SOURCE, REMARK: "Ben", GROUP: ["a", "b"], TIME: 1420000001, CUSTOM: "x"}
    }


async def test_what_is_noted_of_a_friend_is_changed_as_a_whole_or_not_at_all(im: ImApi) -> None:
    ann, ben, cat = await people(im, "ann", "ben", "cat")
    await add(im, ann, ben)

    assert await update(im, ann, ben, **{REMARK: "B.", GROUP: ["work", "golf"], CUSTOM: "x"}) == 0
    assert await update(im, ann, ben, **{REMARK: "C.", "Tag_SNS_Custom_None": "x"}) == 30001
    assert await update(im, ann, ben, **{REMARK: "C.", GROUP: [f"g{n}" for n in range(33)]}) == 30011
    assert await update(im, ann, cat, **{REMARK: "C."}) == 30001
    assert await update(im, ann, a_user("nobody"), **{REMARK: "C."}) == 30003

    noted = (await friends(im, ann))[ben]
    assert (noted[REMARK], noted[GROUP], noted[CUSTOM]) == ("B.", ["work", "golf"], "x")
    assert await groups(im, ann) == {"work": [ben], "golf": [ben]}


async def test_a_friend_is_deleted_on_one_side_or_on_both(im: ImApi) -> None:
    ann, ben, cat = await people(im, "ann", "ben", "cat")
    nobody = a_user("nobody")
    await add(im, ann, ben, cat)

    assert await delete(im, ann, ben) == {ben: 0}
    assert await delete(im, ann, ben) == {ben: 31704}
    assert await related(im, ann, ben) == "BWithA"
    assert await delete(im, ann, ben, cat, nobody, both=True) == {ben: 0, cat: 0, nobody: 30003}
    assert await delete(im, ann, ben, cat, both=True) == {ben: 31704, cat: 31704}
    assert (await related(im, ann, ben), await related(im, ann, cat)) == ("NoRelation", "NoRelation")


async def test_all_friends_are_deleted_from_one_list_or_from_both(im: ImApi) -> None:
    ann, *others = await people(im, "ann", *(f"friend{n}" for n in range(105)))
    await add(im, ann, *others)

    await delete_all(im, ann)
    assert await friends(im, ann) == {}
    assert await related(im, ann, others[0]) == "BWithA"

    await import_(im, ann, *others)
    await delete_all(im, ann, both=True)
    assert {await related(im, ann, other) for other in (others[0], others[-1])} == {"NoRelation"}


# ---- lists -----------------------------------------------------------------------------------------------------------


async def test_a_long_list_is_read_in_pages_in_the_order_of_adding(im: ImApi) -> None:
    ann, *others = await people(im, "ann", *(f"friend{n}" for n in range(205)))
    await import_(im, ann, *others)

    pages, start = [], 0
    while not pages or start:
        pages.append(await page(im, ann, start))
        start = pages[-1]["NextStartIndex"]

    assert [item["To_Account"] for answer in pages for item in answer["UserDataItem"]] == others
    assert [len(answer["UserDataItem"]) for answer in pages] == [100, 100, 5]
    assert [answer["CompleteFlag"] for answer in pages] == [0, 0, 1]
    assert {answer["FriendNum"] for answer in pages} == {205}
    assert (await page(im, ann, 205))["UserDataItem"] == []


async def test_data_whose_sequence_the_caller_has_is_left_out(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")
    await import_(im, ann, ben, CustomItem=[{"Tag": CUSTOM, "Value": "x"}])

    def tags(answer: dict[str, Any]) -> set[str]:
        return {value["Tag"] for item in answer["UserDataItem"] for value in item["ValueItem"]}

    def known(answer: dict[str, Any], *names: str) -> dict[str, int]:
        return {name: answer[name] for name in names}

    first = await page(im, ann)
    assert tags(first) == {"Tag_SNS_IM_AddSource", TIME, CUSTOM}
    assert tags(await page(im, ann, **known(first, "StandardSequence"))) == {CUSTOM}
    assert tags(await page(im, ann, **known(first, "CustomSequence"))) == {"Tag_SNS_IM_AddSource", TIME}
    nothing = await page(im, ann, **known(first, "StandardSequence", "CustomSequence"))
    assert (nothing["UserDataItem"], nothing["FriendNum"], nothing["CompleteFlag"]) == ([], 1, 1)

    await update(im, ann, ben, **{REMARK: "B."})
    assert tags(await page(im, ann, **known(first, "StandardSequence", "CustomSequence"))) == {
        "Tag_SNS_IM_AddSource",
        TIME,
        REMARK,
    }


async def test_a_list_joins_what_is_noted_of_friends_and_their_profiles(im: ImApi) -> None:
    ann, ben, cat = await people(im, "ann", "ben", "cat")
    await add(im, ann, ben, Remark="Benny")
    nick = {"Tag": "Tag_Profile_IM_Nick", "Value": "Ben"}
    await im.ok("profile/portrait_set", {"From_Account": ben, "ProfileItem": [nick]})
    tags = ["Tag_Profile_IM_Image", "Tag_Profile_IM_Nick", GROUP, REMARK]

    answer = await im.ok("sns/friend_get_list", {"From_Account": ann, "To_Account": [ben, cat], "TagList": tags})

    assert answer["InfoItem"] == [
        {
            "To_Account": ben,
            "SnsProfileItem": [nick, {"Tag": REMARK, "Value": "Benny"}],
            "ResultCode": 0,
            "ResultInfo": "",
        },
        {"To_Account": cat, "ResultCode": 30001, "ResultInfo": "Err_SNS_FriendGetList_Friend_Not_Exist"},
    ]
    assert answer["Fail_Account"] == [cat]
    unknown = {"From_Account": ann, "To_Account": [ben], "TagList": ["Tag_SNS_IM_Shoe"]}
    assert (await im.ask("sns/friend_get_list", unknown)).code == 30001


# ---- blacklists ------------------------------------------------------------------------------------------------------


async def test_who_is_blocked_is_no_friend_on_either_side_and_cannot_become_one(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")
    await add(im, ann, ben, GroupName="work")

    assert await block(im, ann, ben) == {ben: 0}

    assert await related(im, ann, ben) == "NoRelation"
    assert await groups(im, ann) == {"work": []}
    assert (await add(im, ann, ben, force=True), await add(im, ben, ann, force=True)) == ({ben: 30515}, {ann: 30525})
    assert (await import_(im, ann, ben), await import_(im, ben, ann)) == ({ben: 30515}, {ann: 30525})
    assert await related(im, ann, ben) == "NoRelation"
    assert await block(im, ann, ben) == {ben: 30001}
    assert (await blocked(im, ann, ben), await blocked(im, ben, ann)) == ("AWithB", "BWithA")
    assert (await blocked(im, ann, ben, both=False), await blocked(im, ben, ann, both=False)) == ("AWithB", "NO")

    assert await unblock(im, ann, ben) == {ben: 0}
    assert await unblock(im, ann, ben) == {ben: 0}
    assert await add(im, ann, ben) == {ben: 0}


async def test_to_block_settles_what_was_asked(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")
    await allow(im, ann, "NeedConfirm")
    await allow(im, ben, "NeedConfirm")
    await add(im, ben, ann)
    await block(im, ann, ben)
    await unblock(im, ann, ben)

    assert await add(im, ann, ben) == {ben: 30539}


async def test_a_blacklist_is_read_in_pages(im: ImApi) -> None:
    ann, *others = await people(im, "ann", *(f"foe{n}" for n in range(120)))
    nobody = a_user("nobody")

    codes = await block(im, ann, *others, nobody, ann)

    assert codes == {**dict.fromkeys(others, 0), nobody: 30003, ann: 30001}
    assert await blacklist(im, ann, size=50) == others
    await unblock(im, ann, *others[:119])
    assert await blacklist(im, ann) == others[119:]


async def test_messages_ask_how_two_stand_to_each_other(im: ImApi, im_database: Database) -> None:
    ann, ben, cat = await people(im, "ann", "ben", "cat")
    app = App(APP, "", frozenset())
    await add(im, ann, ben, single=True)
    await block(im, ann, cat)

    async def standing(from_: str, to: str) -> Standing:
        return await may_send(im_database, app, from_, to)

    none = Standing(blocking=False, blocked=False, has_friend=False, is_friend=False)
    assert await standing(ben, cat) == none
    assert await standing(ann, ann) == none
    assert await standing(ann, ben) == Standing(blocking=False, blocked=False, has_friend=True, is_friend=False)
    assert await standing(ben, ann) == Standing(blocking=False, blocked=False, has_friend=False, is_friend=True)
    assert await standing(ann, cat) == Standing(blocking=True, blocked=False, has_friend=False, is_friend=False)
    assert await standing(cat, ann) == Standing(blocking=False, blocked=True, has_friend=False, is_friend=False)


# ---- friend groups ---------------------------------------------------------------------------------------------------


async def test_friends_are_sorted_into_groups(im: ImApi) -> None:
    ann, ben, cat, dan = await people(im, "ann", "ben", "cat", "dan")
    await add(im, ann, ben, cat)
    nobody = a_user("nobody")

    body = {"From_Account": ann, "GroupName": ["work", "golf"], "To_Account": [ben, cat, dan, nobody]}
    answer = await im.ok("sns/group_add", body)

    assert [item["ResultCode"] for item in answer["ResultItem"]] == [0, 0, 30001, 30003]
    assert answer["ResultItem"][2]["ResultInfo"] == "Err_SNS_GroupAdd_Friend_Not_Exist"
    assert answer["Fail_Account"] == [dan, nobody]
    assert answer["CurrentSequence"] == await group_sequence(im, ann)
    assert await groups(im, ann) == {"work": [ben, cat], "golf": [ben, cat]}

    await delete(im, ann, ben)
    assert await groups(im, ann) == {"work": [cat], "golf": [cat]}
    assert await group_sequence(im, ann) > answer["CurrentSequence"]

    gone = await im.ok("sns/group_delete", {"From_Account": ann, "GroupName": ["work", "never there"]})
    assert gone["CurrentSequence"] == await group_sequence(im, ann)
    assert await groups(im, ann) == {"golf": [cat]}
    assert (await friends(im, ann))[cat][GROUP] == ["golf"]


async def test_a_group_may_be_empty_and_there_already(im: ImApi) -> None:
    (ann,) = await people(im, "ann")

    first = await im.ok("sns/group_add", {"From_Account": ann, "GroupName": ["work"]})
    again = await im.ok("sns/group_add", {"From_Account": ann, "GroupName": ["work"]})

    assert "ResultItem" not in first
    assert first["CurrentSequence"] == again["CurrentSequence"] == 1
    assert await groups(im, ann) == {"work": []}


async def test_friends_of_a_group_come_with_the_groups_that_are_named(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")
    await add(im, ann, ben, GroupName="work")
    need = {"From_Account": ann, "NeedFriend": "Need_Friend_Type_Yes"}

    assert (await im.ok("sns/group_get", need))["ResultItem"] == [{"GroupName": "work", "FriendNumber": 1}]
    named = await im.ok("sns/group_get", {**need, "GroupName": ["work", "never there"]})
    assert named["ResultItem"] == [{"GroupName": "work", "FriendNumber": 1, "To_Account": [ben]}]


async def test_a_user_has_at_most_32_groups(im: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")
    await im.ok("sns/group_add", {"From_Account": ann, "GroupName": [f"g{n}" for n in range(32)]})

    assert (await im.ask("sns/group_add", {"From_Account": ann, "GroupName": ["more"]})).code == 30011
    assert await add(im, ann, ben, GroupName="more") == {ben: 30011}
    assert await related(im, ann, ben) == "NoRelation"
    assert await add(im, ann, ben, GroupName="g31") == {ben: 0}


@pytest.mark.parametrize("name", ["", "张" * 11])
async def test_a_group_has_a_name_of_30_bytes(im: ImApi, name: str) -> None:
    (ann,) = await people(im, "ann")

    assert (await im.ask("sns/group_add", {"From_Account": ann, "GroupName": ["good", name]})).code == 30001
    assert await groups(im, ann) == {}


# ---- limits ----------------------------------------------------------------------------------------------------------


async def have(database: Database, user: str, **counts: int) -> None:
    """As if there were so many."""
    fields = {f"head.{name}": count for name, count in counts.items()}
    await database[IM_RELATION_HEADS].update_one(
        {"_id": key_of(APP, user)}, {"$set": {"head.version": 1, **fields}}, upsert=True
    )


async def test_a_list_that_is_full_takes_no_more_and_the_other_side_gets_nothing(
    im: ImApi, im_database: Database
) -> None:
    ann, ben, cat = await people(im, "ann", "ben", "cat")
    await have(im_database, ann, friends=2999)

    assert await add(im, ann, ben, cat) == {ben: 0, cat: 30010}
    assert await add(im, cat, ann) == {ann: 30014}
    assert await import_(im, ann, cat) == {cat: 30010}
    assert await related(im, cat, ann) == "NoRelation"


async def test_of_calls_at_the_same_moment_only_so_many_pass_as_there_is_room(im: ImApi, im_database: Database) -> None:
    ann, *others = await people(im, "ann", *(f"friend{n}" for n in range(12)))
    await have(im_database, ann, friends=2995, blocked=995)

    added = await asyncio.gather(*(add(im, ann, other) for other in others))
    assert sorted(code for codes in added for code in codes.values()) == [0] * 5 + [30010] * 7
    assert [len(await friends(im, other)) for other in others].count(1) == 5

    put = await asyncio.gather(*(block(im, ann, other) for other in others))
    assert sorted(code for codes in put for code in codes.values()) == [0] * 5 + [30013] * 7


@pytest.mark.parametrize(
    ("call", "fields"),
    [
        ("friend_add", {"AddFriendItem": [{"To_Account": "x", "AddSource": SOURCE}] * 1001}),
        ("friend_add", {"AddFriendItem": []}),
        ("friend_add", {"AddFriendItem": [{"To_Account": "x"}]}),
        ("friend_add", {"AddFriendItem": [{"To_Account": "x", "AddSource": SOURCE}], "AddType": "Add_Type_All"}),
        ("friend_import", {"AddFriendItem": [{"To_Account": "x", "AddSource": SOURCE, "GroupName": "g"}]}),
        ("friend_update", {"UpdateItem": [{"To_Account": "x", "SnsItem": []}]}),
        ("friend_delete", {"To_Account": ["x"] * 1001}),
        ("friend_delete", {"To_Account": ["x"], "DeleteType": "CheckResult_Type_Both"}),
        ("friend_check", {"To_Account": ["x"]}),
        ("friend_get", {}),
        ("friend_get", {"StartIndex": -1}),
        ("black_list_add", {"To_Account": []}),
        ("black_list_add", {"To_Account": ["x"] * 1001}),
        ("black_list_get", {"StartIndex": 0, "MaxLimited": 1001, "LastSequence": 0}),
        ("black_list_check", {"To_Account": ["x"], "CheckType": "CheckResult_Type_Both"}),
        ("group_add", {"GroupName": [f"g{n}" for n in range(33)]}),
        ("group_get", {"GroupName": []}),
    ],
)
async def test_a_call_that_is_wrong_is_refused(im: ImApi, call: str, fields: dict[str, Any]) -> None:
    (ann,) = await people(im, "ann")

    answered = await im.ask(f"sns/{call}", {"From_Account": ann, **fields})

    assert (answered.code, answered["ActionStatus"], answered["ErrorDisplay"]) == (30001, "FAIL", "")


CALLS: dict[str, dict[str, Any]] = {
    "friend_add": {"AddFriendItem": [{"To_Account": "x", "AddSource": SOURCE}]},
    "friend_import": {"AddFriendItem": [{"To_Account": "x", "AddSource": SOURCE}]},
    "friend_update": {"UpdateItem": [{"To_Account": "x", "SnsItem": [{"Tag": REMARK, "Value": "x"}]}]},
    "friend_delete": {"To_Account": ["x"]},
    "friend_delete_all": {},
    "friend_check": {"To_Account": ["x"], "CheckType": "CheckResult_Type_Both"},
    "friend_get": {"StartIndex": 0},
    "friend_get_list": {"To_Account": ["x"], "TagList": [REMARK]},
    "black_list_add": {"To_Account": ["x"]},
    "black_list_delete": {"To_Account": ["x"]},
    "black_list_get": {"StartIndex": 0, "MaxLimited": 10, "LastSequence": 0},
    "black_list_check": {"To_Account": ["x"], "CheckType": "BlackCheckResult_Type_Both"},
    "group_add": {"GroupName": ["g"]},
    "group_delete": {"GroupName": ["g"]},
    "group_get": {},
}


@pytest.mark.parametrize("call", CALLS)
async def test_relations_are_an_accounts_and_for_admins(im: ImApi, im_http: aiohttp.ClientSession, call: str) -> None:
    body = {"From_Account": a_user("nobody"), **CALLS[call]}

    assert (await im.ask(f"sns/{call}", body)).code == 30003
    assert (await ImApi(im_http, identifier="nobody").ask(f"sns/{call}", body)).code == 30004


# ---- tenants, accounts, facts ----------------------------------------------------------------------------------------


async def test_apps_have_relations_and_fields_of_their_own(im: ImApi, other: ImApi) -> None:
    ann, ben = await people(im, "ann", "ben")
    await other.imported(ann, ben)
    await add(im, ann, ben)
    await block(other, ben, ann)

    assert (await related(im, ann, ben), await related(other, ann, ben)) == ("BothWay", "NoRelation")
    assert await import_(other, ben, ann, CustomItem=[{"Tag": CUSTOM, "Value": "x"}]) == {ann: 30001}


async def test_with_an_account_go_all_its_relations(im: ImApi) -> None:
    ann, ben, cat = await people(im, "ann", "ben", "cat")
    await add(im, ann, ben, GroupName="work")
    await add(im, ben, ann, GroupName="work")
    await import_(im, ben, ann, GroupName=["work"])
    await block(im, cat, ann)
    await allow(im, ann, "NeedConfirm")
    before = await page(im, ann)

    await im.ok("im_open_login_svc/account_delete", {"DeleteItem": [{"UserID": ann}]})

    assert (await friends(im, ben), await groups(im, ben), await blacklist(im, cat)) == ({}, {"work": []}, [])
    assert (await im.ask("sns/friend_get", {"From_Account": ann, "StartIndex": 0})).code == 30003
    await im.imported(ann)
    after = await page(im, ann)
    assert (after["FriendNum"], await groups(im, ann)) == (0, {})
    assert after["StandardSequence"] > before["StandardSequence"]
    assert await add(im, ann, ben) == {ben: 0}


async def test_changes_are_told_once_however_often_the_call_is_repeated(im: ImApi, im_settings: Settings) -> None:
    ann, ben, cat = await people(im, "ann", "ben", "cat")
    await allow(im, cat, "NeedConfirm")
    for _ in range(2):
        await add(im, ann, ben, cat, GroupName="work")
    for _ in range(2):
        await block(im, ben, ann)
    for _ in range(2):
        await unblock(im, ben, ann)
    await import_(im, ann, ben)
    await delete(im, ann, ben)

    ours = {key_of(APP, user): user for user in (ann, ben, cat)}
    facts = {event.id: event for event in await published(im_settings.kafka) if event.subject in ours}
    told = sorted((ours[event.subject], event.type) for event in facts.values())

    assert told == sorted(
        [
            (ann, "im.friend.added"),
            (ben, "im.friend.added"),
            (cat, "im.friend.requested"),
            (ann, "im.friend-group.changed"),
            (ben, "im.blacklist.added"),
            (ben, "im.friend.deleted"),
            (ann, "im.friend.deleted"),
            (ben, "im.blacklist.deleted"),
            (ann, "im.friend.deleted"),
        ]
    )
