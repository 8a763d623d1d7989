"""Accounts, from the call to what is read back: sessions, settings, filters, paging, logins by code."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from chat_api import ChatApi, ago, an_event, eventually, folding, in_time, publish

from config.settings import Settings
from stores.mongo import Database


@pytest.fixture
async def chat(gateway: str, settings: Settings) -> AsyncIterator[ChatApi]:
    """The API before a folder at work."""
    async with folding(settings), aiohttp.ClientSession(gateway) as http:
        yield ChatApi(http)


async def log_of(chat: ChatApi, entries: int, **query: object) -> list[dict[str, Any]] | None:
    """The login log, once it has so many entries."""
    page = (await chat.ask("getLoginLog", query)).data
    return page["list"] if page["total"] >= entries else None


async def users(chat: ChatApi, **query: object) -> list[str]:
    """Who is on the page, having checked that the total says so."""
    page = (await chat.ask("getUsers", query)).data
    assert page["total"] == len(page["list"])
    return [user["userId"] for user in page["list"]]


async def test_logins_and_logouts_show_in_the_panel_and_the_log(chat: ChatApi, database: Database) -> None:
    assert (await chat.login("u1", userName="one", corpId="c1", timestamp=ago(seconds=9))).data is True
    await chat.login("u2", timestamp=ago(seconds=8))
    await chat.logout("u1", timestamp=ago(seconds=7))

    log = await eventually(lambda: log_of(chat, 3))
    assert [(row["userId"], row["status"]) for row in log] == [("u1", 1), ("u2", 0), ("u1", 0)]
    assert (log[2]["userName"], log[2]["corpId"]) == ("one", "c1")
    assert await log_of(chat, 2, status=0) is not None
    assert [row["userId"] for row in await log_of(chat, 1, userIds=["u2"])] == ["u2"]

    async def panel() -> bool:
        counts = (await chat.ask("getPanel")).data
        return (counts["totalAccountCount"], counts["onlineAccountCount"], counts["offlineAccountCount"]) == (2, 1, 1)

    await eventually(panel)
    first = await database["accounts"].find_one({"_id": "u1"})
    assert (first["logins"], first["logouts"]) == (1, 1)


async def test_a_callback_that_comes_late_is_logged_and_does_not_change_the_newer_state(
    chat: ChatApi, database: Database
) -> None:
    await chat.logout("u1", timestamp=ago(seconds=5), name="new")
    await chat.login("u1", timestamp=ago(seconds=50), name="old", email="old@example.org")

    await eventually(lambda: log_of(chat, 2))
    account = await eventually(lambda: database["accounts"].find_one({"_id": "u1", "logins": 1, "logouts": 1}))
    assert account["online"]["v"]["online"] is False
    user = await chat.user("u1")
    assert user is not None
    # The newest of each field, not of the whole: what the newer callback left out is still known.
    assert (user["name"], user["email"]) == ("new", "old@example.org")


async def test_the_same_call_sent_again_is_answered_as_before_and_counted_once(
    chat: ChatApi, settings: Settings, database: Database
) -> None:
    body = chat.signed({"userId": "u1", "onOffline": 0})

    first, again = await chat.send("loginCallBack", body), await chat.send("loginCallBack", body)

    assert first.whole == again.whole
    # Another gateway does not remember it and publishes once more.
    event_id = f"demo/loginCallBack/{body['requestSeq']}"
    payload = {"user_id": "u1", "online": True, "cause": "callback"}
    await publish(settings, an_event("account.session.changed", "u1", payload, id=event_id, source="chat"))
    await chat.logout("u1")
    await eventually(lambda: log_of(chat, 2))
    account = await eventually(lambda: database["accounts"].find_one({"_id": "u1", "logouts": 1}))
    assert account["logins"] == 1


async def test_settings_are_read_back_at_once_and_live_beside_what_is_folded(chat: ChatApi, database: Database) -> None:
    await chat.ask("update", {"userId": "u1", "saleNo": "S1", "minSecond": 5, "maxSecond": 9, "upperLimit": 0})

    user = await chat.user("u1")
    assert user is not None
    assert (user["saleNo"], user["minSecond"], user["maxSecond"], user["upperLimit"]) == ("S1", 5, 9, 0)
    await chat.login("u1", name="One", seatNo="S2")
    folded = await eventually(lambda: database["accounts"].find_one({"_id": "u1", "logins": 1}))
    await chat.ask("update", {"userId": "u1", "administrators": "A"})
    written = await database["accounts"].find_one({"_id": "u1"})
    assert {**folded, "settings": None} == {**written, "settings": None}
    user = await chat.user("u1")
    assert user is not None
    assert (user["name"], user["saleNo"], user["administrators"]) == ("One", "S1", "A")

    refused = await chat.ask("update", {"userId": "u1", "minSecond": 10, "maxSecond": 9})
    assert (refused.code, "minSecond" in refused.msg) == (4001, True)


async def test_a_disabled_or_deleted_account_cannot_go_online_until_it_is_enabled(chat: ChatApi) -> None:
    await chat.ask("importUser", {"userId": "u1"})
    for path, body in (("update", {"userId": "u1", "status": 0}), ("delete", {"userId": "u1"})):
        assert (await chat.ask(path, body)).data is True
        for command, more in (("online", {}), ("getQrCode", {}), ("loginCode", {"code": "1"})):
            refused = await chat.ask(command, {"userId": "u1", **more})
            assert (refused.status, refused.code) == (409, 4090), (path, command)
    assert await users(chat) == []
    assert await users(chat, status=-1) == ["u1"]

    await chat.ask("update", {"userId": "u1", "status": 1})
    assert (await chat.ask("online", {"userId": "u1"})).data is True
    assert (await chat.ask("delete", {"userId": "nobody"})).data is False


async def test_accounts_are_found_by_every_filter(chat: ChatApi, settings: Settings, database: Database) -> None:
    binding = {"mainUserId": "m1", "ascription": "north", "accountAttribute": 3}
    await chat.ask("binding", {**binding, "sonUsers": [{"userId": "a"}, {"userId": "b"}]})
    await chat.ask("binding", {"mainUserId": "m2", "userId": "c", "shortName": "Cee (1)"})
    await chat.ask("update", {"userId": "d", "status": 0})
    await chat.login("a", name="Anna")
    await chat.tell("syncUserInfo", {"userId": "a", "status": 2, "unlockTime": in_time(hours=1)})
    await chat.tell("syncUserInfo", {"userId": "b", "status": 2})
    await chat.tell("syncUserInfo", {"userId": "c", "status": 2, "unlockTime": in_time(hours=-1)})
    await publish(settings, an_event("account.profiled", "b", {"user_id": "b", "classify_id": 77}))
    folded = {"$or": [{"_id": "a", "online.v.online": True}, {"profile.classify_id.v": 77}], "ban": {"$exists": True}}
    await eventually(lambda: count(database, folded, 2))
    await eventually(lambda: count(database, {"ban.v.status": 2}, 3))

    assert await users(chat) == ["a", "b", "c", "d"]
    assert await users(chat, name="a") == ["a"]  # the user id itself, or a part of a name
    assert await users(chat, name="nn") == ["a"]
    assert await users(chat, name="cee (") == ["c"]
    assert await users(chat, userIds=["d", "b", "x", ""]) == ["b", "d"]
    assert await users(chat, mainUserId="m1") == ["a", "b"]
    assert await users(chat, ascription="north") == ["a", "b"]
    assert await users(chat, accountAttribute=3) == ["a", "b"]
    assert await users(chat, classifyIds=[1, 77]) == ["b"]
    assert await users(chat, status=0) == ["d"]
    assert await users(chat, status=1) == ["a", "b", "c"]
    assert await users(chat, unlockStatus=2) == ["a", "b"]
    assert await users(chat, unlockStatus=1) == ["c", "d"]
    assert await users(chat, unlockStatus=0, name="", userIds=[], beginUnlockTime="") == ["a", "b", "c", "d"]
    assert await users(chat, beginUnlockTime=in_time(minutes=30)) == ["a"]
    assert await users(chat, endUnlockTime=in_time(minutes=30)) == []
    assert await users(chat, mainUserId="m1", unlockStatus=2, name="Anna") == ["a"]
    assert [row["userId"] for row in await log_of(chat, 1, ascription="north", unlockStatus=2)] == ["a"]
    assert await log_of(chat, 1, mainUserId="m2") is None

    sons = (await chat.ask("getSonUsers", userid="m1")).data
    assert [user["userId"] for user in sons] == ["a", "b"]
    group = (await chat.ask("getSonUsersByClass", userid="m1", **{"qwUser.ascription": "south"})).data
    assert group == {"ascription": "south", "list": []}
    await chat.ask(
        "binding", {"mainUserId": "m1", "sonUsers": [{"userId": "a", "status": 1}, {"userId": "c", "status": 1}]}
    )
    assert await users(chat, mainUserId="m1") == ["b"]
    assert await users(chat, mainUserId="m2") == ["c"]  # another's sub-account is not taken away


async def count(database: Database, query: dict[str, Any], wanted: int) -> bool:
    return await database["accounts"].count_documents(query) == wanted


async def test_pages_are_disjoint_in_one_order_and_their_total_is_exact(chat: ChatApi) -> None:
    everyone = [f"u{number:02}" for number in range(45)]
    await chat.ask("binding", {"mainUserId": "m", "sonUsers": [{"userId": user} for user in reversed(everyone)]})

    async def page(**query: int) -> dict[str, Any]:
        return (await chat.ask("getUsers", query)).data

    pages = [await page(pageNo=number, pageSize=20) for number in (1, 2, 3, 4)]
    assert [user["userId"] for page in pages for user in page["list"]] == everyone
    assert [len(page["list"]) for page in pages] == [20, 20, 5, 0]
    assert {(page["total"], page["pageSize"]) for page in pages} == {(45, 20)}
    assert (await page(pageNo=0))["list"] == (await page())["list"] == pages[0]["list"]
    assert (await page(pageNo=2**31 - 1, pageSize=500))["list"] == []
    assert (await chat.ask("getUsers", {"pageSize": 501})).code == 4001
    assert (await chat.ask("getUsers", {"pageNo": -1})).code == 4001
    assert (await chat.ask("getUsers", {"pageNo": 2**31})).code == 4001


async def test_a_wrong_time_or_code_is_named(chat: ChatApi) -> None:
    for path, body, field in (
        ("getUsers", {"beginUnlockTime": "2026-02-30 00:00:00"}, "beginUnlockTime"),
        ("getUsers", {"endUnlockTime": "2026-02-03T00:00:00Z"}, "endUnlockTime"),
        ("getUsers", {"status": 7}, "status"),
        ("getLoginLog", {"status": -1}, "status"),
        ("binding", {"userId": "u1"}, "mainUserId"),
        ("binding", {"mainUserId": "m"}, "sonUsers"),
        ("binding", {"mainUserId": "m", "userId": "m"}, "mainUserId"),
        ("importUser", {"shortName": "x"}, "userId"),
        ("getChatSeat", {}, "customerId"),
        ("online", {"userId": ""}, "userId"),
        ("online", {"userId": "a\0b"}, "NUL"),
    ):
        refused = await chat.ask(path, body)
        assert (refused.status, refused.code) == (400, 4001), body
        assert field in refused.msg


async def test_a_login_by_code_is_done_once_the_account_has_come_online_by_it(
    chat: ChatApi, database: Database
) -> None:
    await chat.login("u1", timestamp=ago(seconds=60))
    await eventually(lambda: database["accounts"].find_one({"_id": "u1", "online.v.online": True}))
    assert (await chat.ask("getLoginStatus", {"userId": "u1"})).data is True

    url = (await chat.ask("getQrCode", {"userId": "u1"})).data
    assert url.startswith("https://login.invalid/qr?user=u1&request=")
    request = await eventually(lambda: database["qr_requests"].find_one({"user_id": "u1"}))
    assert url.endswith(request["request_id"])
    assert (await chat.ask("getLoginStatus", {"userId": "u1"})).data is False

    # The caller's clock is behind ours; the request id says which login it is.
    await chat.login("u1", timestamp=ago(seconds=30), requestId=request["request_id"])
    await eventually(lambda: done(chat, "u1"))
    await chat.logout("u1")
    await eventually(lambda: done(chat, "u1", False))
    assert (await chat.ask("getLoginStatus", {"userId": "nobody"})).data is False


async def done(chat: ChatApi, user_id: str, wanted: bool = True) -> bool:
    return (await chat.ask("getLoginStatus", {"userId": user_id})).data is wanted


async def test_a_command_under_the_same_key_is_one_command(chat: ChatApi, database: Database) -> None:
    for _ in range(2):
        headers = {"Idempotency-Key": "k1", "Authorization": "Bearer chat-token"}
        assert (await chat.send("online", {"userId": "u1"}, headers=headers)).data is True
    urls = {(await chat.send("getQrCode", {"userId": "u1"}, headers=headers)).data for _ in range(2)}

    assert urls == {"https://login.invalid/qr?user=u1&request=k1"}
    await chat.ask("offline", {"userId": "u1"})
    account = await eventually(lambda: database["accounts"].find_one({"_id": "u1", "logouts": 1}))
    assert account["logins"] == 1


async def test_asking_for_a_code_or_for_contacts_does_not_make_an_account(chat: ChatApi, database: Database) -> None:
    await chat.ask("getQrCode", {"userId": "u1"})
    assert (await chat.ask("loginCode", {"userId": "u1", "code": "4711", "requestId": "r"})).data == "r"
    await chat.ask("syncLinker", {"chatUserId": "u1", "linkType": "0"})

    await eventually(lambda: database["linker_requests"].find_one({"chat_user_id": "u1", "kind": "external"}))
    await eventually(lambda: database["qr_requests"].find_one({"user_id": "u1"}))
    seen = await eventually(lambda: database["seen_events"].find_one({}))
    assert seen.keys() == {"_id", "origin", "recorded_at"}  # the code itself is kept nowhere
    assert await users(chat) == []
    assert (await chat.ask("userInfo", {"chatUserId": "u1"})).code == 4040


async def test_seats_keywords_transfers_and_customers_follow_their_newest_word(
    chat: ChatApi, settings: Settings
) -> None:
    await publish(
        settings,
        *(an_event("transfer.changed", t, {"transfer_id": t, "user_id": "u1", "state": "started"}) for t in "abc"),
        an_event("transfer.changed", "a", {"transfer_id": "a", "user_id": "u1", "state": "finished"}),
        an_event("keyword.synced", "second", {"keyword": "second", "rank": 2}),
        an_event("keyword.synced", "first", {"keyword": "first", "rank": 1}),
        an_event("keyword.synced", "gone", {"keyword": "gone"}),
        an_event("keyword.synced", "gone", {"keyword": "gone", "active": False}),
        an_event("seat.synced", "s1", {"user_id": "s1", "name": "Li", "phone": "1", "online": True}),
        an_event("seat.synced", "s2", {"user_id": "s2", "name": "Li", "phone": "2", "deleted": True}),
        an_event("seat.assigned", "c1", {"customer_id": "c1", "user_id": "s1", "chatting": True}),
        an_event("seat.assigned", "c1", {"customer_id": "c1", "user_id": "s2", "chatting": True}),
        an_event("seat.assigned", "c1", {"customer_id": "c1", "user_id": "s2", "chatting": False}),
        an_event("customer.synced", "c1", {"customer_id": "c1", "name": "Wang", "external_user_id": "x"}),
    )

    async def told() -> bool:
        counts = (await chat.ask("getPanel")).data
        return (
            (await chat.tell("qryTransferCount", {"userId": "u1"})).data == {"transferCount": 2}
            and (await chat.tell("reoffer/keyword", {})).data == ["first", "second"]
            and (await chat.tell("findUserByPhone", {"phone": "1"})).data == "s1"
            and (await chat.tell("findUserByPhone", {"phone": "2"})).data == ""
            and (await chat.tell("findUserByPhone", {"phone": "1", "name": "Wu"})).data == ""
            and (await chat.tell("findUserByPhone", {"name": "Li"})).data == "s1"
            and (await chat.tell("findCustomerByName", {"name": "Wang"})).data == "c1"
            and (await chat.ask("getChatSeat", {"externalUserId": "x"})).data == [{"userId": "s1", "name": "Li"}]
            and (counts["allUserCount"], counts["onlineCount"]) == (1, 1)
        )

    await eventually(told)
    assert (await chat.tell("findUserByPhone", {})).code == 4001
    assert (await chat.ask("getChatSeat", {"externalUserId": "nobody"})).data == []
