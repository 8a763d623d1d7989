"""Decides what each event of a batch changes, and keeps that with the records before anything is counted.

Identity is a call's seqNo. The first insert wins, and what it says of the price stays: a
redelivery takes the decision that is stored, whatever the prices say by then. The same holds
for changes of a record: each is kept in it under its event, with what the record added to
totals before and after.

Free calls go to the calls of a grant in the order of the log. A client's duplicate must take
none from those behind it, so as long as a grant has free ones its calls are looked up first.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

import msgspec

from handlers.plan import Poisoned
from handlers.usage.prices import PriceBook
from handlers.usage.rating import Call, Rated, State, as_free, free_limit, rate
from handlers.usage.records import (
    Change,
    Stored,
    change_document,
    corrected_fields,
    document_of,
    revised_fields,
)
from handlers.usage.revising import corrected, rated_again
from schemas.errors import StoreAway, Transient
from schemas.events import Event, LogId, Origin, Record
from schemas.usage import UsageCorrected, UsageRecorded, UsageRerateRequested
from stores.mongo import Document
from stores.usage.free_calls import FreeCalls
from stores.usage.store import NewRecord, Revision, UsageStore

ATTEMPTS = 5
"""Of a change that meets another one of the same record: there are two raters beside each other at most."""

Protect = Callable[[UsageRecorded, str], Document]
"""A record's personal data, protected: of the call, on its day."""


class Heard(msgspec.Struct, frozen=True):
    """A call that was reported."""

    record: Record
    event: Event
    usage: UsageRecorded
    call: Call

    @property
    def offset(self) -> int:
        return self.record.offset


class Asked(msgspec.Struct, frozen=True):
    """A change of records that is asked for."""

    record: Record
    event: Event
    wish: UsageCorrected | UsageRerateRequested

    @property
    def offset(self) -> int:
        return self.record.offset


class Counted(msgspec.Struct, frozen=True):
    """A call that counts for the first time."""

    heard: Heard
    rated: Rated


class Recounted(msgspec.Struct, frozen=True):
    """A call that counts otherwise from an event on."""

    asked: Asked
    before: Rated
    after: Rated


class Settlement(msgspec.Struct):
    """What a batch comes to; the same on every redelivery."""

    postings: list[Counted | Recounted] = msgspec.field(default_factory=list)
    """In the order of the log."""
    poisoned: list[Poisoned] = msgspec.field(default_factory=list)
    """Changes of records that are not there."""
    duplicates: int = 0
    redelivered: int = 0


