"""Relations as the callers of the API see them."""

from typing import Any

from im_api import ImApi

SOURCE = "AddSource_Type_Test"

Codes = dict[str, int]


async def outcome(im: ImApi, command: str, user: str, **fields: Any) -> Codes:
    """The result codes of a call that goes well as a whole."""
    answer = await im.ok(f"sns/{command}", {"From_Account": user, **fields})
    codes = {item["To_Account"]: item["ResultCode"] for item in answer["ResultItem"]}
    assert answer.get("Fail_Account", []) == [other for other, code in codes.items() if code]
    assert all(bool(item["ResultCode"]) == bool(item["ResultInfo"]) for item in answer["ResultItem"])
    return codes


async def add(im: ImApi, user: str, *others: str, single: bool = False, force: bool = False, **fields: Any) -> Codes:
    items = [{"To_Account": other, "AddSource": SOURCE, **fields} for other in others]
    kind = "Add_Type_Single" if single else "Add_Type_Both"
    return await outcome(im, "friend_add", user, AddFriendItem=items, AddType=kind, ForceAddFlags=int(force))


async def import_(im: ImApi, user: str, *others: str, **fields: Any) -> Codes:
    items = [{"To_Account": other, "AddSource": SOURCE, **fields} for other in others]
    return await outcome(im, "friend_import", user, AddFriendItem=items)


async def update(im: ImApi, user: str, other: str, **fields: Any) -> int:
    items = [{"Tag": tag, "Value": value} for tag, value in fields.items()]
    return (await outcome(im, "friend_update", user, UpdateItem=[{"To_Account": other, "SnsItem": items}]))[other]


async def delete(im: ImApi, user: str, *others: str, both: bool = False) -> Codes:
    kind = "Delete_Type_Both" if both else "Delete_Type_Single"
    return await outcome(im, "friend_delete", user, To_Account=others, DeleteType=kind)


async def delete_all(im: ImApi, user: str, *, both: bool = False) -> None:
    fields = {"DeleteType": "Delete_Type_Both"} if both else {}
    await im.ok("sns/friend_delete_all", {"From_Account": user, **fields})


async def block(im: ImApi, user: str, *others: str) -> Codes:
    return await outcome(im, "black_list_add", user, To_Account=others)


async def unblock(im: ImApi, user: str, *others: str) -> Codes:
    return await outcome(im, "black_list_delete", user, To_Account=others)


async def page(im: ImApi, user: str, start: int = 0, **sequences: int) -> dict[str, Any]:
    return await im.ok("sns/friend_get", {"From_Account": user, "StartIndex": start, **sequences})


async def friends(im: ImApi, user: str) -> dict[str, dict[str, Any]]:
    """The whole list: each friend's fields."""
    found: dict[str, dict[str, Any]] = {}
    start, complete = 0, 0
    while not complete:
        answer = await page(im, user, start)
        for item in answer["UserDataItem"]:
            found[item["To_Account"]] = {value["Tag"]: value["Value"] for value in item["ValueItem"]}
        start, complete = answer["NextStartIndex"], answer["CompleteFlag"]
    assert answer["FriendNum"] == len(found)
    return found


async def blacklist(im: ImApi, user: str, size: int = 1000) -> list[str]:
    found: list[str] = []
    start = 0
    while True:
        body = {"From_Account": user, "StartIndex": start, "MaxLimited": size, "LastSequence": 0}
        answer = await im.ok("sns/black_list_get", body)
        found += [item["To_Account"] for item in answer["BlackListItem"]]
        start = answer["StartIndex"]
        if not start:
            return found


async def groups(im: ImApi, user: str) -> dict[str, list[str]]:
    """The groups with their friends."""
    numbers = {item["GroupName"]: item["FriendNumber"] for item in (await _groups(im, user))["ResultItem"]}
    if not numbers:
        return {}
    named = await _groups(im, user, GroupName=[*numbers], NeedFriend="Need_Friend_Type_Yes")
    members = {item["GroupName"]: item["To_Account"] for item in named["ResultItem"]}
    assert {name: len(friends) for name, friends in members.items()} == numbers
    return members


async def _groups(im: ImApi, user: str, **fields: Any) -> dict[str, Any]:
    return await im.ok("sns/group_get", {"From_Account": user, **fields})


async def group_sequence(im: ImApi, user: str) -> int:
    return (await _groups(im, user))["CurrentSequence"]


async def related(im: ImApi, user: str, other: str, *, both: bool = True) -> str:
    """What friend_check says, without its prefix."""
    kind = "CheckResult_Type_Both" if both else "CheckResult_Type_Single"
    body = {"From_Account": user, "To_Account": [other], "CheckType": kind}
    (item,) = (await im.ok("sns/friend_check", body))["InfoItem"]
    return item["Relation"].removeprefix("CheckResult_Type_")


async def blocked(im: ImApi, user: str, other: str, *, both: bool = True) -> str:
    """What black_list_check says, without its prefix."""
    kind = "BlackCheckResult_Type_Both" if both else "BlackCheckResult_Type_Single"
    body = {"From_Account": user, "To_Account": [other], "CheckType": kind}
    (item,) = (await im.ok("sns/black_list_check", body))["BlackListCheckItem"]
    return item["Relation"].removeprefix("BlackCheckResult_Type_")


async def allow(im: ImApi, user: str, kind: str) -> None:
    """`kind` is AllowAny, NeedConfirm or DenyAny."""
    item = {"Tag": "Tag_Profile_IM_AllowType", "Value": f"AllowType_Type_{kind}"}
    await im.ok("profile/portrait_set", {"From_Account": user, "ProfileItem": [item]})
