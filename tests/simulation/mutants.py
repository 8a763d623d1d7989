"""The code under test, each time with one rule broken on purpose: what the simulation must notice."""

import sys
from collections.abc import Sequence
from typing import TypedDict, Unpack

import msgspec

from handlers.letters import letter_for
from handlers.plan import Planner, split
from handlers.poison import PoisonGauge
from schemas.events import Event, LogId, Origin, Record
from stores.applier import apply_batch
from stores.store import Counted, FactDocument, Fenced, Store
from tests.simulation.domain import INBOXES
from tests.simulation.driver import Code
from tests.simulation.sim_broker import SimBroker
from tests.simulation.sim_store import Document, SimStore, matches
from workers.fold_batch import Commit, Publishes, fold_batch
from workers.retry import Patience


class FenceComparesWithLast(SimStore):
    """A redelivery cut elsewhere passes a fence that stands in the middle of it."""

    def passes(self, document: Document, update: Fenced) -> bool:
        fences = document.get("fence", {})
        return fences.get(update.fence, -1) < update.last and update.seen in (None, fences)


class NoFence(SimStore):
    def passes(self, document: Document, update: Fenced) -> bool:
        return True


class NoIdentityCheck(SimStore):
    """Every copy of a fact counts."""

    async def insert_facts(self, collection: str, facts: Sequence[FactDocument]) -> dict[str, Origin]:
        await super().insert_facts(collection, facts)
        return {}


class RedeliveriesAreDuplicates(SimStore):
    """A fact that is there already is dropped, without asking where it came from."""

    async def insert_facts(self, collection: str, facts: Sequence[FactDocument]) -> dict[str, Origin]:
        stored = await super().insert_facts(collection, facts)
        return dict.fromkeys(stored, Origin("elsewhere", 0))


class RefusedIsFolded(SimStore):
    """What a fence refused is taken to be in, all of it."""

    async def fences(self, collection: str, keys: Sequence[str], fence: str) -> dict[str, int]:
        return dict.fromkeys(keys, sys.maxsize)


class WhatMayBeTakenBackIsRelied(SimStore):
    """Fences and origins are read that a failover may take back."""

    def lasting(self, collection: str, key: str) -> Document | None:
        return self.collections.get(collection, {}).get(key)


class CountsRunAhead(SimStore):
    """Facts count that are there already, but are not folded into the document yet."""

    def counts(self, fact: Document, counted: Counted) -> bool:
        return matches(fact, counted)


class CountsForgetOtherLogs(SimStore):
    """Of several logs that feed a document, only those facts count whose log is in hand."""

    async def count_facts(self, collection: str, asked: Sequence[Counted]) -> list[int]:
        in_hand = [dict([max(counted.within.items(), key=lambda place: place[1])]) for counted in asked]
        narrowed = [
            msgspec.structs.replace(counted, within=within) for counted, within in zip(asked, in_hand, strict=True)
        ]
        return await super().count_facts(collection, narrowed)


class CountsAreWrittenWhateverHappenedSince(SimStore):
    """A document may have changed between the count and its write."""

    async def upsert_fenced(self, collection: str, updates: Sequence[Fenced]) -> list[int]:
        return await super().upsert_fenced(collection, [msgspec.structs.replace(u, seen=None) for u in updates])


class TheBoundIsTheStoredOne(SimStore):
    """What the same change raises it to is left out of account."""

    async def count_facts(self, collection: str, asked: Sequence[Counted]) -> list[int]:
        inboxes = self.collections.get(INBOXES, {})
        stored = [inboxes.get(counted.match["key"], {}).get("read_up_to") for counted in asked]
        lagging = [msgspec.structs.replace(counted, bound=bound) for counted, bound in zip(asked, stored, strict=True)]
        return await super().count_facts(collection, lagging)


class WhatIsAddedLaterComesOnTop(SimStore):
    """A recount, then an addition in the same batch: the fact that adds is in the number already."""

    async def count_facts(self, collection: str, asked: Sequence[Counted]) -> list[int]:
        numbers = await super().count_facts(collection, asked)
        facts = self.collections[collection].values() if collection in self.collections else ()
        return [
            number + sum(self._is_last(fact, counted) for fact in facts)
            for number, counted in zip(numbers, asked, strict=True)
        ]

    def _is_last(self, fact: Document, counted: Counted) -> bool:
        origin = fact["origin"]
        return self.counts(fact, counted) and counted.within[origin["fence"]] == origin["offset"]


