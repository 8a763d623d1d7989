"""A story as the manual would tell it: two people talk, one goes and comes back, something is taken back, and in the
end one will not hear of the other. After each step both see what they should: list, unread, history."""

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from callbacks_api import TOKEN, ImServer, a_state
from im_api import APP, IM, ImApi, serving_im, with_im
from im_friends import add, block, related
from im_messages import Person, people, words_of
from pushing import Sink, a_sink, an_endpoint, push_settings, pushing

from config.settings import Settings
from stores.mongo import Database, open_database
from tests.integration.chat_api import eventually, folding

RECALLED = 8


@pytest.fixture(scope="module")
def everything(shared_settings: Settings) -> Settings:
    """Its IM server calls back, and its users have endpoints."""
    return push_settings(with_im(shared_settings, apps={APP: {**IM["apps"][APP], "callbacks_in": {"token": TOKEN}}}))


@pytest.fixture(scope="module")
async def http(everything: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """Gateway, folder, router and dispatcher."""
    async with serving_im(everything) as http, folding(everything), pushing(everything):
        yield http


@pytest.fixture
async def store(everything: Settings, http: aiohttp.ClientSession) -> AsyncIterator[Database]:
    async with open_database(everything.mongo) as database:
        yield database


@pytest.fixture
async def phone() -> AsyncIterator[Sink]:
    """What is pushed arrives here."""
    async with a_sink() as sink:
        yield sink


class Client:
    """What the IM server tells of a person's phone."""

    def __init__(self, server: ImServer, person: Person) -> None:
        self._server, self._person = server, person

    async def logs(self, action: str, *, then: str) -> None:
        """Waits until it shows."""
        await self._server.ok("State.StateChange", a_state(self._person.id, action, time.time_ns() // 1_000_000))

        async def shown() -> bool:
            answer = await self._person.im.ok("openim/query_online_status", {"To_Account": [self._person.id]})
            return bool(answer["QueryResult"][0]["Status"] == then)

        await eventually(shown)


async def sees(person: Person, peer: Person, *lines: str, unread: int) -> None:
    """Waits until the person's list, unread and history are this; a line that was recalled stands in brackets."""

    async def now() -> tuple[Any, ...]:
        history = [
            f"[{words_of(each)}]" if each["MsgFlagBits"] == RECALLED else words_of(each)
            for each in await person.history(peer)
        ]
        return await person.listed(), await person.unread(peer), await person.unread(), history

    async def as_it_should_be() -> bool:
        return await now() == ([(peer.id, 0)], [unread], unread, list(lines))

    await eventually(as_it_should_be)


async def pushed(phone: Sink, *words: str) -> None:
    """Waits until the phone showed these, whichever first, and nothing else."""

    async def shown() -> bool:
        return sorted(each.body["data"]["body"] for each in phone.received) == sorted(words)

    await eventually(shown)


async def a_second_goes_by() -> None:
    """A reading names a second, so what is to be read apart is said apart."""
    now = int(time.time())

    async def later() -> bool:
        return int(time.time()) > now

    await eventually(later)


def second_of(key: str) -> int:
    return int(key.rpartition("_")[2])


async def test_two_people(http: aiohttp.ClientSession, store: Database, phone: Sink) -> None:
    im, server = ImApi(http), ImServer(http)
    ann, bob = await people(im, "ann", "bob")
    anns, bobs = Client(server, ann), Client(server, bob)
    await an_endpoint(store, phone.url("/bob"), owner=f"user/{im.app}:{bob.id}")

    # They make friends, and talk.
    await add(im, ann.id, bob.id)
    assert await related(im, ann.id, bob.id) == "BothWay"
    await anns.logs("Login", then="Online")
    await bobs.logs("Login", then="Online")
    await ann.sends(bob, "are you there?")
    await sees(bob, ann, "are you there?", unread=1)
    await bob.sends(ann, "yes")
    said: tuple[str, ...] = ("are you there?", "yes")
    await sees(ann, bob, *said, unread=1)
    await ann.reads(bob)
    await bob.reads(ann)
    await sees(ann, bob, *said, unread=0)
    await sees(bob, ann, *said, unread=0)

    # Bob logs out; what Ann says meanwhile is pushed to him.
    await bobs.logs("Logout", then="Offline")
    await ann.sends(bob, "dinner?")
    at_eight = await ann.sends(bob, "at eight")
    await a_second_goes_by()
    await ann.sends(bob, "at ours")
    wine = await ann.sends(bob, "bring wine")
    said = (*said, "dinner?", "at eight", "at ours", "bring wine")
    await sees(ann, bob, *said, unread=0)
    await sees(bob, ann, *said, unread=4)
    await pushed(phone, "dinner?", "at eight", "at ours", "bring wine")

    # He comes back, and reads half of it.
    await bobs.logs("Login", then="Online")
    await bob.reads(ann, second_of(at_eight))
    await sees(bob, ann, *said, unread=2)
    await sees(ann, bob, *said, unread=0)

    # Ann takes back what he has not read yet.
    await ann.withdraws(bob, wine)
    said = (*said[:-1], "[bring wine]")
    await sees(bob, ann, *said, unread=1)
    await sees(ann, bob, *said, unread=0)

    # Bob will not hear of her: they are friends no more, neither way, and she cannot ask him.
    assert await block(im, bob.id, ann.id) == {ann.id: 0}
    assert await related(im, ann.id, bob.id) == await related(im, bob.id, ann.id) == "NoRelation"
    assert await add(im, ann.id, bob.id) == {bob.id: 30525}
    await sees(bob, ann, *said, unread=1)
    await sees(ann, bob, *said, unread=0)

    # What the app itself sends for her passes all the same (semantics, section 10).
    await ann.sends(bob, "a last word")
    said = (*said, "a last word")
    await sees(bob, ann, *said, unread=2)
    await sees(ann, bob, *said, unread=0)
    await bob.reads(ann)
    await sees(bob, ann, *said, unread=0)

    # He was online then, so that was no push; what comes once he is gone is one.
    await bobs.logs("Logout", then="Offline")
    await ann.sends(bob, "good night")
    await pushed(phone, "dinner?", "at eight", "at ours", "bring wine", "good night")
    await sees(bob, ann, *said, "good night", unread=1)
