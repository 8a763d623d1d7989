"""A store with MongoDB's guarantees and none beyond them.

Each document is written atomically; a bulk is so many writes in any order with
anything in between. The server works on a bulk by itself: a caller that crashes or
gives up does not stop it, and an error says nothing about how much was done. What
was not acknowledged a failover may take back, after others have seen it.
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
Place = tuple[str, str]
"""Collection and id."""
Look = Callable[[str, str], Document | None]
"""A document as somebody sees it."""


class Bulk:
    """Writes the server has been handed, and what has become of them."""

    def __init__(self, taken_back: bool) -> None:
        self.taken_back = taken_back
        self.written: list[Place] = []
        self.refused: list[int] = []
        self.done = False
        self.failed = False

    def settled(self) -> bool:
        return self.done or self.failed


Write = Callable[[Bulk], Awaitable[bool]]
"""One document's write; False when it met a duplicate key."""


class SimStore:
    """Documents in memory. `fault_share`: how many operations fail, at a random point, may change at any time."""

    def __init__(self, turns: Turns, rng: Random, fault_share: float = 0.0) -> None:
        self._turns = turns
        self._rng = rng
        self.fault_share = fault_share
        self.collections: dict[str, dict[str, Document]] = {}
        self._before: dict[Place, Document | None] = {}
        """Of what may be taken back: as it was before."""

    async def insert_facts(self, collection: str, facts: Sequence[FactDocument]) -> dict[str, Origin]:
        refused = await self.bulk([self._inserter(collection, fact) for fact in facts])
        if not refused:
            return {}
        found = await self._origins(collection, [facts[index].id for index in refused], self.lasting)
        if len(found) < len(refused):
            raise StoreAway("simulated: what was there is not there to stay")
        return found

    async def upsert_fenced(self, collection: str, updates: Sequence[Fenced]) -> list[int]:
        return await self.bulk([self._upserter(collection, update) for update in updates])

    async def update_fenced(self, collection: str, updates: Sequence[Fenced]) -> None:
        await self.bulk([self._updater(collection, update) for update in updates])

    async def fences(self, collection: str, keys: Sequence[str], fence: str) -> dict[str, int]:
        found: dict[str, int] = {}

        def look(key: str) -> Write:
            async def read(_bulk: Bulk) -> bool:
                document = self.lasting(collection, key) or {}
                if fence in document.get("fence", {}):
                    found[key] = document["fence"][fence]
                return True

            return read

        await self.bulk([look(key) for key in keys])
        return found

    async def values(self, collection: str, keys: Sequence[str], fields: Sequence[str]) -> dict[str, Document]:
        found: dict[str, Document] = {}

        def look(key: str) -> Write:
            async def read(_bulk: Bulk) -> bool:
                document = self.lasting(collection, key)
                if document is not None:
                    values = {path: value_at(document, path) for path in fields}
                    found[key] = {path: deepcopy(value) for path, value in values.items() if value is not None}
                return True

            return read

        await self.bulk([look(key) for key in keys])
        return found

    async def origins(self, collection: str, ids: Sequence[str]) -> dict[str, Origin]:
        return await self._origins(collection, ids, self.present)

    async def _origins(self, collection: str, ids: Sequence[str], look: Look) -> dict[str, Origin]:
        found: dict[str, Origin] = {}

        async def read(_bulk: Bulk) -> bool:
            for key in ids:
                document = look(collection, key)
                if document is not None:
                    found[key] = Origin(**document["origin"])
            return True

        await self.bulk([read])
        return found

    async def count_facts(self, collection: str, asked: Sequence[Counted]) -> list[int]:
        numbers = [0] * len(asked)

        def look(index: int) -> Write:
            async def count(_bulk: Bulk) -> bool:
                facts = self.documents(collection).values()
                numbers[index] = sum(self.counts(fact, asked[index]) for fact in facts)
                return True

            return count

        await self.bulk([look(index) for index in range(len(asked))])
        return numbers

    def counts(self, fact: Document, counted: Counted) -> bool:
        """Whether a fact is among those asked for."""
        origin = fact["origin"]
        return matches(fact, counted) and origin["offset"] <= counted.within.get(origin["fence"], -1)

    def lasting(self, collection: str, key: str) -> Document | None:
        """A document without what may be taken back."""
        place = collection, key
        return self._before[place] if place in self._before else self.present(collection, key)

    def present(self, collection: str, key: str) -> Document | None:
        return self.documents(collection).get(key)

    def passes(self, document: Document, update: Fenced) -> bool:
        """Whether a document's fences let the update through."""
        fences = document.get("fence", {})
        return fences.get(update.fence, -1) < update.first and update.seen in (None, fences)

    def documents(self, collection: str) -> dict[str, Document]:
        return self.collections.setdefault(collection, {})

    def _inserter(self, collection: str, fact: FactDocument) -> Write:
        async def write(bulk: Bulk) -> bool:
            documents = self.documents(collection)
            if fact.id in documents:
                return False
            self.touch(bulk, collection, fact.id)
            origin = {"fence": fact.origin.fence, "offset": fact.origin.offset}
            documents[fact.id] = {"_id": fact.id, "origin": origin, **deepcopy(dict(fact.body))}
            return True

        return write

    def _upserter(self, collection: str, update: Fenced) -> Write:
        async def write(bulk: Bulk) -> bool:
            documents = self.documents(collection)
            if update.key not in documents:
                # Looked for and not found: until it is inserted, another writer may do so.
                await self._turns.pause()
                if update.key not in documents:
                    self.touch(bulk, collection, update.key)
                    # As MongoDB does: of all that it was looked for by.
                    seen = {"fence": dict(update.seen)} if update.seen else {}
                    documents[update.key] = {"_id": update.key, **seen}
                    change_document(documents[update.key], update)
                    return True
                if self._rng.random() < 0.5:
                    return False  # a server that does not look again of itself
            return self._changed(bulk, collection, update)

        return write

    def _updater(self, collection: str, update: Fenced) -> Write:
        async def write(bulk: Bulk) -> bool:
            if update.key in self.documents(collection):
                self._changed(bulk, collection, update)
            return True

        return write

    def _changed(self, bulk: Bulk, collection: str, update: Fenced) -> bool:
        document = self.documents(collection)[update.key]
        if not self.passes(document, update):
            return False
        self.touch(bulk, collection, update.key)
        change_document(document, update)
        return True

    def touch(self, bulk: Bulk, collection: str, key: str) -> None:
        """About to write. What is written to stay makes that stay which it is written upon."""
        place = collection, key
        bulk.written.append(place)
        if not bulk.taken_back:
            self._before.pop(place, None)
        elif place not in self._before:
            self._before[place] = deepcopy(self.documents(collection).get(key))

    async def _take_back(self, bulk: Bulk) -> None:
        """A new primary, after a while, that has never heard of what was not acknowledged."""
        for _ in range(self._rng.randrange(20) if bulk.taken_back else 0):
            await self._turns.pause()
        for place in bulk.written:
            if place in self._before:
                (collection, key), before = place, self._before.pop(place)
                if before is None:
                    del self.documents(collection)[key]
                else:
                    self.documents(collection)[key] = before

    async def bulk(self, writes: Sequence[Write]) -> list[int]:
        await self._turns.pause()
        faulty = self._rng.random() < self.fault_share
        fails_at = self._rng.randrange(len(writes) + 1) if faulty else None
        bulk = Bulk(taken_back=faulty and self._rng.random() < 0.3)
        self._turns.spawn("server", self._serve(bulk, writes, fails_at))
        await self._turns.until(bulk.settled)
        await self._turns.pause()
        if bulk.failed:
            raise StoreAway("simulated")
        return sorted(bulk.refused)

    async def _serve(self, bulk: Bulk, writes: Sequence[Write], fails_at: int | None) -> None:
        order = list(range(len(writes)))
        self._rng.shuffle(order)
        goes_on = self._rng.random() < 0.5 and not bulk.taken_back
        for done, index in enumerate(order):
            if done == fails_at:
                await self._take_back(bulk)
                bulk.failed = True
                if not goes_on:
                    return
            if not await writes[index](bulk):
                bulk.refused.append(index)
            await self._turns.pause()
        if fails_at == len(writes):
            await self._take_back(bulk)
            bulk.failed = True
        bulk.done = True


def matches(fact: Document, counted: Counted) -> bool:
    """Whether MongoDB would find it, wherever it came from."""
    if any(value_at(fact, path) != value for path, value in counted.match.items()):
        return False
    if counted.field is None or counted.bound is None:
        return True
    value = value_at(fact, counted.field)
    return value is not None and value > counted.bound


def value_at(document: Document, path: str) -> Any:
    """None where there is none."""
    place: Any = document
    for name in path.split("."):
        place = place.get(name) if isinstance(place, dict) else None
    return place


def change_document(document: Document, update: Fenced) -> None:
    """What MongoDB's update operators do to it."""
    document.setdefault("fence", {})[update.fence] = update.last
    for path, effect in update.change.items():
        *parents, field = path.split(".")
        place = document
        for parent in parents:
            place = place.setdefault(parent, {})
        place[field] = apply(effect, place.get(field, ABSENT))