class MarksReachAhead(SimStore):
    """A mark finds facts that come after it in the log, where they are there already."""

    async def origins(self, collection: str, ids: Sequence[str]) -> dict[str, Origin]:
        return dict.fromkeys(await super().origins(collection, ids), Origin("elsewhere", 0))


class OffsetsAreCommittedByNameAlone(SimBroker):
    """A late commit to a deleted topic moves the start of the one created in its place."""

    def next_offset(self, log: LogId) -> int:
        committed = self.committed.get((log.topic, log.partition))
        return committed.next_offset if committed is not None else 0


class CreationsLookAlike(SimBroker):
    """Fence and origin name the topic and not which of its creations."""

    def new_creation(self) -> str:
        return "any"

    def recreate(self, topic: str) -> None:
        super().recreate(topic)
        for partition in range(len(self.topics[topic].partitions)):
            self.committed.pop((topic, partition), None)


class Parts(TypedDict):
    """What `fold_batch` is handed."""

    planner: Planner
    gauge: PoisonGauge
    store: Store
    publisher: Publishes
    commit: Commit
    patience: Patience


async def commit_before_write(log: LogId, records: Sequence[Record], **parts: Unpack[Parts]) -> None:
    await parts["commit"](records[-1].offset + 1)
    await parts["patience"].while_transient(parts["publisher"].publish, await _write(log, records, parts))


async def publish_after_commit(log: LogId, records: Sequence[Record], **parts: Unpack[Parts]) -> None:
    follows = await _write(log, records, parts)
    await parts["commit"](records[-1].offset + 1)
    await parts["patience"].while_transient(parts["publisher"].publish, follows)


async def _write(log: LogId, records: Sequence[Record], parts: Parts) -> list[Event]:
    decided, poisoned = split([parts["planner"].decide(record) for record in records])
    applied = await parts["patience"].while_transient(apply_batch, parts["store"], log, decided)
    emits = [event for step in applied.fresh for event in step.emits]
    return emits + [letter_for(poison, log) for poison in poisoned]


async def emits_under_new_ids(log: LogId, records: Sequence[Record], **parts: Unpack[Parts]) -> object:
    """A repeat of the batch emits other events."""
    parts["publisher"] = _Renaming(parts["publisher"])
    return await fold_batch(log, records, **parts)


class _Renaming:
    def __init__(self, publisher: Publishes) -> None:
        self._publisher = publisher

    async def publish(self, events: Sequence[Event]) -> None:
        renamed = [msgspec.structs.replace(event, id=f"{event.id}/{id(self)}") for event in events]
        await self._publisher.publish(renamed)


MUTANTS = {
    "the fence compares with the last offset": Code(store=FenceComparesWithLast),
    "there is no fence": Code(store=NoFence),
    "the fence does not tell creations of a topic apart": Code(broker=CreationsLookAlike),
    "there is no identity check": Code(store=NoIdentityCheck),
    "a redelivery is taken for a duplicate": Code(store=RedeliveriesAreDuplicates),
    "a refused update is taken to be in": Code(store=RefusedIsFolded),
    "what a failover may take back is relied on": Code(store=WhatMayBeTakenBackIsRelied),
    "facts count that are not folded yet": Code(store=CountsRunAhead),
    "facts of other logs do not count": Code(store=CountsForgetOtherLogs),
    "a count is written whatever happened since": Code(store=CountsAreWrittenWhateverHappenedSince),
    "the bound of a count is the stored one": Code(store=TheBoundIsTheStoredOne),
    "what is added after a recount comes on top": Code(store=WhatIsAddedLaterComesOnTop),
    "a mark reaches facts that come after it": Code(store=MarksReachAhead),
    "the offset is committed before the write": Code(fold_batch=commit_before_write),
    "what follows is published after the commit": Code(fold_batch=publish_after_commit),
    "what follows is published under new ids": Code(fold_batch=emits_under_new_ids),
    "offsets are committed by topic name alone": Code(broker=OffsetsAreCommittedByNameAlone),
}
