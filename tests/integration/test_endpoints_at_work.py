"""Endpoints registered by HTTP and pushes sent to them: signed, cancelled, tried again, recovered."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from chat_api import eventually, publish
from desk_api import Installation, a_delivery, insert, installed, with_push
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from config.settings import Settings
from schemas.delivery import State
from stores.collections import DELIVERIES
from tests.integration.pushing import Received, Sink, a_push, a_sink, dispatching, push_settings, pushing


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with a_sink() as sink:
        yield sink


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Installation]:
    async with installed(with_push(push_settings(settings, lane_waiting=10))) as installation:
        yield installation


async def counted(desk: Installation, count: int, **asked: Any) -> list[dict[str, Any]]:
    """The deliveries that are asked for, once there are so many."""

    async def there() -> list[dict[str, Any]] | None:
        found = await desk.database[DELIVERIES].find(asked).sort([("order", 1)]).to_list()
        return found if len(found) >= count else None

    return await eventually(there)  # type: ignore[no-any-return]


async def test_a_test_arrives_signed_with_the_secret_that_was_shown_and_with_both_while_it_is_rotated(
    desk: Installation, sink: Sink
) -> None:
    made = await desk.api.register(url=sink.url("/in"), kinds=["order.*"])
    path = f"/endpoints/{made['id']}"

    async with pushing(desk.settings):
        sent = (await desk.api.told("POST", f"{path}/test", status=202)).body
        [delivery] = await counted(desk, 1, state="delivered")
        rotated = (await desk.api.told("POST", f"{path}/rotate-secret")).body

        async def signed_twice() -> bool:
            # A dispatcher looks for changes every few seconds.
            await desk.api.told("POST", f"{path}/test", status=202)
            return " " in sink.received[-1].headers["webhook-signature"]

        await eventually(signed_twice)

    assert delivery["_id"] == sent["delivery"]
    first, last = sink.received[0], sink.received[-1]
    assert first.body["type"] == "endpoint.test"
    assert Webhook(made["secret"]).verify(first.raw, first.headers) == first.body
    with pytest.raises(WebhookVerificationError):
        Webhook(rotated["secret"]).verify(first.raw, first.headers)
    for secret in (made["secret"], rotated["secret"]):
        assert Webhook(secret).verify(last.raw, last.headers) == last.body


async def test_what_was_given_up_is_delivered_once_it_is_recovered_in_the_order_in_which_it_was_asked_for(
    desk: Installation, sink: Sink
) -> None:
    made = await desk.api.register(url=sink.url(), ordered=True, concurrency=4)
    sink.answer = lambda _: web.Response(status=400)
    await publish(desk.settings, *[a_push("user/7", fields={"n": n}) for n in range(30)])
    async with pushing(desk.settings):
        dead = await counted(desk, 30, state="dead")
        sink.received.clear()
        # Every fifth is not taken at first: what is behind it waits for it.
        failed: set[str] = set()

        def answer(received: Received) -> web.Response:
            if received.body["data"]["fields"]["n"] % 5 == 0 and received.id not in failed:
                failed.add(received.id)
                return web.Response(status=500)
            return web.Response(status=200)

        sink.answer = answer
        since = (dead[0]["requested_at"] - timedelta(hours=1)).isoformat()
        recovered = (await desk.api.told("POST", f"/endpoints/{made['id']}/recover", {"since": since})).body
        await counted(desk, 30, state="delivered")

    assert recovered == {"recovered": 30}
    asked = [each["fields"]["n"] for each in dead]
    assert list(dict.fromkeys(each.body["data"]["fields"]["n"] for each in sink.received)) == asked


class Gate:
    """Receives, and answers each delivery when it is let through."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.open = asyncio.Event()
        self.status = 200
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.ids.append(request.headers["webhook-id"])
        await self.open.wait()
        return web.Response(status=self.status)

    async def reached(self) -> None:
        async def some() -> bool:
            return bool(self.ids)

        await eventually(some)


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    app = web.Application()
    app.router.add_post("/", gate.take)
    async with TestServer(app) as server:
        gate.url = str(server.make_url("/"))
        yield gate
        gate.open.set()


async def test_one_that_is_cancelled_while_it_stands_in_memory_behind_others_is_not_sent(
    desk: Installation, gate: Gate
) -> None:
    made = await desk.api.register(url=gate.url, concurrency=1)
    ids = await insert(desk.database, *(a_delivery(State.PARKED, made["id"], order=n) for n in range(5)))

    async with dispatching(patient(desk.settings)):
        await gate.reached()
        for delivery_id in ids[1:4]:
            await desk.api.told("POST", f"/deliveries/{delivery_id}/cancel")
        gate.open.set()
        await counted(desk, 2, state="delivered")

    assert gate.ids == [ids[0], ids[4]]
    assert len(await counted(desk, 3, state="cancelled")) == 3


@pytest.mark.parametrize(("status", "ends"), [(503, "cancelled"), (200, "delivered")])
async def test_one_that_is_cancelled_during_an_attempt_is_not_tried_again_and_counts_as_delivered_if_it_was(
    desk: Installation, gate: Gate, status: int, ends: str
) -> None:
    made = await desk.api.register(url=gate.url)
    gate.status = status
    [delivery_id] = await insert(desk.database, a_delivery(State.WAITING, made["id"], due_at=datetime.now(UTC)))

    async with dispatching(patient(desk.settings)):
        await gate.reached()
        await desk.api.told("POST", f"/deliveries/{delivery_id}/cancel")
        gate.open.set()
    # Left in order: the attempt has ended, and been recorded as far as it counts.

    assert (await desk.api.get(f"/deliveries/{delivery_id}"))["state"] == ends


def patient(settings: Settings) -> Settings:
    """Attempts last as long as it takes a test to do something meanwhile."""
    quick = push_settings(settings, drain_seconds=30.0)
    return quick.model_copy(update={"push": settings.push.model_copy(update={"timeout_seconds": 30.0})})


async def test_what_was_cancelled_can_be_tried_again_after_all(desk: Installation, sink: Sink) -> None:
    await desk.api.register(url=sink.url())
    sink.answer = lambda _: web.Response(status=503)
    await publish(desk.settings, a_push("user/7"))
    later = with_push(push_settings(desk.settings, retry_seconds=[3600.0]))
    async with pushing(later):
        [delivery] = await counted(desk, 1, state="waiting")
    path = f"/deliveries/{delivery['_id']}"
    await desk.api.told("POST", f"{path}/cancel")
    sink.answer = lambda _: web.Response(status=200)
    await desk.api.told("POST", f"{path}/retry")

    async with dispatching(later):
        await counted(desk, 1, state="delivered")

    assert set(sink.times.values()) == {2}  # one id, twice
    assert (await desk.api.get(path))["reason"] is None


async def test_a_change_to_an_endpoint_reaches_a_dispatcher_at_work(desk: Installation, sink: Sink) -> None:
    made = await desk.api.register(url=sink.url("/old"))
    async with pushing(desk.settings):
        await publish(desk.settings, a_push("user/7"))
        await counted(desk, 1, state="delivered")
        await desk.api.told("PATCH", f"/endpoints/{made['id']}", {"url": sink.url("/new")})

        async def arrives_there() -> bool:
            await publish(desk.settings, a_push("user/7"))
            return bool(sink.ids("/new"))

        await eventually(arrives_there)
