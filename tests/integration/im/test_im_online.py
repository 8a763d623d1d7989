"""query_online_status, over presence documents as the folder leaves them."""

from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from im_api import ImApi, a_user

from handlers.effects import Latest
from handlers.im.presence import PRESENCE
from schemas.im.ids import key_of
from stores.mongo import Database

CALL = "openim/query_online_status"


async def given(database: Database, im: ImApi, user: str, *, ended: bool = False, **platforms: str) -> None:
    now = datetime.now(UTC)
    registers = {
        name: Latest(now, {"status": status, "instance": None}, 1).register for name, status in platforms.items()
    }
    ended_at = {"ended_at": now} if ended else {}
    await database[PRESENCE].insert_one({"_id": key_of(im.app, user), "platforms": registers, **ended_at})


async def query(im: ImApi, *users: str, **fields: Any) -> dict[str, Any]:
    return await im.ok(CALL, {"To_Account": users, **fields})


async def test_who_is_online_where(im: ImApi, im_database: Database) -> None:
    both, push, left, kicked, silent, stranger = (a_user() for _ in range(6))
    await im.imported(both, push, left, kicked, silent)
    await given(im_database, im, both, iPhone="PushOnline", Web="Online")
    await given(im_database, im, push, Android="PushOnline", Web="Offline")
    await given(im_database, im, left, Web="Offline")
    await given(im_database, im, kicked, Web="Online", ended=True)

    answer = await query(im, both, push, left, stranger, kicked, silent)

    assert answer["QueryResult"] == [
        {"To_Account": both, "Status": "Online"},
        {"To_Account": push, "Status": "PushOnline"},
        {"To_Account": left, "Status": "Offline"},
        {"To_Account": kicked, "Status": "Offline"},
        {"To_Account": silent, "Status": "Offline"},
    ]
    assert answer["ErrorList"] == [{"To_Account": stranger, "ErrorCode": 70107}]

    detailed = await query(im, both, left, IsNeedDetail=1)
    assert detailed["QueryResult"] == [
        {
            "To_Account": both,
            "Status": "Online",
            "Detail": [{"Platform": "Web", "Status": "Online"}, {"Platform": "iPhone", "Status": "PushOnline"}],
        },
        {"To_Account": left, "Status": "Offline"},
    ]
    assert "ErrorList" not in detailed


async def test_another_app_knows_nothing_of_it(im: ImApi, other: ImApi, im_database: Database) -> None:
    user = a_user()
    await im.imported(user)
    await other.imported(user)
    await given(im_database, im, user, Web="Online")

    assert (await query(other, user))["QueryResult"] == [{"To_Account": user, "Status": "Offline"}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 90003),
        ({"To_Account": []}, 90003),
        ({"To_Account": "x"}, 90003),
        ({"To_Account": [7]}, 90003),
        ({"To_Account": ["x"] * 501}, 90011),
        ({"To_Account": ["x"], "IsNeedDetail": 2}, 90010),
    ],
)
async def test_a_question_that_is_wrong_is_refused(im: ImApi, body: dict[str, Any], code: int) -> None:
    assert (await im.ask(CALL, body)).code == code


async def test_what_is_no_json_and_who_is_no_admin_have_the_services_own_codes(
    im: ImApi, im_http: aiohttp.ClientSession
) -> None:
    assert (await im.send(CALL, b"{")).code == 90001
    assert (await ImApi(im_http, identifier="nobody").ask(CALL)).code == 90009


async def test_five_hundred_accounts_are_asked_for_at_once(im: ImApi) -> None:
    users = [a_user() for _ in range(500)]
    await im.imported(*users[:250])

    answer = await query(im, *users)

    assert [result["To_Account"] for result in answer["QueryResult"]] == users[:250]
    assert [error["To_Account"] for error in answer["ErrorList"]] == users[250:]
