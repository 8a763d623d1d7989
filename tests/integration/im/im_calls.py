"""A request for every operation that is served: what the walk through the contract sends.

A module's `CALLS` has, by operationId, a builder: it brings about what the calls need and
returns their bodies, each of which must be answered with ErrorCode 0.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from im_api import ImApi, a_user
from im_contract import examples_of

Builder = Callable[[ImApi], Awaitable[list[Any]]]


async def import_accounts(_im: ImApi) -> list[Any]:
    return [*examples_of("imAccountImport"), {"UserID": a_user()}]


async def import_many(_im: ImApi) -> list[Any]:
    return [*examples_of("imMultiaccountImport"), {"Accounts": ["张" * 11, a_user()]}]


async def delete_accounts(im: ImApi) -> list[Any]:
    await im.imported("UserID_1")
    return examples_of("imAccountDelete")


async def check_accounts(im: ImApi) -> list[Any]:
    await im.imported("UserID_1")
    return examples_of("imAccountCheck")


async def kick(im: ImApi) -> list[Any]:
    await im.imported("test")
    return examples_of("imKick")


async def get_portraits(im: ImApi) -> list[Any]:
    await im.imported("id1", "id2", "id3")
    for user in ("id1", "id2", "id3"):
        items = [{"Tag": tag, "Value": "x"} for tag in ("Tag_Profile_IM_Nick", "Tag_Profile_Custom_Test")]
        await im.ok("profile/portrait_set", {"From_Account": user, "ProfileItem": items})
    return examples_of("imPortraitGet")


async def set_portraits(im: ImApi) -> list[Any]:
    await im.imported("id")
    return examples_of("imPortraitSet")


async def query_online(im: ImApi) -> list[Any]:
    await im.imported("id1", "id2", "id3")
    return examples_of("imQueryOnlineStatus")


async def get_ip_list(_im: ImApi) -> list[Any]:
    return examples_of("imGetIPList")


CALLS: dict[str, Builder] = {
    "imAccountImport": import_accounts,
    "imMultiaccountImport": import_many,
    "imAccountDelete": delete_accounts,
    "imAccountCheck": check_accounts,
    "imKick": kick,
    "imPortraitGet": get_portraits,
    "imPortraitSet": set_portraits,
    "imQueryOnlineStatus": query_online,
    "imGetIPList": get_ip_list,
}
