"""Leases: which of several processes does what only one may do at a time.

No clock is compared with another, ours, a rival's or the store's. The holder
counts up `beat` with each renewal; a rival takes the lease once it has watched one
beat stand still for the whole term by its own clock. Each write compares holder
and beat, so of two rivals one wins. A holder that has not renewed within the term
no longer counts itself as one, so it stops before a rival can have begun.
"""

import time
from collections.abc import Callable

import msgspec
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from stores.collections import LEASES
from stores.mongo import Database, Document, translated


class _Seen(msgspec.Struct, frozen=True):
    """What was last read of the lease, and since when (monotonic seconds) it has stood so."""

    holder: str | None
    beat: int
    since: float


class Lease:
    """One process's part in one lease. Not for two tasks at once. Everything may raise StoreAway."""

    def __init__(
        self,
        database: Database,
        name: str,
        holder: str,
        term_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leases = database[LEASES]
        self._name = name
        self._holder = holder
        self._term_seconds = term_seconds
        self._now = now
        self._seen: _Seen | None = None
        self._held_until = float("-inf")

    @property
    def held(self) -> bool:
        """Whether it is ours still, by the clock alone: ask before each step that only the holder may take."""
        return self._now() < self._held_until

    async def hold(self) -> bool:
        """Renew it, or take it where it is free or its holder silent. Call it well more often than the term."""
        asked_at = self._now()
        seen = await self._look()
        silent = self._now() - seen.since >= self._term_seconds
        if (seen.holder in (None, self._holder) or silent) and await self._write(seen, self._holder):
            # From before the write: a rival counts from after its reading of this beat.
            self._held_until = asked_at + self._term_seconds
            return True
        self._held_until = float("-inf")
        return False

    async def release(self) -> None:
        """Give it back, so that a rival need not wait out the term. Nothing where it is not ours."""
        self._held_until = float("-inf")
        if self._seen is not None and self._seen.holder == self._holder:
            await self._write(self._seen, None)

    async def _look(self) -> _Seen:
        with translated():
            found = await self._leases.find_one({"_id": self._name})
            if found is None:
                found = await self._make()
        if self._seen is None or (self._seen.holder, self._seen.beat) != (found["holder"], found["beat"]):
            self._seen = _Seen(found["holder"], found["beat"], self._now())
        return self._seen

    async def _make(self) -> Document:
        free: Document = {"_id": self._name, "holder": None, "beat": 0}
        try:
            await self._leases.insert_one(free)
        except DuplicateKeyError:
            found = await self._leases.find_one({"_id": self._name})
            return free if found is None else found
        return free

    async def _write(self, seen: _Seen, holder: str | None) -> bool:
        """Whether the lease was as seen, and so was changed."""
        with translated():
            changed = await self._leases.find_one_and_update(
                {"_id": self._name, "holder": seen.holder, "beat": seen.beat},
                {"$set": {"holder": holder, "beat": seen.beat + 1}},
                return_document=ReturnDocument.AFTER,
            )
        if changed is None:
            return False
        self._seen = _Seen(changed["holder"], changed["beat"], self._now())
        return True
