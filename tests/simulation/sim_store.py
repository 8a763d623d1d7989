"""A store with MongoDB's guarantees and none beyond them.

Each document is written atomically; a bulk is so many writes in any order with
anything in between. The server works on a bulk by itself: a caller that crashes or
gives up does not stop it, and an error says nothing about how much was done.
"""

from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

from handlers.effects import ABSENT, apply
from schemas.errors import StoreAway
from schemas.events import Origin
from stores.store import Counted, FactDocument, Fenced
from tests.simulation.turns import Turns

Document = dict[str, Any]
Write = Callable[[], Awaitable[bool]]
"""One document's write; False when it met a duplicate key."""


class Bulk:
    """Writes the server has been handed, and what has become of them."""

    def __init__(self) -> None:
        self.refused: list[int] = []
        self.done = False
        self.failed = False

    def settled(self) -> bool:
        return self.done or self.failed


class SimStore:
    """Documents in memory. `fault_share`: how many operations fail, at a random point, may change at any time."""

    def __init__(self, turns: Turns, rng: Random, fault_share: float = 0.0) -> None:
        self._turns = turns
        self._rng = rng
        self.fault_share = fault_share
        self.collections: dict[str, dict[str, Document]] = {}

    async def insert_facts(self, collection: str, facts: Sequence[FactDocument]) -> dict[str, Origin]:
        refused = await self._bulk([self._inserter(collection, fact) for fact in facts])
        if not refused:
            return {}
        found: dict[str, Origin] = {}

        async def find() -> bool:
            for index in refused:
                document = self._documents(collection).get(facts[index].id)
                if document is not None:
                    found[facts[index].id] = Origin(**document["origin"])
            return True

        await self._bulk([find])
        return found

    async def upsert_fenced(self, collection: str, updates: Sequence[Fenced]) -> list[int]:
        return await self._bulk([self._upserter(collection, update) for update in updates])

    async def update_fenced(self, collection: str, updates: Sequence[Fenced]) -> None:
        await self._bulk([self._updater(collection, update) for update in updates])

    async def fences(self, collection: str, keys: Sequence[str], fence: str) -> dict[str, int]:
        found: dict[str, int] = {}

        def look(key: str) -> Write:
            async def read() -> bool:
                document = self._documents(collection).get(key, {})
                if fence in document.get("fence", {}):
                    found[key] = document["fence"][fence]
                return True

            return read

        await self._bulk([look(key) for key in keys])
        return found

    async def values(self, collection: str, keys: Sequence[str], field: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def look(key: str) -> Write:
            async def read() -> bool:
                document = self._documents(collection).get(key, {})
                if field in document:
                    found[key] = document[field]
                return True

            return read

        await self._bulk([look(key) for key in keys])
        return found

    async def count_facts(self, collection: str, asked: Sequence[Counted]) -> list[int]:
        numbers = [0] * len(asked)

        def look(index: int) -> Write:
            async def count() -> bool:
                numbers[index] = sum(matches(fact, asked[index]) for fact in self._documents(collection).values())
                return True

            return count

        await self._bulk([look(index) for index in range(len(asked))])
        return numbers

    def passes(self, document: Document, update: Fenced) -> bool:
        """Whether a document's fence lets the update through."""
        fence = document.get("fence", {}).get(update.fence)
        return fence is None or fence < update.first

    def _documents(self, collection: str) -> dict[str, Document]:
        return self.collections.setdefault(collection, {})

    def _inserter(self, collection: str, fact: FactDocument) -> Write:
        async def write() -> bool:
            documents = self._documents(collection)
            if fact.id in documents:
                return False
            origin = {"fence": fact.origin.fence, "offset": fact.origin.offset}
            documents[fact.id] = {"_id": fact.id, "origin": origin, **deepcopy(dict(fact.body))}
            return True

        return write

    def _upserter(self, collection: str, update: Fenced) -> Write:
        async def write() -> bool:
            documents = self._documents(collection)
            if update.key not in documents:
                # Looked for and not found: until it is inserted, another writer may do so.
                await self._turns.pause()
                if update.key not in documents:
                    documents[update.key] = {"_id": update.key}
                    change_document(documents[update.key], update)
                    return True
                if self._rng.random() < 0.5:
                    return False  # a server that does not look again of itself
            if not self.passes(documents[update.key], update):
                return False
            change_document(documents[update.key], update)
            return True

        return write

    def _updater(self, collection: str, update: Fenced) -> Write:
        async def write() -> bool:
            document = self._documents(collection).get(update.key)
            if document is not None and self.passes(document, update):
                change_document(document, update)
            return True

        return write

    async def _bulk(self, writes: Sequence[Write]) -> list[int]:
        await self._turns.pause()
        bulk = Bulk()
        self._turns.spawn("server", self._serve(bulk, writes))
        await self._turns.until(bulk.settled)
        await self._turns.pause()
        if bulk.failed:
            raise StoreAway("simulated")
        return sorted(bulk.refused)

    async def _serve(self, bulk: Bulk, writes: Sequence[Write]) -> None:
        order = list(range(len(writes)))
        self._rng.shuffle(order)
        faulty = self._rng.random() < self.fault_share
        fails_at = self._rng.randrange(len(writes) + 1) if faulty else -1
        goes_on = self._rng.random() < 0.5
        for done, index in enumerate(order):
            if done == fails_at:
                bulk.failed = True
                if not goes_on:
                    return
            if not await writes[index]():
                bulk.refused.append(index)
            await self._turns.pause()
        if fails_at == len(writes):
            bulk.failed = True
        bulk.done = True


def matches(fact: Document, counted: Counted) -> bool:
    """Whether MongoDB would count it."""
    origin = fact["origin"]
    return (
        all(fact.get(field) == value for field, value in counted.match.items())
        and (counted.field is None or counted.bound is None or fact[counted.field] > counted.bound)
        and not (origin["fence"] == counted.fence and origin["offset"] > counted.last)
    )


def change_document(document: Document, update: Fenced) -> None:
    """What MongoDB's update operators do to it."""
    document.setdefault("fence", {})[update.fence] = update.last
    for path, effect in update.change.items():
        *parents, field = path.split(".")
        place = document
        for parent in parents:
            place = place.setdefault(parent, {})
        place[field] = apply(effect, place.get(field, ABSENT))
