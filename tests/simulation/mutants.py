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
from stores.store import FactDocument, Fenced, Store
from tests.simulation.driver import Code
from tests.simulation.sim_broker import SimBroker
from tests.simulation.sim_store import Document, SimStore
from workers.fold_batch import Commit, Publishes, fold_batch
from workers.retry import Patience


class FenceComparesWithLast(SimStore):
    """A redelivery cut elsewhere passes a fence that stands in the middle of it."""

    def passes(self, document: Document, update: Fenced) -> bool:
        fence = document.get("fence", {}).get(update.fence)
        return fence is None or fence < update.last


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


class FencesRunAhead(SimStore):
    """What another writer is about to fold passes for folded: a read that a failover takes back."""

    async def fences(self, collection: str, keys: Sequence[str], fence: str) -> dict[str, int]:
        return {key: offset + 1 for key, offset in (await super().fences(collection, keys, fence)).items()}


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
    "a fence is read that does not stand yet": Code(store=FencesRunAhead),
    "the offset is committed before the write": Code(fold_batch=commit_before_write),
    "what follows is published after the commit": Code(fold_batch=publish_after_commit),
    "what follows is published under new ids": Code(fold_batch=emits_under_new_ids),
    "offsets are committed by topic name alone": Code(broker=OffsetsAreCommittedByNameAlone),
}
