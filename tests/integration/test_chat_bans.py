"""Bans and detection notices: what they do to accounts, inboxes and pushes, and when a ban is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from chat_api import ChatApi, ago, eventually, folding, in_time

from config.settings import Settings
from stores.mongo import Database
from tests.integration.pushing import routing
from workers.clock import run_clock
from workers.health import Health


@pytest.fixture
async def chat(gateway: str, settings: Settings) -> AsyncIterator[ChatApi]:
    """The API before a folder at work."""
    async with folding(settings), aiohttp.ClientSession(gateway) as http:
        yield ChatApi(http)


@asynccontextmanager
async def ticking(settings: Settings) -> AsyncIterator[Health]:
    """A clock at work; stopped in order."""
    stop, health = asyncio.Event(), Health()
    task = asyncio.create_task(run_clock(settings, stop, health))
    try:
        yield health
    finally:
        stop.set()
        await task


async def banned(chat: ChatApi, *user_ids: str) -> bool:
    page = (await chat.ask("getUsers", {"unlockStatus": 2})).data
    return [user["userId"] for user in page["list"]] == sorted(user_ids)


async def panel(chat: ChatApi) -> tuple[int, int]:
    """Accounts in order, and banned."""
    counts = (await chat.ask("getPanel")).data
    return counts["normalAccountCount"], counts["forbidAccountCount"]


async def test_a_ban_keeps_an_account_from_going_online_until_it_is_lifted(chat: ChatApi) -> None:
    until = in_time(hours=2)
    ban = {"userId": "u1", "status": 2, "unlockTime": until, "lockStartTime": in_time(hours=-1), "channel": "wechat"}
    assert (await chat.tell("syncUserInfo", ban, timestamp=ago(seconds=9))).data is True

    await eventually(lambda: banned(chat, "u1"))
    user = await chat.user("u1")
    assert user is not None
    assert (user["unlockStatus"], user["unlockTime"]) == (2, until)
    assert await panel(chat) == (0, 1)
    refused = await chat.ask("online", {"userId": "u1"})
    assert (refused.status, refused.code) == (409, 4090)
    assert (await chat.ask("offline", {"userId": "u1"})).data is True

    await chat.tell("syncUserInfo", {"userId": "u1", "status": 1}, timestamp=ago(seconds=5))
    await eventually(lambda: banned(chat))
    # An older word on it that comes late changes nothing.
    await chat.tell("syncUserInfo", {**ban, "userId": "u2"})
    await chat.tell("syncUserInfo", ban, timestamp=ago(seconds=30))
    await chat.login("u1")
    await eventually(lambda: banned(chat, "u2"))
    await eventually(lambda: online(chat))
    assert await banned(chat, "u2")
    assert (await chat.ask("online", {"userId": "u1"})).data is True


async def online(chat: ChatApi) -> bool:
    return (await chat.ask("getPanel")).data["onlineAccountCount"] == 1


async def test_a_ban_is_over_at_its_time_without_anybody_saying_so(chat: ChatApi, database: Database) -> None:
    await chat.tell("syncUserInfo", {"userId": "u1", "status": 2, "unlockTime": in_time(seconds=4)})
    await chat.tell("syncUserInfo", {"userId": "u2", "status": 2})
    await eventually(lambda: banned(chat, "u1", "u2"))

    await eventually(lambda: banned(chat, "u2"))

    account = await database["accounts"].find_one({"_id": "u1"})
    assert account["ban"]["v"]["status"] == 2  # as folded: no clock runs here
    assert account["ban"]["v"]["until"] <= datetime.now(UTC)
    assert (await chat.ask("online", {"userId": "u1"})).data is True
    assert await panel(chat) == (1, 1)
    user = await chat.user("u1")
    assert user is not None
    assert (user["unlockStatus"], "unlockTime" in user) == (1, False)


async def test_the_clock_ends_a_ban_once_and_no_newer_one(
    chat: ChatApi, settings: Settings, database: Database
) -> None:
    await chat.tell("syncUserInfo", {"userId": "u1", "status": 2, "unlockTime": in_time(hours=-1)})
    await chat.tell("syncUserInfo", {"userId": "u2", "status": 2, "unlockTime": in_time(hours=1)})
    await chat.tell("syncUserInfo", {"userId": "u3", "status": 2, "unlockTime": in_time(hours=-1)})
    await eventually(lambda: ban_of(database, "u3"))
    async with ticking(settings):
        ended = await eventually(lambda: ended_ban(database, "u1"))
        await eventually(lambda: ended_ban(database, "u3"))

        assert ended["v"] == {"status": 1, "since": None, "until": None, "origin": "expired"}
        assert ended["seq"] % 2 == 1  # right after the ban that it ends
        await chat.tell("syncUserInfo", {"userId": "u1", "status": 2})
        await eventually(lambda: banned(chat, "u1", "u2"))
    expiries = await database["seen_events"].count_documents({"_id": {"$regex": "^clock/"}})
    assert expiries == 2


async def ban_of(database: Database, user_id: str) -> dict[str, Any] | None:
    account = await database["accounts"].find_one({"_id": user_id})
    return account["ban"] if account else None


async def ended_ban(database: Database, user_id: str) -> dict[str, Any] | None:
    ban = await ban_of(database, user_id)
    return ban if ban and ban["v"]["status"] == 1 else None


def a_notice(**fields: object) -> dict[str, object]:
    def record(user_id: str, check: str, inspection: str, **more: str) -> dict[str, object]:
        return {"userId": user_id, "checkStatus": check, "inspectionStatus": inspection, **more}

    return {
        "type": "1",
        "code": "T1",
        "title": "Check",
        "content": "3 checked",
        "channel": "wechat",
        "receiveUserId": "boss",
        "receiveEmail": "a@example.org; b@example.org,a@example.org",
        "recordList": [
            record("u1", "1", "2", unLockTime=in_time(hours=1)),
            record("u2", "1", "1"),
            record("u3", "0", "2"),
            record("u4", "0", ""),
        ],
        **fields,
    }


async def test_a_detection_notice_reaches_accounts_inbox_and_pushes_and_counts_once(
    chat: ChatApi, settings: Settings, database: Database
) -> None:
    await chat.tell("syncUserInfo", {"userId": "u2", "status": 2}, timestamp=ago(seconds=20))
    await eventually(lambda: banned(chat, "u2"))
    body = chat.signed(a_notice())

    for _ in range(2):
        assert (await chat.send("detection/notice", body)).data is True

    await eventually(lambda: banned(chat, "u1"))  # u2 was found in order; u3's and u4's checks failed
    accounts = {account["_id"]: account async for account in database["accounts"].find()}
    inspections = {user_id: account["inspection"]["v"]["status"] for user_id, account in accounts.items()}
    assert inspections == {"u1": 2, "u2": 1}
    async with routing(settings):
        await eventually(lambda: counted(database, "inbox_entries", 3))
        await chat.tell("detection/notice", a_notice(receiveEmail="", recordList=[]))
        await eventually(lambda: database["inboxes"].find_one({"_id": "user/boss", "unread": 2}))
    recipients = [push["recipient"] async for push in database["pushes"].find()]
    assert sorted(recipients) == ["email/a@example.org", "email/b@example.org", "user/boss", "user/boss"]
    entry = await database["inbox_entries"].find_one({"recipient": "user/boss"})
    assert (entry["kind"], entry["fields"]["code"], entry["title"]) == ("detection.noticed", "T1", "Check")
    [detection, *_] = await database["detections"].find().to_list()
    assert [record["checked"] for record in detection["notice"]["records"]] == [True, True, False, False]


async def counted(database: Database, collection: str, wanted: int) -> bool:
    return await database[collection].count_documents({}) == wanted


async def test_a_notice_that_cannot_be_kept_is_refused_by_name(chat: ChatApi, database: Database) -> None:
    for fields, place in (
        ({"params": {"$where": 1}}, "$where"),
        ({"params": {"a": {"b.c": 1}}}, "b.c"),
        ({"recordList": [{"userId": "u1", "checkStatus": "1"}]}, "recordList[0].inspectionStatus"),
        ({"recordList": [{"userId": "u1", "unLockTime": "soon"}]}, "recordList[0].unLockTime"),
        ({"recordList": [{"checkStatus": "1"}]}, "userId"),
        ({"receiveEmail": "x" * 257}, "receiveEmail"),
        ({"type": "4"}, "type"),
        ({"total": 2**31}, "total"),
        ({"recordList": [{"userId": "u1", "jid": 2**53}]}, "canonical"),
    ):
        body = a_notice(**fields)
        answer = await (unsignable(chat, body) if place == "canonical" else chat.tell("detection/notice", body))
        assert (answer.status, answer.code) == (400, 4001), fields
        assert place in answer.msg
    assert await database["detections"].count_documents({}) == 0


async def unsignable(chat: ChatApi, body: dict[str, object]) -> Any:
    """An integer that RFC 8785 has no form for: any signature will do."""
    whole = chat.signed({}) | body
    return await chat.send("detection/notice", whole)
