"""Profiles: fields set and read at once."""

from typing import Any

import aiohttp
import pytest
from im_api import ImApi, a_user

NICK, GENDER, LEVEL = "Tag_Profile_IM_Nick", "Tag_Profile_IM_Gender", "Tag_Profile_IM_Level"
CUSTOM = "Tag_Profile_Custom_Test"


async def put(im: ImApi, user: str, **fields: Any) -> None:
    await im.ok("profile/portrait_set", setting(user, fields))


def setting(user: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"From_Account": user, "ProfileItem": [{"Tag": tag, "Value": value} for tag, value in fields.items()]}


async def read(im: ImApi, users: list[str], *tags: str) -> dict[str, Any]:
    return await im.ok("profile/portrait_get", {"To_Account": users, "TagList": tags})


async def fields(im: ImApi, user: str, *tags: str) -> dict[str, Any]:
    (item,) = (await read(im, [user], *tags))["UserProfileItem"]
    return {value["Tag"]: value["Value"] for value in item["ProfileItem"]}


async def test_what_is_set_is_read_at_once_and_the_rest_stays(im: ImApi) -> None:
    user = a_user()
    await im.imported(user)

    await put(im, user, **{NICK: "Han", GENDER: "Gender_Type_Female", LEVEL: 2**32 - 1, CUSTOM: "Ü"})
    await put(im, user, **{NICK: "Mei"})

    everything = {NICK: "Mei", GENDER: "Gender_Type_Female", LEVEL: 2**32 - 1, CUSTOM: "Ü"}
    assert await fields(im, user, *everything) == everything
    assert await fields(im, user, LEVEL) == {LEVEL: 2**32 - 1}
    assert await fields(im, user, "Tag_Profile_IM_Image") == {}


async def test_the_envelope_has_a_text_for_end_users(im: ImApi) -> None:
    user = a_user()
    await im.imported(user)

    body = await im.ok("profile/portrait_set", setting(user, {NICK: "x"}))

    assert body == {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "", "ErrorDisplay": ""}
    assert (await im.ask("profile/portrait_set", {}))["ErrorDisplay"] == ""


async def test_a_user_that_nobody_knows_fails_alone(im: ImApi) -> None:
    user, stranger = a_user(), a_user()
    await im.imported(user)

    answer = await read(im, [stranger, user], NICK)

    assert [item["ResultCode"] for item in answer["UserProfileItem"]] == [40003, 0]
    assert answer["Fail_Account"] == [stranger]
    assert "Fail_Account" not in await read(im, [user], NICK)


async def test_a_field_that_there_is_not_fails_every_user(im: ImApi) -> None:
    user = a_user()
    await im.imported(user)

    answer = await read(im, [user], NICK, "Tag_Profile_Custom_None")

    assert [item["ResultCode"] for item in answer["UserProfileItem"]] == [40009]
    assert answer["Fail_Account"] == [user]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"Tag_Profile_IM_Shoe": "43"}, 40009),
        ({"Tag_Profile_Custom_None": "x"}, 40009),
        ({NICK: "x" * 501}, 40601),
        ({CUSTOM: "张" * 167}, 40601),
        ({GENDER: "male"}, 40605),
        ({LEVEL: 2**32}, 40605),
        ({LEVEL: -1}, 40605),
        ({NICK: 7}, 40610),
        ({LEVEL: "7"}, 40610),
        ({LEVEL: True}, 40610),
        ({CUSTOM: {"a": 1}}, 40610),
        ({CUSTOM: None}, 40610),
    ],
)
async def test_a_value_that_does_not_fit_changes_nothing(im: ImApi, values: dict[str, Any], code: int) -> None:
    user = a_user()
    await im.imported(user)

    answered = await im.ask("profile/portrait_set", setting(user, {"Tag_Profile_IM_Role": 7, **values}))

    assert (answered.code, answered["ActionStatus"]) == (code, "FAIL")
    assert await fields(im, user, "Tag_Profile_IM_Role") == {}


@pytest.mark.parametrize(
    ("call", "body", "code"),
    [
        ("portrait_set", {"ProfileItem": []}, 40001),
        ("portrait_set", {"From_Account": "u", "ProfileItem": []}, 40001),
        ("portrait_set", {"From_Account": "u", "ProfileItem": [{"Tag": NICK}]}, 40001),
        ("portrait_set", {"From_Account": 7, "ProfileItem": [{"Tag": NICK, "Value": "x"}]}, 40001),
        ("portrait_set", {"From_Account": "nobody", "ProfileItem": [{"Tag": NICK, "Value": "x"}]}, 40003),
        ("portrait_get", {"To_Account": [], "TagList": [NICK]}, 40001),
        ("portrait_get", {"To_Account": ["u"] * 101, "TagList": [NICK]}, 40001),
        ("portrait_get", {"To_Account": ["u"], "TagList": []}, 40001),
        ("portrait_get", {"To_Account": "u", "TagList": [NICK]}, 40001),
    ],
)
async def test_a_call_that_is_wrong_is_refused(im: ImApi, call: str, body: dict[str, Any], code: int) -> None:
    assert (await im.ask(f"profile/{call}", body)).code == code


async def test_only_an_admin_sees_and_sets_profiles(im_http: aiohttp.ClientSession) -> None:
    for call in ("portrait_get", "portrait_set"):
        assert (await ImApi(im_http, identifier="nobody").ask(f"profile/{call}")).code == 40004


async def test_apps_have_fields_and_profiles_of_their_own(im: ImApi, other: ImApi) -> None:
    user = a_user()
    await im.imported(user)
    await other.imported(user)

    await put(im, user, **{NICK: "ours"})

    assert await fields(other, user, NICK) == {}
    assert (await other.ask("profile/portrait_set", setting(user, {CUSTOM: "x"}))).code == 40009
