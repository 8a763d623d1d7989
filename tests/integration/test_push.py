"""A push from what asked for it to what received it, over a real broker, store and sockets."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from config.settings import Settings
from config.topics import Topic
from gateway.repair import replay
from schemas.delivery import delivery_id
from stores.dead_letters import DeadLetters, Which
from stores.mongo import Database
from streams.cluster import Cluster
from streams.records import open_sender
from tests.integration.chat_api import an_event, eventually, folding, publish
from tests.integration.pushing import Sink, a_push, a_sink, an_endpoint, dispatching, push_settings, pushing


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with a_sink() as sink:
        yield sink


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return push_settings(settings)


async def deliveries(database: Database, **asked: Any) -> list[dict[str, Any]]:
    return await database["deliveries"].find(asked).sort("order").to_list()


async def settled(database: Database, count: int, state: str = "delivered") -> list[dict[str, Any]]:
    async def all_there() -> list[dict[str, Any]] | None:
        found = await deliveries(database, state=state)
        return found if len(found) >= count else None

    return await eventually(all_there)  # type: ignore[no-any-return]


async def test_a_push_reaches_its_recipients_endpoint_and_inbox(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    endpoint = await an_endpoint(database, sink.url("/a"))
    push = a_push(fields={"n": 7}, kind="order.paid")
    await publish(quick, push)

    async with pushing(quick), folding(quick):
        [delivery] = await settled(database, 1)
        inbox = await eventually(lambda: database["inboxes"].find_one({"_id": "user/1"}))

    [received] = sink.received
    assert received.id == delivery["_id"] == delivery_id(push.identity, "user/1", "webhook", endpoint.id)
    assert received.body["type"] == "order.paid"
    assert delivery["attempts"][0]["outcome"] == "delivered"
    assert delivery["attempts"][0]["status"] == 200
    assert inbox["unread"] == 1
    [entry] = await database["inbox_entries"].find({"recipient": "user/1"}).to_list()
    assert (entry["title"], entry["body"], entry["fields"]) == ("Hello", "World", {"n": 7})


async def test_the_same_push_asked_for_again_is_not_sent_again_though_bindings_have_changed(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    await an_endpoint(database, sink.url("/a"))
    push, other = a_push(), a_push()
    await publish(quick, push, push)

    async with pushing(quick), folding(quick):
        await settled(database, 1)
        await an_endpoint(database, sink.url("/b"))
        await publish(quick, push)
        await publish(quick, other)
        await settled(database, 3)
        await eventually(lambda: database["inboxes"].find_one({"_id": "user/1", "unread": 2}))

    assert len(sink.ids("/a")) == len(set(sink.ids("/a"))) == 2
    assert len(sink.ids("/b")) == 1


async def test_a_receiver_that_fails_is_tried_again_and_each_attempt_is_kept(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    await an_endpoint(database, sink.url())
    sink.answer = lambda _: web.Response(status=503 if len(sink.received) < 3 else 204, text="out of order")
    await publish(quick, a_push())

    async with pushing(quick):
        [delivery] = await settled(database, 1)

    assert [(attempt["outcome"], attempt["status"]) for attempt in delivery["attempts"]] == [
        ("retry", 503),
        ("retry", 503),
        ("delivered", 204),
    ]
    assert delivery["attempts"][0]["response"] == "out of order"
    assert set(sink.times.values()) == {3}  # one id, three times
    assert (await database["endpoints"].find_one({}))["failing_since"] is None


async def test_what_is_given_up_becomes_a_dead_letter_and_its_replay_is_tried_again(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink, cluster: Cluster
) -> None:
    await an_endpoint(database, sink.url())
    sink.answer = lambda _: web.Response(status=400, text="no such thing")
    await publish(quick, a_push())

    async with pushing(quick), folding(quick):
        [delivery] = await settled(database, 1, state="dead")
        letter = await eventually(lambda: database["dead_letters"].find_one({}))
        assert delivery["reason"] == "refused"
        assert letter["letter"]["reason"] == "delivery_refused"
        assert "no such thing" in letter["letter"]["detail"]

        sink.answer = lambda _: web.Response(status=200)
        letters = DeadLetters(database)
        [shown] = await letters.page(Which(), after=None, limit=5)
        async with open_sender(quick.kafka) as sender:
            await replay(letters, sender, shown.id, datetime.now(UTC), lambda sealed: sealed)
        [delivery] = await settled(database, 1)

    assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["refused", "delivered"]


async def test_retries_that_are_used_up_end_in_a_dead_letter(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    await an_endpoint(database, sink.url())
    sink.answer = lambda _: web.Response(status=500)
    await publish(quick, a_push())

    async with pushing(quick):
        [delivery] = await settled(database, 1, state="dead")

    assert delivery["reason"] == "exhausted"
    assert len(delivery["attempts"]) == 3  # the first and two retries


async def test_an_endpoint_that_is_gone_is_disabled_and_its_owner_told_another_way(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    gone = await an_endpoint(database, sink.url("/gone"))
    await an_endpoint(database, sink.url("/other"), kinds=("endpoint.*",))
    sink.answer = lambda received: web.Response(status=410 if received.path == "/gone" else 200)
    await publish(quick, a_push())

    async with pushing(quick):
        [told] = await settled(database, 1)
        [dead] = await settled(database, 1, state="dead")

    assert dead["reason"] == "gone"
    assert told["kind"] == "endpoint.disabled"
    assert sink.received[-1].path == "/other"
    kept = await database["endpoints"].find_one({"_id": gone.id})
    assert (kept["enabled"], kept["disabled_reason"]) == (False, "gone")


async def test_an_endpoint_that_has_failed_for_days_is_disabled_and_its_owner_told(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=6)
    failing = await an_endpoint(database, sink.url("/down"), failing_since=long_ago)
    await an_endpoint(database, sink.url("/other"), kinds=("endpoint.*",))
    sink.answer = lambda received: web.Response(status=500 if received.path == "/down" else 200)
    await publish(quick, a_push())

    async with pushing(quick):
        [told] = await settled(database, 1)
        [dead] = await settled(database, 1, state="dead")

    assert (told["kind"], told["fields"]["reason"]) == ("endpoint.disabled", "failing")
    assert dead["reason"] in ("endpoint_disabled", "exhausted")
    assert (await database["endpoints"].find_one({"_id": failing.id}))["disabled_reason"] == "failing"


async def test_one_that_hangs_delays_no_other_and_is_left_alone_after_a_while(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    for number in range(5):
        await an_endpoint(database, sink.url("/hangs"), owner="user/slow", id=f"ep_h{number}", concurrency=2)
        await an_endpoint(database, sink.url(f"/well{number}"), owner="user/quick", id=f"ep_w{number}")
    sink.answer = lambda received: None if received.path == "/hangs" else web.Response(status=200)
    slow = [a_push("user/slow") for _ in range(40)]
    await publish(quick, *slow)
    async with pushing(push_settings(quick, in_flight=30)):
        await eventually(lambda: _some(sink.ids("/hangs")))
        await publish(quick, *[a_push("user/quick") for _ in range(20)])
        await settled(database, 100)
        hung = await database["deliveries"].count_documents({"recipient": "user/slow", "state": "parked"})

    assert hung > 0
    assert all(len(sink.ids(f"/well{number}")) == 20 for number in range(5))


async def _some(found: list[str]) -> bool:
    return bool(found)


async def test_more_than_a_lane_holds_waits_in_the_store_and_goes_out_in_time(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    await an_endpoint(database, sink.url(), concurrency=2)
    settings = push_settings(quick, lane_waiting=5)
    await publish(settings, *[a_push() for _ in range(300)])

    async with pushing(settings):
        await settled(database, 300)

    assert len(sink.times) == 300
    assert set(sink.times.values()) == {1}


async def test_order_is_kept_where_asked_for_through_failures_and_parking(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    await an_endpoint(database, sink.url(), concurrency=4)
    failed: set[str] = set()

    def every_fifth_fails_once(received: Any) -> web.Response:
        number = received.body["data"]["fields"]["n"]
        if number % 5 == 0 and received.id not in failed:
            failed.add(received.id)
            return web.Response(status=500)
        return web.Response(status=200)

    sink.answer = every_fifth_fails_once
    settings = push_settings(quick, lane_waiting=4, breaker_failures=50)
    await publish(
        settings, *[a_push(fields={"n": n, "to": n % 3}, ordered_by=f"conversation-{n % 3}") for n in range(60)]
    )
    async with pushing(settings):
        await settled(database, 60)

    for conversation in range(3):
        accepted = [
            each.body["data"]["fields"]["n"]
            for each in sink.received
            if each.body["data"]["fields"]["to"] == conversation
        ]
        firsts = list(dict.fromkeys(accepted))
        assert firsts == sorted(firsts)
        # A failed one comes again before anything behind it.
        assert accepted == sorted(accepted)


async def test_a_dispatcher_that_ends_leaves_what_waits_to_the_next_one(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    await an_endpoint(database, sink.url(), concurrency=1)
    sink.answer = lambda _: web.Response(status=503)
    slow = push_settings(quick, retry_seconds=[1.0, 1.0, 1.0, 1.0, 1.0], lane_waiting=3)
    await publish(slow, *[a_push() for _ in range(30)])
    async with pushing(slow):
        await settled(database, 1, state="waiting")
        await settled(database, 10, state="parked")
    sink.answer = lambda _: web.Response(status=200)

    async with dispatching(quick):
        await settled(database, 30)

    assert len(sink.times) == 30


async def test_quiet_hours_and_digests_gather_what_is_not_critical(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    await an_endpoint(database, sink.url())
    # Windows of a minute: what is asked for now leaves at the full minute.
    await database["preferences"].insert_one({"_id": "user/1", "recipient": "user/1", "digest_minutes": 1})
    await publish(quick, *[a_push(title=f"Title {n}") for n in range(4)])
    async with pushing(quick):
        waiting = await settled(database, 4, state="waiting")
        await publish(quick, a_push(title="Fire", urgency="critical"))
        await settled(database, 1)
        # The minute need not be waited for: what the store says is due is due.
        await database["deliveries"].update_many({"state": "waiting"}, {"$set": {"due_at": datetime.now(UTC)}})
        await settled(database, 5)

    assert len({each["digest"] for each in waiting}) <= 2  # two where the full minute fell between
    assert sink.received[0].body["data"]["title"] == "Fire"
    texts = "".join(each.body["data"]["body"] for each in sink.received[1:])
    assert all(f"Title {n}" in texts for n in range(4))
    assert len(sink.received) <= 3


async def test_a_push_that_cannot_be_written_whole_is_set_aside_and_reaches_nobody(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    await an_endpoint(database, sink.url())
    half = an_event("push.requested", "user/1", {"recipient": "user/1", "kind": "alert.raised", "fields": {}})
    unknown = an_event("push.requested", "user/1", {"recipient": "user/1", "kind": "nobody.wrote.one"})
    await publish(quick, half, unknown, a_push(title="whole"))

    async with pushing(quick), folding(quick):
        await settled(database, 1)
        letters = await eventually(lambda: _all(database, 2))
        inbox = await eventually(lambda: database["inboxes"].find_one({"_id": "user/1"}))

    assert sorted(letter["letter"]["reason"] for letter in letters) == ["missing_field", "no_template"]
    assert inbox["unread"] == 1
    assert len(sink.received) == 1


async def _all(database: Database, count: int) -> list[dict[str, Any]] | None:
    letters = await database["dead_letters"].find({}).to_list()
    return letters if len(letters) >= count else None


async def test_a_dispatcher_killed_between_sending_and_recording_repeats_that_one_under_the_same_id(
    quick: Settings, synced: tuple[Topic, ...], database: Database, sink: Sink
) -> None:
    await an_endpoint(database, sink.url(), concurrency=1)
    sink.answer = lambda _: None  # received, never answered
    await publish(quick, a_push())
    task = asyncio.create_task(_until_received(quick, sink))
    await task
    sink.answer = lambda _: web.Response(status=200)

    async with dispatching(quick):
        await settled(database, 1)

    assert len(sink.received) == 2
    assert len(sink.times) == 1


async def _until_received(settings: Settings, sink: Sink) -> None:
    """A router and a dispatcher that is cut off while its attempt is under way."""
    impatient = push_settings(settings, drain_seconds=0.05)
    async with pushing(impatient):
        await eventually(lambda: _some(sink.ids()))
