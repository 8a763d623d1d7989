"""Dead letters, from a record that cannot be folded to an operator's decision, over HTTP."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from itertools import chain
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from chat_api import an_event, eventually, folding, publish

from config.settings import KafkaSettings, OperatorsSettings, Settings
from config.topics import TOPICS
from handlers.accounts import LOGIN_LOG
from handlers.letters import COLLECTION, letter_for
from handlers.plan import Poisoned
from schemas.cloudevents import encode_headers
from schemas.events import LogId, Record
from stores.dead_letters import DeadLetters, State, Which
from stores.mongo import Database
from streams.cluster import open_cluster
from streams.records import open_sender
from workers.reader import to_record

TOKEN = "operators-token"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"operators": OperatorsSettings.model_validate({"tokens": [TOKEN]})})


@pytest.fixture
async def http(gateway: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        yield session


def poison(kafka: KafkaSettings, **fields: Any) -> Record:
    """A record that says nothing of what it is."""
    known = {
        "topic": f"{kafka.prefix}accounts",
        "partition": 2,
        "offset": 0,
        "timestamp_ms": 1_767_323_045_678,
        "key": b"\x00\xff",
        "value": b"{not json",
        "headers": (("x-from", b"upstream"), ("x-empty", b""), ("x-none", None)),
    }
    return Record(**(known | fields))


async def send(kafka: KafkaSettings, *records: Record) -> None:
    async with open_sender(kafka) as sender:
        for record in records:
            await sender.send(record)


async def listed(http: aiohttp.ClientSession, **query: str) -> list[dict[str, Any]]:
    async with http.get("/dead-letters", params=query) as answer:
        assert answer.status == 200
        return (await answer.json())["letters"]


async def one_letter(http: aiohttp.ClientSession) -> dict[str, Any]:
    [letter] = await eventually(lambda: listed(http))
    return letter


async def records_of(kafka: KafkaSettings, partition: int, count: int) -> list[Record]:
    """The first records of a partition of the topic of accounts."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(f"{kafka.prefix}accounts", partition)])
        return [to_record(await consumer.getone()) for _ in range(count)]
    finally:
        await consumer.stop()


async def test_a_record_that_is_no_event_is_kept_whole(http: aiohttp.ClientSession, settings: Settings) -> None:
    async with folding(settings):
        await send(settings.kafka, poison(settings.kafka))
        letter = await one_letter(http)

    assert letter["state"] == "open"
    assert letter["at"] == "2026-01-02T03:04:05.678000Z"
    assert letter["letter"] | {"creation": "", "detail": ""} == {
        "topic": f"{settings.kafka.prefix}accounts",
        "partition": 2,
        "offset": 0,
        "creation": "",
        "timestamp_ms": 1_767_323_045_678,
        "reason": "not_a_cloudevent",
        "detail": "",
        "key": b64encode(b"\x00\xff").decode(),
        "value": b64encode(b"{not json").decode(),
        "sealed": None,
        "headers": [["x-from", b64encode(b"upstream").decode()], ["x-empty", ""], ["x-none", None]],
    }


async def test_a_replay_writes_the_same_record_to_the_same_partition(
    http: aiohttp.ClientSession, settings: Settings
) -> None:
    async with folding(settings):
        await send(settings.kafka, poison(settings.kafka))
        letter = await one_letter(http)

    async with http.post(f"/dead-letters/{letter['id']}/replay") as answer:
        assert answer.status == 200
        replayed = await answer.json()
    assert replayed["state"] == "replayed"
    assert replayed["closed_at"] is not None

    first, again = await records_of(settings.kafka, partition=2, count=2)
    assert (again.key, again.value, again.headers, again.timestamp_ms) == (
        first.key,
        first.value,
        first.headers,
        first.timestamp_ms,
    )


async def test_a_record_without_key_and_value_can_be_replayed(http: aiohttp.ClientSession, settings: Settings) -> None:
    async with folding(settings):
        await send(settings.kafka, poison(settings.kafka, key=None, value=None, headers=()))
        letter = await one_letter(http)
        async with http.post(f"/dead-letters/{letter['id']}/replay") as answer:
            assert answer.status == 200

    _, again = await records_of(settings.kafka, partition=2, count=2)
    assert (again.key, again.value, tuple(again.headers)) == (None, None, ())


async def test_a_record_that_fails_again_becomes_a_letter_of_its_own(
    http: aiohttp.ClientSession, settings: Settings
) -> None:
    async with folding(settings):
        await send(settings.kafka, poison(settings.kafka))
        first = await one_letter(http)
        await http.post(f"/dead-letters/{first['id']}/replay")
        [second] = await eventually(lambda: listed(http, state="open"))

    assert second["id"] != first["id"]
    assert [letter["state"] for letter in await listed(http)] == ["open", "replayed"]


@pytest.mark.parametrize("first", ["replay", "discard"])
@pytest.mark.parametrize("second", ["replay", "discard"])
async def test_a_letter_is_closed_once(
    http: aiohttp.ClientSession, settings: Settings, first: str, second: str
) -> None:
    async with folding(settings):
        await send(settings.kafka, poison(settings.kafka))
        letter = await one_letter(http)

    async with http.post(f"/dead-letters/{letter['id']}/{first}") as answer:
        assert answer.status == 200
        closed = await answer.json()
    async with http.post(f"/dead-letters/{letter['id']}/{second}") as answer:
        assert answer.status == 409
        assert (await answer.json())["reason"] == "conflict"
    async with http.get(f"/dead-letters/{letter['id']}") as answer:
        assert await answer.json() == closed


