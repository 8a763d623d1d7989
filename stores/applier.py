"""Writes a batch's decisions so that each counts once, whatever is repeated or interrupted.

Identity, then fence (the third rule, order, is the folder's: batches of one
partition come here one after another). Only single-document atomicity is used.
"""

from collections.abc import Sequence
from typing import Protocol, Self

import msgspec

from handlers.effects import Change, Recount
from handlers.plan import Decided, Pending, pending_by_document
from schemas.events import LogId, Origin
from stores.recounts import counted
from stores.store import FactDocument, Fenced, Store


class Foldable(Protocol):
    """One document's changes in a batch, by ascending offset; `handlers.plan.Pending` is one."""

    key: str

    @property
    def first(self) -> int: ...

    @property
    def last(self) -> int: ...

    def after(self, offset: int) -> Self | None:
        """The changes past an offset; None if there are none."""
        ...

    def merged(self) -> Change: ...


class Applied(msgspec.Struct):
    """What became of a batch; for metrics and for what follows the write."""

    fresh: list[Decided]
    duplicates: list[Decided]
    redelivered: int = 0
    documents: int = 0
    refused: int = 0


async def apply_batch(store: Store, log: LogId, decided: Sequence[Decided]) -> Applied:
    """Write facts and effects of one partition's batch. A repeat, whole or cut elsewhere, changes nothing.

    Raises StoreAway; the caller repeats the whole call.
    """
    applied = await record_facts(store, log, decided)
    pending = pending_by_document(applied.fresh)
    # What counts facts comes after the marks on them.
    for collection in sorted(pending, key=lambda name: _has_counts(pending[name])):
        documents = pending[collection]
        applied.documents += len(documents)
        applied.refused += await fold(store, log.fence, collection, [doc for doc in documents if doc.create])
        await _mark(store, log.fence, collection, [doc for doc in documents if not doc.create])
    return applied


async def record_facts(store: Store, log: LogId, decided: Sequence[Decided]) -> Applied:
    """Rule 1, identity: what was stored from elsewhere is a client's duplicate and is dropped."""
    firsts: dict[str, dict[str, Decided]] = {}
    for step in decided:
        firsts.setdefault(step.outcome.fact.collection, {}).setdefault(step.fact_id, step)
    stored: dict[tuple[str, str], Origin] = {}
    for collection, steps in firsts.items():
        facts = [
            FactDocument(identity, Origin(log.fence, step.offset), step.outcome.fact.body)
            for identity, step in steps.items()
        ]
        for identity, origin in (await store.insert_facts(collection, facts)).items():
            stored[collection, identity] = origin
    applied = Applied(fresh=[], duplicates=[])
    for step in decided:
        collection, identity = step.outcome.fact.collection, step.fact_id
        first = firsts[collection][identity]
        origin = stored.get((collection, identity), Origin(log.fence, first.offset))
        if origin == Origin(log.fence, step.offset):
            applied.fresh.append(step)
            applied.redelivered += (collection, identity) in stored
        else:
            applied.duplicates.append(step)
    return applied


def _has_counts(documents: Sequence[Pending]) -> bool:
    changes = (change for doc in documents for _, change in doc.parts)
    return any(isinstance(effect, Recount) for change in changes for effect in change.values())


async def _mark(store: Store, fence: str, collection: str, documents: Sequence[Pending]) -> None:
    """Rule 2 for facts that came before in the log; nothing for those that are not there, or come after.

    A store does not say which of its updates a fence refused, so the fences are read again.
    """
    while documents:
        origins = await store.origins(collection, [doc.key for doc in documents])
        marks = [
            mark
            for doc in documents
            if doc.key in origins and (mark := doc.after(_came_at(origins[doc.key], fence))) is not None
        ]
        if not marks:
            return
        await store.update_fenced(
            collection, [Fenced(mark.key, fence, mark.first, mark.last, mark.merged()) for mark in marks]
        )
        fences = await store.fences(collection, [mark.key for mark in marks], fence)
        documents = [rest for mark in marks if (rest := mark.after(fences.get(mark.key, -1))) is not None]


def _came_at(origin: Origin, fence: str) -> int:
    """Its offset in this log, where later facts may be there already; -1 for one from elsewhere."""
    return origin.offset if origin.fence == fence else -1


async def fold(store: Store, fence: str, collection: str, documents: Sequence[Foldable]) -> int:
    """Rule 2, fence: a document takes each offset once. Returns how many updates were refused."""
    refusals = 0
    while documents:
        updates = [Fenced(doc.key, fence, doc.first, doc.last, doc.merged()) for doc in documents]
        updates = await counted(store, collection, updates)
        refused = [documents[index] for index in await store.upsert_fenced(collection, updates)]
        refusals += len(refused)
        # A redelivery may have been cut elsewhere, so only some of these offsets are in:
        # the fence says which, and the rest goes again. It can be refused again only
        # by another writer that has moved the fence on.
        fences = await store.fences(collection, [doc.key for doc in refused], fence) if refused else {}
        documents = [rest for doc in refused if (rest := doc.after(fences.get(doc.key, -1))) is not None]
    return refusals
