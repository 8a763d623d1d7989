"""Finds that many callers share, over a collection that is slow to answer."""

import asyncio
from typing import Any

import pytest

from schemas.errors import StoreAway
from stores.shared_find import SharedFind


class SlowCollection:
    """Answers a find when it is let go on; what is there is decided when the find begins."""

    def __init__(self) -> None:
        self.documents = {name: {"_id": name} for name in ("ann", "bob", "cid")}
        self.asked: list[list[str]] = []
        self.go_on = asyncio.Semaphore(0)
        self.away = False

    def __getitem__(self, _: str) -> "SlowCollection":
        return self

    def find(self, some: dict[str, Any], _: Any) -> "SlowFind":
        self.asked.append(some["_id"]["$in"])
        return SlowFind(self, [self.documents[each] for each in some["_id"]["$in"] if each in self.documents])


class SlowFind:
    def __init__(self, collection: SlowCollection, rows: list[dict[str, Any]]) -> None:
        self._collection = collection
        self._rows = rows

    async def to_list(self) -> list[dict[str, Any]]:
        await self._collection.go_on.acquire()
        if self._collection.away:
            raise StoreAway("away")
        return self._rows


@pytest.fixture
async def slow() -> SlowCollection:
    return SlowCollection()


@pytest.fixture
def shared(slow: SlowCollection) -> SharedFind:
    return SharedFind(slow, "people")  # type: ignore[arg-type]


async def asking(shared: SharedFind, *ids: str) -> "asyncio.Task[dict[str, Any]]":
    """Under way."""
    task = asyncio.create_task(shared.by_id(ids))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def test_what_is_asked_while_a_find_is_under_way_goes_into_the_next(
    slow: SlowCollection, shared: SharedFind
) -> None:
    first, *others = [await asking(shared, *ids) for ids in (("ann",), ("bob", "nobody"), ("cid", "bob"))]
    slow.go_on.release()
    slow.go_on.release()

    assert (await first).keys() == {"ann"}
    assert [set(await other) for other in others] == [{"bob"}, {"cid", "bob"}]
    assert slow.asked == [["ann"], ["bob", "nobody", "cid"]]


async def test_nobody_reads_what_is_older_than_the_question(slow: SlowCollection, shared: SharedFind) -> None:
    early = await asking(shared, "dan")
    slow.documents["dan"] = {"_id": "dan"}
    late = await asking(shared, "dan")
    slow.go_on.release()
    slow.go_on.release()

    assert await early == {}
    assert (await late).keys() == {"dan"}


async def test_who_gives_up_takes_nothing_from_the_others(slow: SlowCollection, shared: SharedFind) -> None:
    one, other = await asking(shared, "ann"), await asking(shared, "ann")
    third = await asking(shared, "bob")
    one.cancel()
    third.cancel()
    slow.go_on.release()
    slow.go_on.release()

    assert (await other).keys() == {"ann"}
    slow.go_on.release()
    assert (await shared.by_id(["cid"])).keys() == {"cid"}


async def test_a_store_that_is_away_is_said_to_all_and_asked_again_by_the_next(
    slow: SlowCollection, shared: SharedFind
) -> None:
    slow.away = True
    both = [await asking(shared, "ann") for _ in range(2)]
    slow.go_on.release()
    slow.go_on.release()
    assert [type(error) for error in await asyncio.gather(*both, return_exceptions=True)] == [StoreAway, StoreAway]

    slow.away = False
    slow.go_on.release()
    assert (await shared.by_id(["ann"])).keys() == {"ann"}


async def test_nothing_is_asked_for_nobody(slow: SlowCollection, shared: SharedFind) -> None:
    assert await shared.by_id([]) == {}
    assert slow.asked == []
