"""A message to somebody who is offline reaches where that user can be reached: from the call to the webhook."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from im_api import ImApi, serving_im, with_im
from im_messages import Person, people, text
from pushing import Sink, a_sink, an_endpoint, push_settings, pushing

from config.settings import Settings
from stores.mongo import Database, open_database
from tests.integration.chat_api import eventually, folding, publish
from tests.integration.published import published


@pytest.fixture(scope="module")
def push_at_work(shared_settings: Settings) -> Settings:
    return push_settings(with_im(shared_settings))


@pytest.fixture(scope="module")
async def http(push_at_work: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """Gateway, folder, router and dispatcher."""
    async with serving_im(push_at_work) as http, folding(push_at_work), pushing(push_at_work):
        yield http


@pytest.fixture
async def store(push_at_work: Settings, http: aiohttp.ClientSession) -> AsyncIterator[Database]:
    async with open_database(push_at_work.mongo) as database:
        yield database


@pytest.fixture
def im(http: aiohttp.ClientSession) -> ImApi:
    return ImApi(http)


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with a_sink() as sink:
        yield sink


async def received(sink: Sink, number: int) -> list[dict[str, Any]]:
    """What the webhooks say, once there are so many."""

    async def there() -> bool:
        return len(sink.received) >= number

    await eventually(there)
    return [each.body["data"] for each in sink.received]


async def reachable(store: Database, sink: Sink, person: Person) -> None:
    await an_endpoint(store, sink.url(f"/{person.id}"), owner=f"user/{person.im.app}:{person.id}")


async def test_each_message_is_one_webhook_whatever_is_told_again(
    im: ImApi, push_at_work: Settings, store: Database, sink: Sink
) -> None:
    ann, bob = await people(im, "ann", "bob")
    await reachable(store, sink, bob)
    info = {"PushFlag": 0, "Title": "news", "Desc": "look", "Ext": '{"room": 7}'}

    key = await ann.sends(bob, "hidden", OfflinePushInfo=info)
    await ann.sends(bob, "not pushed", OfflinePushInfo={"PushFlag": 1, "Desc": "never"})
    await received(sink, 1)
    told = [event for event in await published(push_at_work.kafka) if bob.id in event.subject]
    assert {"im.message.sent", "push.requested"} <= {event.type for event in told}
    # As a sender that had no answer does, and a folder that was killed before it committed.
    for _ in range(2):
        await asyncio.gather(*(publish(push_at_work, event) for event in told))
    await ann.sends(bob, "the last")

    first, last = await received(sink, 2)
    assert (first["title"], first["body"]) == ("news", "look")
    assert first["fields"]["msg_key"] == key
    assert first["fields"]["offline_push_info"]["Ext"] == '{"room": 7}'
    assert (last["title"], last["body"]) == (ann.id, "the last")
    assert set(sink.times.values()) == {1}


async def test_of_a_batch_each_receiver_gets_one_of_its_own(im: ImApi, store: Database, sink: Sink) -> None:
    ann, *others = await people(im, "ann", "bob", "cid", "dan")
    for person in others:
        await reachable(store, sink, person)
    body = {
        "From_Account": ann.id,
        "To_Account": [person.id for person in others],
        "MsgRandom": 5,
        "MsgBody": text("to all"),
    }

    await im.ok("openim/batchsendmsg", body)

    assert {each["body"] for each in await received(sink, 3)} == {"to all"}
    assert sorted(each.path for each in sink.received) == sorted(f"/{person.id}" for person in others)
