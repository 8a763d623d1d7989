"""Requests for the calls about relations, for the walk through the contract."""

from typing import Any

from im_api import ImApi
from im_calls import Builder
from im_contract import examples_of

USERS = ("id", "id1", "id2", "id3", "id4", "id5")
FRIENDS = ("UserID_1", "UserID_2", "UserID_3", "UserID_4")


async def _friends(im: ImApi, user: str, *others: str) -> None:
    """Everybody is an account, and the others are friends of the user, with all that a friend can have."""
    await im.imported(user, *others)
    await im.ok("sns/black_list_delete", {"From_Account": user, "To_Account": others})
    custom = [{"Tag": "Tag_SNS_Custom_Test", "Value": "x"}]
    items = [
        {"To_Account": other, "AddSource": "AddSource_Type_Test", "GroupName": ["group1"], "CustomItem": custom}
        for other in others
    ]
    answer = await im.ok("sns/friend_import", {"From_Account": user, "AddFriendItem": items})
    assert "Fail_Account" not in answer


def among_strangers(operation_id: str) -> Builder:
    async def build(im: ImApi) -> list[Any]:
        await im.imported(*USERS)
        return examples_of(operation_id)

    return build


def among_friends(operation_id: str, *users: str) -> Builder:
    async def build(im: ImApi) -> list[Any]:
        await _friends(im, *users)
        return examples_of(operation_id)

    return build


async def get_list(im: ImApi) -> list[Any]:
    await im.imported(*FRIENDS)
    nick = {"Tag": "Tag_Profile_IM_Nick", "Value": "nick_2"}
    await im.ok("profile/portrait_set", {"From_Account": "UserID_2", "ProfileItem": [nick]})
    await _friends(im, *FRIENDS[:3])
    return examples_of("imFriendGetList")


async def blacklist(im: ImApi) -> list[Any]:
    await im.imported(*USERS)
    await im.ok("sns/black_list_add", {"From_Account": "id", "To_Account": ["id4", "id5"]})
    return examples_of("imBlackListGet")


CALLS: dict[str, Builder] = {
    "imFriendAdd": among_strangers("imFriendAdd"),
    "imFriendImport": among_strangers("imFriendImport"),
    "imFriendUpdate": among_friends("imFriendUpdate", *USERS[:3]),
    "imFriendDelete": among_friends("imFriendDelete", *USERS[:3]),
    "imFriendDeleteAll": among_friends("imFriendDeleteAll", *USERS),
    "imFriendCheck": among_friends("imFriendCheck", *USERS[:3]),
    "imFriendGet": among_friends("imFriendGet", *USERS[:3]),
    "imFriendGetList": get_list,
    "imBlackListAdd": among_friends("imBlackListAdd", *USERS[:2]),
    "imBlackListDelete": among_strangers("imBlackListDelete"),
    "imBlackListGet": blacklist,
    "imBlackListCheck": among_strangers("imBlackListCheck"),
    "imSnsGroupAdd": among_friends("imSnsGroupAdd", *USERS[:2]),
    "imSnsGroupDelete": among_friends("imSnsGroupDelete", *USERS[:3]),
    "imSnsGroupGet": among_friends("imSnsGroupGet", *USERS[:3]),
}
