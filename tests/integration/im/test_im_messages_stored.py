"""On the real store: what is read of conversations is what a naive model says, and the audit finds none wrong."""

from collections.abc import Sequence
from functools import partial
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from config.settings import MongoSettings, Settings
from handlers.im.conversations import CONVERSATIONS, MESSAGES
from schemas.events import Event
from schemas.im.message import edge_of, side_of
from stores.collections import ensure_indexes
from stores.im.conversations import cleared_up_to, conversations_of, peers_of, unread_of, unread_total
from stores.im.conversations_audit import Difference, audit_unread, still_different
from stores.im.messages import history
from stores.im.recalls import recalled_before
from stores.mongo import Database, MongoStore, open_database
from tests.integration.command import Fanfold
from tests.unit.im.messages_model import (
    APP,
    START,
    USERS,
    Model,
    a_deletion,
    a_message,
    a_reading,
    a_recall,
    fold,
    instant,
    logs,
)
from tests.unit.im.messages_model import FIRST as KEY


# Not made smaller where it fails: the same property without I/O does that better.
@settings(max_examples=6, deadline=None, phases=[Phase.generate])
@given(log=logs, seed=st.integers(0, 2**32))
async def test_what_is_read_is_what_the_model_says(mongo_uri: str, log: Sequence[Event], seed: int) -> None:
    async with open_database(MongoSettings(uri=mongo_uri, database=f"im{seed}")) as database:  # type: ignore[arg-type]
        await database.client.drop_database(database.name)
        await ensure_indexes(database)
        await fold(MongoStore(database, 4), log, Random(seed), partial(recalled_before, database))
        model = Model(log)
        for owner in USERS:
            await _check(database, model, owner)
        assert (await audit_unread(database)).differences == []
        await database.client.drop_database(database.name)


async def _check(database: Database, model: Model, owner: str) -> None:
    sides = {peer: side_of(APP, owner, peer) for peer in USERS}
    unread = {peer: model.unread(side) for peer, side in sides.items()}
    assert await unread_of(database, APP, owner, USERS) == unread
    assert await unread_total(database, APP, owner) == sum(unread.values())
    for pinned in (True, False):
        shown = await conversations_of(database, APP, owner, pinned=pinned, after="0", limit=None)
        assert {row.peer for row in shown} == {
            peer for peer, side in sides.items() if model.listed.get(side) and model.pinned.get(side, False) is pinned
        }
        times = [model.last(sides[row.peer])["at"].replace(microsecond=0) for row in shown]  # type: ignore[index]
        assert times == sorted(times)
    for peer, side in sides.items():
        cleared = await cleared_up_to(database, APP, owner, peer)
        found = await history(database, side, edge_of(0), edge_of(START + 9), cleared, 1_000, instant(4))
        assert [message.order for message in found] == sorted((message.order for message in found), reverse=True)
        assert sorted((m.order, m.sender, m.withdrawn) for m in found) == sorted(
            (told.sent.key.order, told.sent.sender, model.withdrawn(told)) for told in model.timeline(side)
        )


@pytest.fixture
async def talked(database: Database) -> Database:
    """Ann sent three, of which one is read and one recalled; and something of bob's is unread to her."""
    await ensure_indexes(database)
    second, third = (KEY.__class__(seq, 1, KEY.time + seq) for seq in (2, 3))
    log = [
        a_message(),
        a_message(key=second),
        a_message(key=third),
        a_message("bob", "ann"),
        a_reading("bob", "ann", instant(0, 999)),
        a_recall("ann", "bob", third),
    ]
    await fold(MongoStore(database, 4), log, Random(1), partial(recalled_before, database))
    return database


async def test_the_audit_finds_nothing_wrong_where_nothing_is(talked: Database, settings: Settings) -> None:
    ended = await Fanfold(settings)("audit", "unread")

    assert (ended.status, ended.out) == (0, "2 sides of conversations: what is unread is right in all of them\n")


async def test_the_audit_finds_what_is_wrong_and_says_so(talked: Database, settings: Settings) -> None:
    bobs = side_of(APP, "bob", "ann")
    await talked[CONVERSATIONS].update_one({"_id": bobs}, {"$inc": {"unread": 1}})
    await talked[CONVERSATIONS].delete_one({"_id": side_of(APP, "ann", "bob")})

    ended = await Fanfold(settings)("audit", "unread", "--json")

    assert ended.status == 1
    found = {each["side"]: (each["unread"], each["counted"]) for each in ended.json["differences"]}
    assert found == {bobs: (2, 1), side_of(APP, "ann", "bob"): (0, 1)}
    shown = await Fanfold(settings)("audit", "unread")
    assert f"{bobs}: 2 unread is written, 1 are" in shown.out


async def test_what_was_only_being_written_differs_no_more(talked: Database) -> None:
    side = side_of(APP, "bob", "ann")
    past = Difference(side=side, unread=2, counted=1, read_up_to=None)
    assert await still_different(talked, [past]) == []

    await talked[MESSAGES].delete_one({"unread_in": side})
    await talked[CONVERSATIONS].update_one({"_id": side}, {"$set": {"unread": 5}})
    (now,) = await still_different(talked, [past])
    assert now.unread == 5


@pytest.mark.parametrize("page", [1, 2, 3])
async def test_the_peers_of_a_user_are_told_page_by_page_without_those_who_are_forgotten(
    database: Database, page: int
) -> None:
    peers = ["bob", "b/b", "cid", "dan"]
    log = [a_message(peer, "ann", KEY) for peer in peers] + [a_message("bob", "ann0", KEY), a_message("bob", "an", KEY)]
    log += [
        a_deletion("ann", "bob", instant(9), 1, history=True),
        a_deletion("ann", "dan", instant(8), 2, history=True),
    ]
    await fold(MongoStore(database, 4), log, Random(1), partial(recalled_before, database))

    pages = [some async for some in peers_of(database, APP, "ann", instant(9), page)]

    assert sorted(peer for some in pages for peer in some) == ["b/b", "cid", "dan"]
    assert all(len(some) <= page for some in pages)


async def test_a_history_misses_none_wherever_a_page_or_a_span_ends(database: Database) -> None:
    """Whatever second it is now, and wherever it is asked from or to: spans begin and end at messages as well."""
    await ensure_indexes(database)
    ages = (0, 58, 59, 60, 61, 1_978, 1_979, 1_980, 1_981, 63_400)
    keys = [KEY.__class__(seq, 1, START - age) for seq, age in enumerate(ages)]
    await fold(
        MongoStore(database, 4), [a_message(key=key) for key in keys], Random(1), partial(recalled_before, database)
    )
    side = side_of(APP, "bob", "ann")

    async def seconds(first: int, before: int, now: int) -> list[int]:
        found = await history(database, side, edge_of(first), edge_of(before), None, 100, instant(now))
        return [int(message.order[:10]) for message in found]

    for now in (-1, 0, 1, 59, 60, 61, 1_920):
        assert await seconds(0, START + 9_999, now) == [START - age for age in ages], now
    for age in ages:
        at = START - age
        assert await seconds(at, at + 1, 0) == [at]
        assert at not in await seconds(at + 1, START + 9, 0)
        assert at not in await seconds(0, at, 0)
