"""Accounts of an app: imported, checked, thrown out, deleted; each app's own."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from chat_api import eventually, folding
from im_api import ADMIN, ImApi, a_user, serving_im, with_im

from config.settings import Settings
from handlers.im.presence import PRESENCE
from schemas.im.ids import key_of
from stores.collections import IM_ACCOUNTS
from stores.mongo import Database

LOGIN = "im_open_login_svc"


async def status(im: ImApi, *users: str) -> list[str]:
    answer = await im.ok(f"{LOGIN}/account_check", {"CheckItem": [{"UserID": user} for user in users]})
    assert [item["UserID"] for item in answer["ResultItem"]] == list(users)
    return [item["AccountStatus"] for item in answer["ResultItem"]]


async def nick(im: ImApi, user: str) -> str | None:
    body = {"To_Account": [user], "TagList": ["Tag_Profile_IM_Nick"]}
    answer = await im.ok("profile/portrait_get", body)
    values = answer["UserProfileItem"][0].get("ProfileItem")
    return values[0]["Value"] if values else None


async def delete(im: ImApi, *users: str) -> list[int]:
    answer = await im.ok(f"{LOGIN}/account_delete", {"DeleteItem": [{"UserID": user} for user in users]})
    assert [item["UserID"] for item in answer["ResultItem"]] == list(users)
    return [item["ResultCode"] for item in answer["ResultItem"]]


async def test_an_account_exists_once_it_is_imported(im: ImApi) -> None:
    user = a_user()
    assert await status(im, user) == ["NotImported"]

    await im.ok(f"{LOGIN}/account_import", {"UserID": user, "Nick": "Li Lei", "FaceUrl": "http://example.org/l.png"})

    assert await status(im, user) == ["Imported"]
    body = {"To_Account": [user], "TagList": ["Tag_Profile_IM_Image", "Tag_Profile_IM_Nick"]}
    assert (await im.ok("profile/portrait_get", body))["UserProfileItem"] == [
        {
            "To_Account": user,
            "ProfileItem": [
                {"Tag": "Tag_Profile_IM_Image", "Value": "http://example.org/l.png"},
                {"Tag": "Tag_Profile_IM_Nick", "Value": "Li Lei"},
            ],
            "ResultCode": 0,
            "ResultInfo": "",
        }
    ]


async def test_an_older_client_names_the_user_identifier(im: ImApi) -> None:
    user = a_user()

    await im.ok(f"{LOGIN}/account_import", {"Identifier": user})

    assert await status(im, user) == ["Imported"]


async def test_imported_again_it_stays_the_same_account_with_what_is_new(im: ImApi) -> None:
    user = a_user()
    await im.ok(f"{LOGIN}/account_import", {"UserID": user, "Nick": "Li"})

    await im.ok(f"{LOGIN}/account_import", {"UserID": user})
    assert await nick(im, user) == "Li"

    await im.ok(f"{LOGIN}/account_import", {"UserID": user, "Nick": "Lei"})
    assert await nick(im, user) == "Lei"


async def test_of_imports_at_the_same_moment_none_is_lost(im: ImApi) -> None:
    users = [a_user() for _ in range(20)]
    async with asyncio.TaskGroup() as imports:
        for user in users:
            for fields in ({"Nick": "n"}, {"FaceUrl": "f"}, {}):
                imports.create_task(im.ok(f"{LOGIN}/account_import", {"UserID": user, **fields}))

    body = {"To_Account": users, "TagList": ["Tag_Profile_IM_Nick", "Tag_Profile_IM_Image"]}
    found = (await im.ok("profile/portrait_get", body))["UserProfileItem"]
    assert [[value["Value"] for value in item["ProfileItem"]] for item in found] == [["n", "f"]] * 20


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 70402),
        ({"UserID": ""}, 70402),
        ({"UserID": 7}, 70402),
        ({"UserID": "x" * 33}, 70402),
        ({"UserID": "张" * 11}, 70402),
        ({"UserID": "u", "Nick": 7}, 70402),
        ({"UserID": "u", "Nick": "张" * 167}, 40601),
        ({"UserID": "u", "FaceUrl": "x" * 501}, 40601),
    ],
)
async def test_an_import_that_is_wrong_is_refused_whole(im: ImApi, body: dict[str, object], code: int) -> None:
    answered = await im.ask(f"{LOGIN}/account_import", body)

    assert (answered.status, answered.code, answered["ActionStatus"]) == (200, code, "FAIL")
    assert await status(im, "u") == ["NotImported"]


async def test_of_many_accounts_those_that_are_wrong_are_named_and_the_rest_imported(im: ImApi) -> None:
    first, second, long = a_user(), a_user(), "x" * 33

    answer = await im.ok(f"{LOGIN}/multiaccount_import", {"Accounts": [first, long, first]})
    assert answer["FailAccounts"] == [long]
    listed = [{"UserID": second, "Nick": "two"}, {"UserID": first, "Nick": "one"}, {"UserID": "bad", "Nick": "x" * 501}]
    answer = await im.ok(f"{LOGIN}/multiaccount_import", {"AccountList": listed})
    assert answer["FailAccounts"] == ["bad"]

    assert await status(im, first, second, "bad") == ["Imported", "Imported", "NotImported"]
    assert [await nick(im, first), await nick(im, second)] == ["one", "two"]


async def test_a_call_takes_a_hundred_accounts(im: ImApi) -> None:
    users = [a_user() for _ in range(100)]

    await im.imported(*users)
    assert set(await status(im, *users)) == {"Imported"}

    named = [{"UserID": user} for user in [*users, a_user()]]
    for call, body in (
        ("multiaccount_import", {"Accounts": [*users, a_user()]}),
        ("multiaccount_import", {"Accounts": []}),
        ("account_check", {"CheckItem": named}),
        ("account_check", {"CheckItem": []}),
        ("account_check", {}),
        ("account_delete", {"DeleteItem": named}),
        ("account_delete", {"DeleteItem": "all"}),
    ):
        assert (await im.ask(f"{LOGIN}/{call}", body)).code == 70402, call
    assert set(await status(im, *users)) == {"Imported"}


async def test_a_deleted_account_is_gone_with_its_profile_and_comes_back_fresh(
    im: ImApi, im_database: Database
) -> None:
    user, stranger = a_user(), a_user()
    await im.ok(f"{LOGIN}/account_import", {"UserID": user, "Nick": "Li"})

    assert await delete(im, user, stranger) == [0, 70107]
    assert await status(im, user) == ["NotImported"]
    assert await delete(im, user) == [70107]
    kept = await im_database[IM_ACCOUNTS].find_one({"_id": key_of(im.app, user)})
    assert kept is not None
    assert "profile" not in kept

    await im.imported(user)
    assert await status(im, user) == ["Imported"]
    assert await nick(im, user) is None


async def test_an_admin_is_an_account_that_cannot_be_deleted(im: ImApi) -> None:
    assert await status(im, ADMIN, "root") == ["Imported", "Imported"]
    assert await delete(im, "root") == [70402]

    await im.ok(
        "profile/portrait_set",
        {"From_Account": ADMIN, "ProfileItem": [{"Tag": "Tag_Profile_IM_Nick", "Value": "the admin"}]},
    )
    assert await nick(im, ADMIN) == "the admin"


async def test_only_an_admin_deals_with_accounts(im_http: aiohttp.ClientSession) -> None:
    for call in ("account_import", "multiaccount_import", "account_delete", "account_check", "kick"):
        assert (await ImApi(im_http, identifier="nobody").ask(f"{LOGIN}/{call}")).code == 70403


async def test_apps_do_not_see_one_another(im: ImApi, other: ImApi) -> None:
    user = a_user()
    await im.ok(f"{LOGIN}/account_import", {"UserID": user, "Nick": "ours"})
    assert await status(other, user) == ["NotImported"]
    assert await delete(other, user) == [70107]

    await other.ok(f"{LOGIN}/account_import", {"UserID": user, "Nick": "theirs"})

    assert [await nick(im, user), await nick(other, user)] == ["ours", "theirs"]
    assert await delete(other, user) == [0]
    assert await status(im, user) == ["Imported"]


async def test_a_slash_in_a_user_id_makes_no_two_users_one(im: ImApi) -> None:
    user = a_user()
    await im.imported(f"{user}/a")

    assert await status(im, f"{user}/a", f"{user}%2Fa", user) == ["Imported", "NotImported", "NotImported"]


@pytest.fixture
async def folded(settings: Settings) -> AsyncIterator[ImApi]:
    """An admin where facts are folded."""
    own = with_im(settings)
    async with serving_im(own) as http, folding(own):
        yield ImApi(http)


async def test_what_ends_an_accounts_logins_is_a_fact_that_ends_its_presence(folded: ImApi, database: Database) -> None:
    kicked, deleted = a_user("kicked"), a_user("deleted")
    await folded.imported(kicked, deleted)
    assert (await folded.ask(f"{LOGIN}/kick", {"UserID": a_user()})).code == 70107
    assert (await folded.ask(f"{LOGIN}/kick", {})).code == 70402

    await folded.ok(f"{LOGIN}/kick", {"UserID": kicked})
    await delete(folded, deleted)
    await delete(folded, deleted)  # the same fact once more

    async def ended() -> bool:
        keys = [key_of(folded.app, user) for user in (kicked, deleted)]
        return await database[PRESENCE].count_documents({"_id": {"$in": keys}, "ended_at": {"$exists": True}}) == 2

    await eventually(ended)
    assert await status(folded, kicked) == ["Imported"]
