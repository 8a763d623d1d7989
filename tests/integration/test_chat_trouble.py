"""The chat API when things are away, at odds or hostile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from chat_api import ChatApi, an_event, eventually, folding, publish

from config.settings import MongoSettings, Settings
from config.topics import Topic
from stores.accounts import SettingsChange, write_settings
from stores.mongo import Database
from workers.embedded.ports import LOOPBACK, free_port
from workers.gateway import open_gateway
from workers.health import Health


@pytest.fixture
async def chat(gateway: str, settings: Settings) -> AsyncIterator[ChatApi]:
    """The API before a folder at work."""
    async with folding(settings), aiohttp.ClientSession(gateway) as http:
        yield ChatApi(http)


async def test_payloads_that_no_document_can_hold_become_dead_letters_and_the_rest_goes_on(
    chat: ChatApi, settings: Settings, database: Database
) -> None:
    session = {"user_id": "u1", "online": True, "cause": "callback"}
    ban = {"user_id": "u1", "status": 2, "origin": "sync"}
    expired = {"user_id": "u1", "ban_at": "2026-01-01T00:00:00Z", "ban_seq": 2, "until": "2026-01-01T00:00:00Z"}
    hostile = [
        ("account.session.changed", session | {"user_id": ""}),
        ("account.session.changed", session | {"user_id": "x" * 257}),
        ("account.session.changed", session | {"user_id": "\0"}),
        ("account.session.changed", session | {"name": "a\0"}),
        ("account.session.changed", session | {"online": "yes"}),
        ("account.session.changed", []),
        ("account.profiled", {"user_id": "u1", "classify_id": 2**63}),
        ("account.ban.synced", ban | {"until": "9999-12-31T23:59:59Z"}),
        ("account.ban.synced", ban | {"until": "0001-01-01T00:00:00+14:00"}),
        ("account.ban.synced", ban | {"until": "2026-01-01 00:00:00"}),
        ("account.ban.synced", ban | {"status": 3}),
        ("account.ban.expired", expired | {"ban_seq": 2**63 - 1}),
        ("detection.noticed", {"params": {"$set": {"fence": {}}}}),
        ("detection.noticed", {"params": {"a": {"b.c": 1}}}),
        ("detection.noticed", {"params": {"a": 2**70}}),
        ("detection.noticed", {"records": [{"user_id": "u1", "checked": True, "status": 9}]}),
        ("inbox.read", {"recipient": "pigeon/x", "up_to": "2026-01-01T00:00:00Z"}),
    ]
    events = [an_event(kind, "u1", payload) for kind, payload in hostile]
    odd_time = an_event("account.session.changed", "u1", session, time=datetime(9500, 1, 1, tzinfo=UTC))
    for index, event in enumerate([*events, odd_time]):  # apart: a run of poison would stop a partition
        await publish(settings, event, an_event("account.session.changed", "u2", session | {"user_id": f"v{index}"}))

    async def set_aside() -> bool:
        return await database["dead_letters"].count_documents({}) == len(hostile) + 1

    await eventually(set_aside)
    await chat.login("u3")
    await eventually(lambda: database["accounts"].find_one({"_id": "u3"}))
    assert await database["accounts"].count_documents({}) == len(hostile) + 2
    assert (await chat.ask("getLoginLog")).data["total"] == len(hostile) + 2
    reasons = await database["dead_letters"].distinct("letter.reason")
    assert sorted(reasons) == ["bad_payload", "not_a_cloudevent"]


async def test_settings_and_facts_that_make_one_account_at_the_same_moment_are_both_kept(
    chat: ChatApi, database: Database
) -> None:
    names = [f"u{number}" for number in range(60)]

    async def write(name: str) -> None:
        await write_settings(database, [SettingsChange(name, {"sale_no": name})], datetime.now(UTC))

    await asyncio.gather(*(chat.login(name) for name in names), *(write(name) for name in names))

    async def both() -> bool:
        return await database["accounts"].count_documents({"logins": 1, "settings.sale_no": {"$exists": True}}) == 60

    await eventually(both)


async def test_without_a_store_facts_are_taken_and_questions_answered_503(
    settings: Settings, synced: tuple[Topic, ...]
) -> None:
    nowhere = MongoSettings.model_validate(
        {"uri": f"mongodb://{LOOPBACK}:{free_port()}/", "timeout_seconds": 0.2, "database": "none"}
    )
    health = Health()
    async with (
        open_gateway(settings.model_copy(update={"mongo": nowhere}), health) as port,
        aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http,
    ):
        chat = ChatApi(http)

        async def taken() -> bool:
            return (await chat.login("u1")).code == 0

        await eventually(taken)  # once the broker is connected
        for path, body in (("getUsers", {}), ("online", {"userId": "u1"}), ("update", {"userId": "u1"})):
            refused = await chat.ask(path, body)
            assert (refused.status, refused.code) == (503, 5031)
            assert refused.headers["Retry-After"]


async def test_without_a_broker_nothing_is_answered_with_success(settings: Settings, database: Database) -> None:
    nowhere = settings.kafka.model_copy(update={"bootstrap": f"{LOOPBACK}:{free_port()}"})
    health = Health()
    async with (
        open_gateway(settings.model_copy(update={"kafka": nowhere}), health) as port,
        aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http,
    ):
        chat = ChatApi(http)

        for refused in (await chat.login("u1"), await chat.ask("online", {"userId": "u1"})):
            assert (refused.status, refused.code) == (503, 5030)
            assert refused.headers["Retry-After"]
        # What needs no broker goes on.
        assert (await chat.ask("update", {"userId": "u1", "saleNo": "S"})).data is True
        assert (await chat.ask("getUsers")).data["total"] == 1
