"""Dead letters as operators see them: listed newest first, and closed once, by replay or by discarding."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from handlers.letters import COLLECTION
from handlers.outcome import EMITTED_BY
from schemas.letter import DeadLettered
from stores.mongo import Database, translated

MAX_PAGE = 500


class State(StrEnum):
    """Open until an operator replays or discards it; both are final."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class Letter(msgspec.Struct, frozen=True):
    """One record set aside. `at` is the record's time, `set_aside_at` ours; `closed_at` once it is no longer open."""

    id: str
    state: State
    at: datetime
    set_aside_at: datetime
    closed_at: datetime | None
    letter: DeadLettered


class Which(msgspec.Struct, frozen=True):
    """A choice of letters; None chooses all. `topic` is the full name, prefix included."""

    state: State | None = None
    reason: str | None = None
    topic: str | None = None

    @property
    def filter(self) -> dict[str, Any]:
        wanted = {"state": self.state, "letter.reason": self.reason, "letter.topic": self.topic}
        return {field: str(value) for field, value in wanted.items() if value is not None}


class DeadLetters:
    """The collection. Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._collection = database[COLLECTION]

    async def page(self, which: Which, *, after: str | None = None, limit: int = 50) -> list[Letter]:
        """At most `limit` letters, newest first, from behind the letter `after`; empty where that is not known."""
        chosen: dict[str, Any] = which.filter
        with translated():
            if after is not None:
                last = await self._collection.find_one({"_id": _key(after)}, {"at": 1})
                if last is None:
                    return []
                older = [{"at": {"$lt": last["at"]}}, {"at": last["at"], "_id": {"$lt": last["_id"]}}]
                chosen = {"$and": [chosen, {"$or": older}]}
            cursor = self._collection.find(chosen).sort([("at", -1), ("_id", -1)]).limit(min(limit, MAX_PAGE))
            return [_letter(document) async for document in cursor]

    async def ids(self, which: Which) -> list[str]:
        """Ids of all that are chosen, in the order in which the records were written to their partitions."""
        # A replay keeps that order within a partition: a later event must not come before an earlier one.
        order = [("letter.topic", 1), ("letter.partition", 1), ("at", 1), ("letter.offset", 1)]
        with translated():
            cursor = self._collection.find(which.filter, {"_id": 1}).sort(order)
            return [_shown(document["_id"]) async for document in cursor]

    async def find(self, letter_id: str) -> Letter | None:
        with translated():
            document = await self._collection.find_one({"_id": _key(letter_id)})
        return None if document is None else _letter(document)

    async def close(self, letter_id: str, state: State, now: datetime) -> bool:
        """Set an open letter's final state. False: it was not open any more, and stays as it is."""
        with translated():
            result = await self._collection.update_one(
                {"_id": _key(letter_id), "state": State.OPEN.value},
                {"$set": {"state": state.value, "closed_at": now}},
            )
            return result.modified_count == 1

    async def counts(self) -> Sequence[tuple[State, int]]:
        """How many letters there are in each state."""
        with translated():
            return [(state, await self._collection.count_documents({"state": state.value})) for state in State]


def _letter(document: dict[str, Any]) -> Letter:
    return Letter(
        id=_shown(document["_id"]),
        state=State(document["state"]),
        at=document["at"],
        set_aside_at=document["recorded_at"],
        closed_at=document.get("closed_at"),
        letter=msgspec.convert(document["letter"], DeadLettered),
    )


# The part of the identity that all letters share is left out for people: what remains has no slash.
def _key(letter_id: str) -> str:
    return f"{EMITTED_BY}/{letter_id}"


def _shown(key: str) -> str:
    return key.removeprefix(f"{EMITTED_BY}/")