class Settler:
    """Settles the batches of one partition, one after another."""

    def __init__(self, store: UsageStore, protect: Protect) -> None:
        self._store = store
        self._protect = protect
        self._free = FreeCalls(store)

    async def settle(self, log: LogId, steps: Sequence[Heard | Asked], book: PriceBook) -> Settlement:
        """Keep the decisions of a batch. Raises Transient; the caller repeats the whole call."""
        settlement = Settlement()
        try:
            for kind, some in groupby(steps, type):
                if kind is Heard:
                    await self._record(log, [step for step in some if isinstance(step, Heard)], book, settlement)
                else:
                    for step in some:
                        if isinstance(step, Asked):
                            await self._change(log, step, book, settlement)
        except Transient:
            # What of it was stored is not known: neither are the free calls that it took.
            self._free.forget()
            raise
        return settlement

    # ---- calls ------------------------------------------------------------------------------------------------------

    async def _record(self, log: LogId, heard: Sequence[Heard], book: PriceBook, settlement: Settlement) -> None:
        firsts: dict[str, Heard] = {}
        for step in heard:
            firsts.setdefault(step.usage.seq_no, step)
        rated = await self._decide(firsts, book)
        records = [
            NewRecord(
                seq_no,
                Origin(log.fence, firsts[seq_no].offset),
                self._body(firsts[seq_no], decision),
            )
            for seq_no, decision in rated.items()
        ]
        there = await self._store.insert(records)
        stored: dict[str, Stored] = {}
        for seq_no, found in there.items():
            if found is not None:
                self._reconcile(rated[seq_no], found)
                stored[seq_no] = found
        if len(stored) < len(there):
            raise StoreAway("a free call was given to another: to be decided anew")
        for step in heard:
            seq_no = step.usage.seq_no
            known = stored.get(seq_no)
            origin = known.origin if known else Origin(log.fence, firsts[seq_no].offset)
            if origin != Origin(log.fence, step.offset):
                settlement.duplicates += 1
            else:
                settlement.redelivered += known is not None
                settlement.postings.append(Counted(step, known.original if known else rated[seq_no]))

    async def _decide(self, firsts: dict[str, Heard], book: PriceBook) -> dict[str, Rated]:
        """What each call comes to, if it is not stored yet."""
        rated = {seq_no: rate(step.call, book) for seq_no, step in firsts.items()}
        limits = {seq_no: free_limit(decision, book) for seq_no, decision in rated.items()}
        candidates = [
            seq_no for seq_no, limit in limits.items() if limit and self._free.left(rated[seq_no].grant, limit)
        ]
        if not candidates:
            return rated
        # In this order: of a record that somebody stores in between, the second tells.
        await self._free.know(rated[seq_no].grant for seq_no in candidates)
        there = await self._store.stored(candidates)
        for known in there.values():
            self._saw(known)
        for seq_no in candidates:
            ours = rated[seq_no]
            if seq_no in there:
                # Should a failover take it back, this one is stored in its place.
                original = there[seq_no].original
                rated[seq_no] = original if original.grant == ours.grant else ours
            elif (free_no := self._free.take(ours.grant, limits[seq_no])) is not None:
                rated[seq_no] = as_free(ours, free_no)
        return rated

    def _saw(self, known: Stored) -> None:
        if known.original.free_no is not None:
            self._free.saw(known.original.grant, known.original.free_no)

    def _reconcile(self, ours: Rated, known: Stored) -> None:
        """A record that another one stored first: the free call that was meant for it goes to the next."""
        if ours.free_no is not None and known.original.free_no != ours.free_no:
            self._free.give_back(ours.grant, ours.free_no)
        self._saw(known)

    def _body(self, heard: Heard, rated: Rated) -> Document:
        return {
            **document_of(heard.usage, heard.call, rated),
            **self._protect(heard.usage, rated.day),
        }

    # ---- changes ----------------------------------------------------------------------------------------------------

    async def _change(self, log: LogId, asked: Asked, book: PriceBook, settlement: Settlement) -> None:
        found = 0
        for seq_no in _seq_nos(asked.wish):
            change, outcome = await self._change_one(log, asked, seq_no, book)
            found += outcome is not _NOT_THERE
            settlement.redelivered += outcome is _AGAIN
            settlement.duplicates += outcome is _DUPLICATE
            if change is not None:
                settlement.postings.append(Recounted(asked, change.before, change.after))
        if not found:
            letter = Poisoned(asked.record, "unknown_record", "no record of this account and seqNo comes before it")
            settlement.poisoned.append(letter)

    async def _change_one(self, log: LogId, asked: Asked, seq_no: str, book: PriceBook) -> tuple[Change | None, str]:
        origin = Origin(log.fence, asked.offset)
        for _ in range(ATTEMPTS):
            stored = await self._standing(seq_no)
            if stored is None or _comes_later(stored.origin, origin) or stored.rated.dept_id != asked.wish.dept_id:
                return None, _NOT_THERE
            earlier = next((change for change in stored.changes if change.event == asked.event.identity), None)
            if earlier is not None:
                return (earlier, _AGAIN) if earlier.origin == origin else (None, _DUPLICATE)
            if any(_comes_later(change.origin, origin) for change in stored.changes):
                return None, _UNCHANGED  # decided before, in an attempt that got further
            if isinstance(asked.wish, UsageRerateRequested) and stored.rated.state is not State.UNRATED:
                return None, _UNCHANGED
            # One that changes nothing is put down too: a repeat must not find it to be otherwise by then,
            # for the totals' fences may have passed this event.
            after = await self._changed(stored, asked.wish, book)
            change = Change(asked.event.identity, origin, stored.rated, after)
            if await self._store.revise(await self._revision(seq_no, len(stored.changes), asked, change)):
                return change, _CHANGED
            self._free.forget()
        raise StoreAway(f"{log.fence} at {asked.offset}: a record that is changed elsewhere again and again")

    async def _standing(self, seq_no: str) -> Stored | None:
        """A record as it is, and will never have been otherwise. Raises StoreAway while that is open."""
        stored = (await self._store.stored([seq_no])).get(seq_no)
        if stored is not None and (await self._store.settled([seq_no])).get(seq_no) != stored:
            raise StoreAway("a record was written just now and may be taken back")
        return stored

    async def _changed(self, stored: Stored, wish: UsageCorrected | UsageRerateRequested, book: PriceBook) -> Rated:
        if isinstance(wish, UsageCorrected):
            return corrected(stored.rated, stored.call, wish, book)
        after = rated_again(stored.rated, stored.call, book)
        limit = free_limit(after, book)
        if not limit or after.free_no is not None:
            return after
        await self._free.know([after.grant])
        free_no = self._free.take(after.grant, limit)
        return after if free_no is None else as_free(after, free_no)

    async def _revision(self, seq_no: str, number: int, asked: Asked, change: Change) -> Revision:
        sets, unsets = revised_fields(change.after)
        replaced: Document = {}
        if isinstance(asked.wish, UsageCorrected):
            others = corrected_fields(asked.wish)
            document = await self._store.document(seq_no) or {}
            replaced = {name: document.get(name) for name in others}
            sets = {**sets, **others}
        return Revision(seq_no, number, sets, unsets, change_document(change, asked.event, asked.wish.by, replaced))


_NOT_THERE, _AGAIN, _DUPLICATE, _UNCHANGED, _CHANGED = "not there", "again", "duplicate", "unchanged", "changed"


def _seq_nos(wish: UsageCorrected | UsageRerateRequested) -> Iterable[str]:
    return (wish.seq_no,) if isinstance(wish, UsageCorrected) else dict.fromkeys(wish.seq_nos)


def _comes_later(found: Origin, event: Origin) -> bool:
    """What is found may come after the event in hand: an attempt that crashed had got further."""
    return found.fence == event.fence and found.offset > event.offset


def calls(settlement: Settlement) -> Iterator[Counted]:
    return (posting for posting in settlement.postings if isinstance(posting, Counted))
