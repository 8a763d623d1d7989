"""Documents found by their ids, for many callers at once.

While one find is under way, what is asked gathers for the next: a busy process pays the round trip once for all of
them, and an idle one waits for nobody. A find begins after it was asked for, so nobody reads what is older than the
question.
"""

import asyncio
from collections.abc import Iterable, Sequence

from stores.mongo import IDS_PER_FIND, Database, Document, translated


class _Flight:
    """Ids that are looked for together, and where the answer goes."""

    def __init__(self) -> None:
        self.ids: dict[str, None] = {}
        self.found: asyncio.Future[dict[str, Document]] = asyncio.get_running_loop().create_future()


class SharedFind:
    """In one collection, with the fields that are named (all, where none is)."""

    def __init__(self, database: Database, collection: str, fields: Sequence[str] = ()) -> None:
        self._database = database
        self._collection = collection
        self._projection = dict.fromkeys(fields, 1) or None
        self._boarding: _Flight | None = None
        self._flying: asyncio.Task[None] | None = None

    async def by_id(self, ids: Iterable[str]) -> dict[str, Document]:
        """Those that are there. The documents are shared: they are not to be changed. Raises StoreAway."""
        if (wanted := dict.fromkeys(ids)) == {}:
            return {}
        flight = self._boarding = self._boarding or _Flight()
        flight.ids |= wanted
        if self._flying is None:
            self._flying = asyncio.create_task(self._fly())
        # Shielded: a caller that gives up takes nothing from the others.
        found = await asyncio.shield(flight.found)
        return {wanted_id: found[wanted_id] for wanted_id in wanted if wanted_id in found}

    async def _fly(self) -> None:
        """Find for all who ask, until nobody does."""
        try:
            while (flight := self._boarding) is not None:
                self._boarding = None
                try:
                    found = await self._find(list(flight.ids))
                except BaseException as error:
                    _settle(flight, error)
                    if not isinstance(error, Exception):
                        raise
                else:
                    flight.found.set_result(found)
        finally:
            self._flying = None
            if self._boarding is not None:
                _settle(self._boarding, asyncio.CancelledError())
                self._boarding = None

    async def _find(self, ids: Sequence[str]) -> dict[str, Document]:
        found: dict[str, Document] = {}
        for start in range(0, len(ids), IDS_PER_FIND):
            some = {"_id": {"$in": ids[start : start + IDS_PER_FIND]}}
            with translated():
                rows = await self._database[self._collection].find(some, self._projection).to_list()
            found |= {row["_id"]: row for row in rows}
        return found


def _settle(flight: _Flight, error: BaseException) -> None:
    """Whoever waits sees the error; where nobody does any more, it is of no interest."""
    if isinstance(error, asyncio.CancelledError):
        flight.found.cancel()
        return
    flight.found.set_exception(error)
    flight.found.exception()
