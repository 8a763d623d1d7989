"""The rater with one rule broken on purpose: what its simulation must notice."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from handlers.usage.prices import PriceBook
from handlers.usage.rating import Rated
from handlers.usage.records import Stored
from schemas.events import LogId, Origin, Record
from stores.usage.free_calls import FreeCalls
from stores.usage.settling import Asked, Heard, Settlement, Settler
from stores.usage.store import NewRecord
from tests.simulation.mutants import FenceComparesWithLast, NoFence, RefusedIsFolded
from tests.simulation.usage.driver import Code
from tests.simulation.usage.records import SimRecords
from workers.rate_batch import rate_batch


class ARepeatIsRatedAnew(SimRecords):
    """A redelivery takes today's prices, and not the decision that is stored."""

    async def insert(self, records: Sequence[NewRecord]) -> dict[str, Stored | None]:
        there = await super().insert(records)
        ours = {record.seq_no: record for record in records}
        return {seq_no: found and _decided_as(found, ours[seq_no].body) for seq_no, found in there.items()}

    async def stored(self, seq_nos: Sequence[str]) -> dict[str, Stored]:
        return {}


def _decided_as(found: Stored, body: Mapping[str, Any]) -> Stored:
    anew = msgspec.structs.replace(found.rated, fee_micro=body["fee_micro"])
    return msgspec.structs.replace(found, rated=anew, changes=())


class EveryCopyCounts(SimRecords):
    """A record that is there was stored by us, wherever it came from."""

    async def insert(self, records: Sequence[NewRecord]) -> dict[str, Stored | None]:
        there = await super().insert(records)
        ours = {record.seq_no: record.origin for record in records}
        return {
            seq_no: found and msgspec.structs.replace(found, origin=ours[seq_no]) for seq_no, found in there.items()
        }


class ARepeatIsADuplicate(SimRecords):
    async def insert(self, records: Sequence[NewRecord]) -> dict[str, Stored | None]:
        there = await super().insert(records)
        elsewhere = Origin("elsewhere", 0)
        return {seq_no: found and msgspec.structs.replace(found, origin=elsewhere) for seq_no, found in there.items()}


class DuplicatesTakeFreeCalls(Settler):
    """Calls are not looked up before free ones are dealt out."""

    async def _decide(self, firsts: dict[str, Heard], book: PriceBook) -> dict[str, Rated]:
        stored, self._store = self._store, _Blind(self._store)  # type: ignore[assignment]
        try:
            return await super()._decide(firsts, book)
        finally:
            self._store = stored


class _Blind:
    def __init__(self, store: Any) -> None:
        self.given = store.given

    async def stored(self, _seq_nos: Sequence[str]) -> dict[str, Stored]:
        return {}


class FreeCallsAreNeverForgotten(Settler):
    """What is remembered of free calls outlives an attempt of which nobody knows what it stored."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._free = _Stubborn(self._store)


class _Stubborn(FreeCalls):
    def forget(self) -> None:
        """Not us."""


class ARepeatCountsTheCorrectedCall(Settler):
    """A call's first event, read again, adds what the record says since its correction."""

    async def settle(self, log: LogId, steps: Sequence[Heard | Asked], book: PriceBook) -> Settlement:
        records = self._store
        self._store = _Uncorrected(records)  # type: ignore[assignment]
        try:
            return await super().settle(log, steps, book)
        finally:
            self._store = records


class _Uncorrected:
    """Changes of records that are there already are not told where calls are recorded."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def insert(self, records: Sequence[NewRecord]) -> dict[str, Stored | None]:
        there = await self._store.insert(records)
        return {seq_no: found and msgspec.structs.replace(found, changes=()) for seq_no, found in there.items()}


async def commit_before_counting(log: LogId, records: Sequence[Record], **parts: Any) -> object:
    await parts["commit"](records[-1].offset + 1)
    return await rate_batch(log, records, **parts)


MUTANTS = {
    "the fence compares with the last offset": Code(store=FenceComparesWithLast),
    "there is no fence": Code(store=NoFence),
    "a refused update is taken to be in": Code(store=RefusedIsFolded),
    "a repeat is rated by today's prices": Code(records=ARepeatIsRatedAnew),
    "every copy of a call counts": Code(records=EveryCopyCounts),
    "a redelivery is taken for a duplicate": Code(records=ARepeatIsADuplicate),
    "a duplicate takes a free call": Code(settler=DuplicatesTakeFreeCalls),
    "free calls of a failed attempt are remembered": Code(settler=FreeCallsAreNeverForgotten),
    "a repeat counts the corrected call": Code(settler=ARepeatCountsTheCorrectedCall),
    "the offset is committed before the totals": Code(rate_batch=commit_before_counting),
}