async def test_of_many_who_close_a_letter_at_once_one_does(
    http: aiohttp.ClientSession, settings: Settings, database: Database
) -> None:
    async with folding(settings):
        await send(settings.kafka, poison(settings.kafka))
        letter = await one_letter(http)

    async def close(state: State) -> bool:
        return await DeadLetters(database).close(letter["id"], state, letter_time)

    letter_time = (await database[COLLECTION].find_one({}))["recorded_at"]
    won = await asyncio.gather(*map(close, [State.REPLAYED, State.DISCARDED] * 8))
    assert sum(won) == 1


async def test_an_event_that_was_folded_already_does_not_count_again_when_replayed(
    http: aiohttp.ClientSession, settings: Settings, database: Database
) -> None:
    login = an_event("account.session.changed", "u1", {"user_id": "u1", "online": True, "cause": "callback"})
    record = Record(
        topic=f"{settings.kafka.prefix}accounts",
        partition=0,
        offset=77,
        timestamp_ms=1_767_323_045_678,
        key=b"u1",
        value=login.data,
        headers=encode_headers(login),
    )
    letter = letter_for(
        Poisoned(record, "handler_failed", "as an earlier release did"), LogId(record.topic, "0" * 32, 0)
    )
    async with folding(settings):
        await publish(settings, login, letter)
        kept = await one_letter(http)
        await eventually(lambda: database[LOGIN_LOG].count_documents({}))
        async with http.post(f"/dead-letters/{kept['id']}/replay") as answer:
            assert answer.status == 200
        after = an_event("account.session.changed", "u2", {"user_id": "u2", "online": True, "cause": "callback"})
        await publish(settings, after)
        await eventually(lambda: database[LOGIN_LOG].find_one({"user_id": "u2"}))
        await folded_to_the_end(settings)

    assert await database[LOGIN_LOG].count_documents({"user_id": "u1"}) == 1


async def folded_to_the_end(settings: Settings) -> None:
    async with open_cluster(settings.kafka) as cluster:

        async def done() -> bool:
            return not any(lag.behind for lag in await cluster.lag(TOPICS))

        await eventually(done)


async def test_letters_are_chosen_by_reason_topic_and_state_and_come_in_pages(
    http: aiohttp.ClientSession, settings: Settings
) -> None:
    accounts = [poison(settings.kafka, timestamp_ms=1_767_323_045_000 + n) for n in range(5)]
    other = poison(settings.kafka, topic=f"{settings.kafka.prefix}detections", timestamp_ms=1_767_323_046_000)
    unknown = an_event("account.vanished", "u1", {})
    stranger = poison(
        settings.kafka, key=b"u1", value=b"{}", headers=encode_headers(unknown), timestamp_ms=1_767_323_047_000
    )
    async with folding(settings):
        await send(settings.kafka, *accounts, other, stranger)

        async def all_there() -> bool:
            return len(await listed(http)) == 7

        await eventually(all_there)

    assert len(await listed(http, reason="unknown_type")) == 1
    assert len(await listed(http, topic=f"{settings.kafka.prefix}detections")) == 1
    assert len(await listed(http, reason="not_a_cloudevent", topic=f"{settings.kafka.prefix}accounts")) == 5
    assert await listed(http, state="replayed") == []

    whole = [letter["id"] for letter in await listed(http)]
    pages, after = [], {}
    while True:
        async with http.get("/dead-letters", params={"limit": "3", **after}) as answer:
            page = await answer.json()
        pages.append([letter["id"] for letter in page["letters"]])
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert [len(page) for page in pages] == [3, 3, 1]
    assert list(chain(*pages)) == whole


async def test_a_replay_of_many_keeps_the_order_of_each_partition(
    http: aiohttp.ClientSession, settings: Settings, database: Database
) -> None:
    async with folding(settings):
        await send(settings.kafka, *(poison(settings.kafka, value=f"{n}".encode()) for n in range(12)))

        async def all_there() -> bool:
            return len(await listed(http)) == 12

        await eventually(all_there)

    letters = DeadLetters(database)
    ids = await letters.ids(Which(State.OPEN))
    assert [letter_id.rpartition("@")[2] for letter_id in ids] == [str(n) for n in range(12)]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("state=closed", "state"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=%D9%A3", "limit"),
        ("limit=x", "limit"),
    ],
)
async def test_a_mistaken_query_is_refused_by_name(http: aiohttp.ClientSession, query: str, named: str) -> None:
    async with http.get(f"/dead-letters?{query}") as answer:
        assert answer.status == 400
        problem = await answer.json()
    assert problem["reason"] == "bad_field"
    assert named in problem["detail"]


@pytest.mark.parametrize(
    "path", ["/dead-letters/none", "/dead-letters/a%2Fb", "/dead-letters/$ne", "/dead-letters/x/y"]
)
async def test_a_letter_that_is_not_there_is_not_found(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        assert answer.status == 404
        assert (await answer.json())["reason"] == "not_found"


async def test_without_an_operators_token_nothing_is_shown(gateway: str) -> None:
    async with aiohttp.ClientSession(gateway, headers={"Authorization": "Bearer events-token"}) as session:
        for method, path in (("GET", ""), ("GET", "/x"), ("POST", "/x/replay"), ("POST", "/x/discard")):
            async with session.request(method, f"/dead-letters{path}") as answer:
                assert answer.status == 401
