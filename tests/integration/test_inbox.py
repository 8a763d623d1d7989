"""Inboxes over HTTP: entries as they were pushed, counts as the entries say, however it is read and counted."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from chat_api import an_event, eventually, folding, publish
from command import Fanfold
from desk_api import Installation, PushApi, installed, operations, with_push
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from published import published
from tg_api import serving, unready

from config.settings import KafkaSettings, MongoSettings, Settings
from handlers.inboxes import ENTRIES, INBOXES
from schemas.cloudevents import format_time, to_millisecond
from schemas.events import Event
from stores.inboxes import PAGE_BYTES, audit_inboxes, still_different
from stores.mongo import IDS_PER_FIND, Database
from workers.embedded.ports import LOOPBACK, free_port

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
async def desk(shared_settings: Settings) -> AsyncIterator[Installation]:
    """Before a folder at work."""
    async with installed(with_push(shared_settings)) as installation, folding(shared_settings):
        yield installation


@pytest.fixture
def api(desk: Installation) -> PushApi:
    return desk.api


def pushed(recipient: str, seconds: float = 0, **fields: Any) -> Event:
    """An entry for an inbox, so long after START."""
    entered = {"recipient": recipient, "push": "shop/1", "kind": "order.paid", **fields}
    time = START + timedelta(seconds=seconds)
    return an_event("inbox.entered", recipient, entered, source="fanfold", time=time)


def path_of(recipient: str, rest: str = "") -> str:
    kind, _, name = recipient.partition("/")
    return f"/inbox/{kind}/{quote(name, safe='')}{rest}"


async def entered(desk: Installation, recipient: str, *seconds: float) -> list[str]:
    """Entries at these seconds after START, folded; their ids, newest first."""
    events = [pushed(recipient, second, title=f"at {second}") for second in seconds]
    before = await desk.database[ENTRIES].count_documents({"recipient": recipient})
    await publish(desk.settings, *events)
    await folded(desk, recipient, before + len(events))
    newest_first = sorted(((event.time, event.identity) for event in events), reverse=True)
    return [identity for _, identity in newest_first]


async def folded(desk: Installation, recipient: str, entries: int) -> None:
    """Wait until so many entries are there, and are counted."""

    async def counted() -> bool:
        known = await desk.database[ENTRIES].count_documents({"recipient": recipient})
        return known == entries and await is_right(desk.database)

    await eventually(counted)


async def unread(api: PushApi, recipient: str) -> int:
    return (await api.get(path_of(recipient, "/unread")))["unread"]


async def has_unread(api: PushApi, recipient: str, number: int) -> None:
    async def has() -> bool:
        return await unread(api, recipient) == number

    await eventually(has)


async def read(api: PushApi, recipient: str, up_to: str | datetime) -> dict[str, Any]:
    """Up to a time, or to an entry by its id."""
    body = {"entry": up_to} if isinstance(up_to, str) else {"up_to": format_time(up_to)}
    return (await api.told("POST", path_of(recipient, "/read"), body, 202)).body


async def listed(api: PushApi, recipient: str, limit: int) -> list[dict[str, Any]]:
    """All pages together."""
    entries, query = list[dict[str, Any]](), {"limit": str(limit)}
    while True:
        page = await api.get(path_of(recipient), **query)
        assert len(page["entries"]) <= limit
        entries += page["entries"]
        if page["next"] is None:
            return entries
        query["after"] = page["next"]


async def test_what_was_pushed_is_listed_newest_first_and_read_up_to_an_entry_or_a_time(
    desk: Installation, api: PushApi
) -> None:
    inbox = "user/a/b"
    first = pushed(inbox, 1, title="T", body="B", fields={"order": {"id": 7}}, urgency="high")
    second, third = pushed(inbox, 2), pushed(inbox, 3)
    await publish(desk.settings, second, third, first)
    await folded(desk, inbox, 3)

    page = await api.get(path_of(inbox))
    assert page["inbox"] == {
        "recipient": inbox,
        "unread": 3,
        "read_up_to": None,
        "last_entry_at": "2026-03-01T12:00:03Z",
    }
    assert [entry["id"] for entry in page["entries"]] == [event.identity for event in (third, second, first)]
    assert page["entries"][2] == {
        "id": first.identity,
        "at": "2026-03-01T12:00:01Z",
        "push": "shop/1",
        "kind": "order.paid",
        "urgency": "high",
        "title": "T",
        "body": "B",
        "fields": {"order": {"id": 7}},
        "read": False,
    }
    assert page["next"] is None

    answered = await read(api, inbox, second.identity)
    assert answered == {"recipient": inbox, "read_up_to": "2026-03-01T12:00:02Z", "unread": 1}
    await has_unread(api, inbox, 1)
    assert [entry["read"] for entry in (await api.get(path_of(inbox)))["entries"]] == [False, True, True]
    elsewhere = {"up_to": "2026-03-01T20:00:03+08:00"}
    assert (await api.told("POST", path_of(inbox, "/read"), elsewhere, 202)).body["unread"] == 0
    await has_unread(api, inbox, 0)
    assert (await api.get(path_of(inbox)))["inbox"]["read_up_to"] == "2026-03-01T12:00:03Z"

    assert api.answered >= operations("/inbox")


async def test_an_inbox_that_nothing_came_into_is_empty(api: PushApi) -> None:
    nothing = {"recipient": "user/nobody", "unread": 0, "read_up_to": None, "last_entry_at": None}
    assert await api.get("/inbox/user/nobody/unread") == nothing
    assert await api.get("/inbox/user/nobody") == {"inbox": nothing, "entries": [], "next": None}


# ---- pages ----------------------------------------------------------------------------------------------------------


async def put(database: Database, *entries: tuple[int, str]) -> None:
    """Entries (minute, id) of the one inbox that there is, as the folder keeps them."""
    await database[ENTRIES].delete_many({"recipient": "user/pages"})
    known = {"recipient": "user/pages", "push": "shop/1", "kind": "order.paid", "urgency": "low", "fields": {}}
    known |= {"title": None, "body": None}
    documents = [{**known, "_id": name, "at": START + timedelta(minutes=minute)} for minute, name in entries]
    if documents:
        await database[ENTRIES].insert_many(documents)


# Few instants, so that many came at the same one, and a page may end within it.
entries = st.lists(st.tuples(st.integers(0, 3), st.text("ab~/#", min_size=1, max_size=6)), unique_by=lambda e: e[1])


@effort(max_examples=60, deadline=None)
@given(made=entries, limit=st.integers(1, 7))
async def test_all_pages_together_are_all_entries_once_in_order(
    desk: Installation, made: list[tuple[int, str]], limit: int
) -> None:
    await put(desk.database, *made)

    found = await listed(desk.api, "user/pages", limit)

    assert [entry["id"] for entry in found] == [name for _, name in sorted(made, reverse=True)]
    await desk.database[ENTRIES].delete_many({"recipient": "user/pages"})


async def test_what_comes_between_two_pages_moves_nothing(desk: Installation, api: PushApi) -> None:
    await put(desk.database, (1, "a"), (1, "b"), (1, "c"), (2, "d"))
    first = await api.get("/inbox/user/pages", limit="2")
    await put(desk.database, (0, "new and old"), (1, "a"), (1, "aa"), (1, "cc"), (2, "e"), (3, "f"))
    rest = await api.get("/inbox/user/pages", limit="9", after=first["next"])

    assert [entry["id"] for entry in first["entries"]] == ["d", "c"]
    assert [entry["id"] for entry in rest["entries"]] == ["aa", "a", "new and old"]
    await desk.database[ENTRIES].delete_many({"recipient": "user/pages"})


async def test_a_page_ends_early_where_its_entries_are_long(desk: Installation, api: PushApi) -> None:
    body = "x" * 262_144
    await publish(desk.settings, *(pushed("user/long", second, body=body) for second in range(20)))
    await folded(desk, "user/long", 20)

    first = await api.get("/inbox/user/long", limit="20")

    assert PAGE_BYTES <= sum(len(entry["body"]) + 500 for entry in first["entries"]) < PAGE_BYTES + 300_000
    assert len(await listed(api, "user/long", 500)) == 20


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"after": "x"}, "after"),
        ({"after": "~"}, "after"),
        ({"after": "2026-03-01T12:00:00~x"}, "after"),
        ({"after": "9999-12-31T23:59:59Z~x"}, "after"),
        ({"read": "true"}, "no such filter"),
    ],
)
async def test_what_no_list_was_cut_at_is_refused(api: PushApi, query: dict[str, str], named: str) -> None:
    assert named in await api.refused("bad_field", "GET", "/inbox/user/7", **query)


# ---- reading --------------------------------------------------------------------------------------------------------


async def facts(kafka: KafkaSettings, recipient: str) -> list[Event]:
    return [event for event in await published(kafka) if event.type == "inbox.read" and event.subject == recipient]


async def test_reading_again_or_less_changes_nothing(desk: Installation, api: PushApi) -> None:
    inbox = "user/again"
    await entered(desk, inbox, 1, 2, 3)
    for _ in range(2):  # the second may come before the first is folded
        assert (await read(api, inbox, START + timedelta(seconds=2)))["unread"] == 1
    await has_unread(api, inbox, 1)
    told = len(await facts(desk.settings.kafka, inbox))
    for seconds in (2, 1, -100):
        answered = await read(api, inbox, START + timedelta(seconds=seconds))
        assert (answered["unread"], answered["read_up_to"]) == (1, "2026-03-01T12:00:02Z")

    found = await facts(desk.settings.kafka, inbox)
    assert len({event.id for event in found}) == 1
    assert (len(found), await unread(api, inbox)) == (told, 1)  # what is read already is not told


async def test_what_has_the_same_time_is_read_together(desk: Installation, api: PushApi) -> None:
    inbox = "user/same"
    newest, _, one_of_them, *_ = await entered(desk, inbox, 1, 1, 1, 2)

    assert (await read(api, inbox, one_of_them))["unread"] == 1
    await has_unread(api, inbox, 1)
    assert (await read(api, inbox, newest))["unread"] == 0


async def test_nothing_is_read_before_it_was_there(desk: Installation, api: PushApi) -> None:
    inbox = "user/future"
    await entered(desk, inbox, 1)
    before = datetime.now(UTC)
    answered = await read(api, inbox, before + timedelta(days=400))

    read_up_to = datetime.fromisoformat(answered["read_up_to"])
    assert to_millisecond(before) <= read_up_to <= datetime.now(UTC)
    await has_unread(api, inbox, 0)
    later = read_up_to - START + timedelta(seconds=1)
    ahead, *_ = await entered(desk, inbox, later.total_seconds())
    assert await unread(api, inbox) == 1
    assert (await read(api, inbox, ahead))["unread"] == 0  # by its own time, though our clock is behind


async def test_what_comes_late_is_read_already(desk: Installation, api: PushApi) -> None:
    inbox = "user/late"
    await entered(desk, inbox, 5)
    await read(api, inbox, START + timedelta(seconds=5))
    await has_unread(api, inbox, 0)
    await entered(desk, inbox, 4, 5, 6)

    assert await unread(api, inbox) == 1
    assert [entry["read"] for entry in await listed(api, inbox, 50)] == [False, True, True, True]


async def test_whatever_comes_and_is_read_in_whatever_order_the_count_is_what_the_entries_say(
    desk: Installation, api: PushApi
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)  # noqa: T201 - shown where it fails
    chance = random.Random(seed)
    inboxes = [f"customer/{number}" for number in range(4)]
    calls, pushes = list[Awaitable[Any]](), 0
    for _ in range(120):
        inbox, seconds = chance.choice(inboxes), chance.randrange(30)
        if chance.random() < 0.7:
            calls.append(publish(desk.settings, pushed(inbox, seconds)))
            pushes += 1
        else:
            calls.append(read(api, inbox, START + timedelta(seconds=seconds)))
    for start in range(0, len(calls), 10):
        await asyncio.gather(*calls[start : start + 10])

    async def all_folded() -> bool:
        there = await desk.database[ENTRIES].count_documents({"recipient": {"$in": inboxes}})
        return there == pushes and all([await read_as_told(desk, inbox) for inbox in inboxes])

    await eventually(all_folded)
    await eventually(lambda: is_right(desk.database))
    for inbox in inboxes:
        page = await api.get(path_of(inbox), limit="500")
        assert page["inbox"]["unread"] == sum(not entry["read"] for entry in page["entries"])


async def is_right(database: Database) -> bool:
    return not (await audit_inboxes(database)).differences


async def read_as_told(desk: Installation, recipient: str) -> bool:
    """Whether the last of what was told is folded."""
    events = await facts(desk.settings.kafka, recipient)
    told = [msgspec.json.decode(event.data)["up_to"] for event in events]
    known = (await desk.api.get(path_of(recipient, "/unread")))["read_up_to"]
    return known == max(told, default=None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"up_to": None},
        {"up_to": 7},
        {"up_to": ""},
        {"up_to": "2026-03-01"},
        {"up_to": "2026-03-01T12:00:00"},
        {"up_to": "9999-12-31T23:59:59Z"},
        {"up_to": "0001-01-01T00:00:00+14:00"},
        {"up_to": "an entry of nobody"},
        {"entry": None},
        {"entry": 7},
        {"up_to": "2026-03-01T12:00:00Z", "entry": "x"},
    ],
)
async def test_what_no_inbox_can_be_read_up_to_is_refused(api: PushApi, body: dict[str, Any]) -> None:
    await api.refused("bad_field", "POST", "/inbox/user/7/read", body)


async def test_an_entry_of_another_inbox_is_none_of_this(desk: Installation, api: PushApi) -> None:
    [entry] = await entered(desk, "user/mine", 1)

    for unknown in (entry, "", "2026-03-01T12:00:00Z"):
        await api.refused("not_found", "POST", "/inbox/user/yours/read", {"entry": unknown})


# ---- who may, and when ----------------------------------------------------------------------------------------------

CALLS = [("GET", "", None), ("GET", "/unread", None), ("POST", "/read", {"up_to": "2026-03-01T12:00:00Z"})]


async def test_only_back_ends_have_access(desk: Installation, shared_settings: Settings) -> None:
    stranger = PushApi(desk.api.http, "another-token")
    for method, rest, body in CALLS:
        await stranger.refused("unauthenticated", method, f"/inbox/user/7{rest}", body)
    async with serving(shared_settings) as http:
        assert "FANFOLD_PUSH__TOKENS" in await PushApi(http).refused("not_configured", "GET", "/inbox/user/7")


async def test_a_recipient_that_is_none_is_refused_by_every_operation(api: PushApi) -> None:
    for method, rest, body in CALLS:
        await api.refused("bad_field", method, f"/inbox/robot/7{rest}", body)


async def test_while_the_store_is_away_nothing_is_answered_as_done(shared_settings: Settings) -> None:
    away = MongoSettings.model_validate({"uri": f"mongodb://{LOOPBACK}:{free_port()}/", "timeout_seconds": 0.2})
    async with unready(with_push(shared_settings).model_copy(update={"mongo": away})) as http:
        for method, rest, body in CALLS:
            await PushApi(http).refused("store_away", method, f"/inbox/user/7{rest}", body)


async def test_while_kafka_is_away_nothing_is_read(desk: Installation, shared_settings: Settings) -> None:
    [entry] = await entered(desk, "user/away", 1)
    kafka = shared_settings.kafka.model_copy(
        update={"bootstrap": f"{LOOPBACK}:{free_port()}", "publish_timeout_seconds": 0.2}
    )
    async with unready(with_push(shared_settings).model_copy(update={"kafka": kafka})) as http:
        await PushApi(http).refused("broker_away", "POST", "/inbox/user/away/read", {"entry": entry})
    assert await unread(desk.api, "user/away") == 1


# ---- audit ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def counted(database: Database) -> Database:
    """Two inboxes whose counts are right, in a database of their own."""
    await database[INBOXES].insert_many(
        [
            {"_id": "user/1", "unread": 1, "read_up_to": START, "last_entry_at": START},
            {"_id": "user/2", "unread": 0, "read_up_to": START},
        ]
    )
    at = (START - timedelta(seconds=1), START, START + timedelta(seconds=1))
    await database[ENTRIES].insert_many(
        [{"_id": f"e{n}", "recipient": "user/1", "at": time} for n, time in enumerate(at)]
    )
    return database


async def test_an_audit_counts_every_inbox_anew(counted: Database) -> None:
    audit = await audit_inboxes(counted)
    assert (audit.inboxes, audit.differences) == (2, [])

    await counted[INBOXES].update_one({"_id": "user/1"}, {"$set": {"unread": 2}})
    # Entries that were never counted: of inboxes that there are not.
    uncounted = [{"_id": f"u{n}", "recipient": f"user/u{n}", "at": START} for n in range(IDS_PER_FIND + 5)]
    await counted[ENTRIES].insert_many(uncounted)
    audit = await audit_inboxes(counted)

    found = {different.recipient: (different.unread, different.counted) for different in audit.differences}
    assert found.pop("user/1") == (2, 1)
    assert found == {f"user/u{n}": (0, 1) for n in range(IDS_PER_FIND + 5)}
    assert audit.inboxes == 2 + IDS_PER_FIND + 5

    await counted[INBOXES].update_one({"_id": "user/1"}, {"$set": {"unread": 1}})
    assert len(await still_different(counted, audit.differences)) == IDS_PER_FIND + 5


async def test_the_command_tells_what_differs_and_ends_with_status_1(settings: Settings, counted: Database) -> None:
    fanfold = Fanfold(settings)
    right, as_json = await asyncio.gather(fanfold("audit", "inboxes"), fanfold("audit", "inboxes", "--json"))
    assert (right.status, right.out) == (0, "2 inboxes: what is unread is right in all of them\n")
    assert (as_json.status, as_json.json) == (0, {"inboxes": 2, "differences": []})

    await counted[INBOXES].update_one({"_id": "user/1"}, {"$set": {"unread": 2}})
    wrong, as_json = await asyncio.gather(fanfold("audit", "inboxes"), fanfold("audit", "inboxes", "--json"))
    assert wrong.status == as_json.status == 1
    assert wrong.out == "user/1: 2 unread is written, 1 are, read up to 2026-03-01 12:00:00Z\n2 inboxes, 1 differ\n"
    different = {"recipient": "user/1", "unread": 2, "counted": 1, "read_up_to": "2026-03-01T12:00:00Z"}
    assert as_json.json == {"inboxes": 2, "differences": [different]}
