"""Wallets in a world where everything fails: the real planner, applier, folding and watching over a simulated store.

Facts go to three partitions by the wallet's number, charges to two of their own. A partition is
read in batches cut anywhere; an attempt that fails leaves its offset uncommitted, and the
records come again. A zombie reads old ones once more.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec

from handlers.ledger import LEDGER, TRANSFERS, accounts
from handlers.plan import Planner
from handlers.poison import PoisonGauge
from handlers.routes import ROUTES
from handlers.usage.rating import Rated, State
from handlers.usage.totals import WALLETS, Totals
from handlers.wallet_watch import Alarm, Kind, Sweep, Watched
from handlers.wallets import LookAtWallet
from schemas.cloudevents import encode_headers
from schemas.errors import BrokerAway, Transient
from schemas.events import Event, LogId, Record
from schemas.wallet import WalletConfigured, WalletMerged, WalletRecharged, WalletRefunded
from stores.applier import fold
from stores.mt.wallet_watch import watch_in
from tests.simulation.sim_store import Bulk, Document, SimStore
from tests.simulation.turns import AsyncioTurns
from workers.fold_batch import fold_batch
from workers.retry import Patience

AT = datetime(2026, 3, 1, 4, tzinfo=UTC)
FACT_PARTITIONS, USAGE_PARTITIONS = 3, 2
PLANNER = Planner({name: route for name, route in ROUTES.items() if name.startswith("wallet.")})


class Impatient(Patience):
    """What fails has failed: the process died of it."""

    async def while_transient(self, step: Any, *args: Any, **kwargs: Any) -> Any:
        return await step(*args, **kwargs)


class SimLooks:
    """`WalletLooks` over the simulated store, one document at a time and each write atomic."""

    def __init__(self, store: SimStore) -> None:
        self._store = store

    async def look(self, wallet_ids: Iterable[int]) -> list[Watched]:
        found: list[Watched] = []

        async def read(_bulk: Bulk) -> bool:
            for wallet_id in wallet_ids:
                document = self._store.present(WALLETS, str(wallet_id))
                if document is not None:
                    found.append(msgspec.convert(document, Watched))
            return True

        await self._store.bulk([read])
        return found

    async def turn(self, seen: Watched, alarms: Mapping[str, Alarm]) -> bool:
        def change(document: Document) -> None:
            document.setdefault("alarms", {}).update({name: _plain(alarm) for name, alarm in alarms.items()})

        return await self._change(seen.wallet_id, change, revision=seen.revision, balance_micro=seen.balance_micro)

    async def told(self, wallet_id: int, kind: Kind, episode: int) -> None:
        def change(document: Document) -> None:
            alarm = document["alarms"][kind.name.lower()]
            if alarm["episode"] == episode:
                alarm["told"] = True

        await self._change(wallet_id, change)

    async def sweep(self, seen: Watched, sweep: Sweep) -> bool:
        def change(document: Document) -> None:
            document["sweep"] = _plain(sweep)

        return await self._change(seen.wallet_id, change, revision=seen.revision)

    async def recipients(self, wallet: Watched) -> Mapping[int, str]:
        return {contact: f"user/{contact}" for contact in wallet.contacts}

    async def _change(self, wallet_id: int, change: Any, **seen: Any) -> bool:
        """Where the fields are as they were seen."""
        matched = []

        async def write(bulk: Bulk) -> bool:
            document = self._store.documents(WALLETS)[str(wallet_id)]
            if all(document.get(name, 0) == value for name, value in seen.items()):
                self._store.touch(bulk, WALLETS, str(wallet_id))
                change(document)
                document["revision"] = document.get("revision", 0) + 1
                matched.append(wallet_id)
            return True

        await self._store.bulk([write])
        return bool(matched)


class Partition:
    def __init__(self, topic: str, number: int) -> None:
        self.log = LogId(topic, "c1", number)
        self.records: list[Any] = []
        self.committed = 0


class World:
    """`seed` decides what fails and who comes first."""

    def __init__(self, seed: int, wallets: int) -> None:
        self.rng = Random(seed)
        self.store = SimStore(AsyncioTurns(), Random(seed))
        self.looks = SimLooks(self.store)
        self.broker_fault_share = 0.0
        self.facts = [Partition("wallets", number) for number in range(FACT_PARTITIONS)]
        self.usage = [Partition("usage", number) for number in range(USAGE_PARTITIONS)]
        self.pushes: Counter[str] = Counter()
        self.sent: dict[str, Event] = {}
        self.expected: Counter[int] = Counter()
        """What a naive program says: what each wallet got and paid, wherever it went later."""
        for wallet_id in range(1, wallets + 1):
            self.store.documents(WALLETS)[str(wallet_id)] = {
                "_id": str(wallet_id),
                "wallet_id": wallet_id,
                "merchant_id": 1,
                "overdraft_state": 10,
                "overdraft_quota_micro": 500,
                "forewarn_threshold_micro": 100,
                "contacts": [wallet_id],
                "balance_micro": 0,
                "revision": 0,
            }
            self._tell_of("wallet.configured", WalletConfigured(wallet_id=wallet_id))

    # ---- what happens -----------------------------------------------------------------------------------------------

    def recharge(self, number: int, wallet_id: int, amount_micro: int) -> None:
        """Sent again under the same number, it is dropped, whatever it says."""
        self.say(
            "wallet.recharged",
            f"recharge/{number}",
            WalletRecharged(wallet_id=wallet_id, amount_micro=amount_micro, recharge_no=str(number)),
        )

    def refund(self, number: int, wallet_id: int, amount_micro: int, of: Any) -> None:
        self.say(
            "wallet.refunded",
            f"refund/{number}",
            WalletRefunded(wallet_id=wallet_id, amount_micro=amount_micro, refund_no=str(number), of=of),
        )

    def say(self, kind: str, number: str, payload: Any) -> None:
        """As whoever sends it would: once more each time, under another event id. The first one is the one that is."""
        known = self.sent.get(number)
        event = known or Event(number, "test", kind, str(payload.wallet_id), AT, msgspec.json.encode(payload))
        self.sent[number] = event
        copies = sum(len(partition.records) for partition in self.facts)
        self._append(msgspec.structs.replace(event, id=f"{event.id}#{copies}"))
        if known is None:
            leaves = isinstance(payload, WalletRefunded) and payload.of == "recharge"
            self.expected[payload.wallet_id] += -payload.amount_micro if leaves else payload.amount_micro

    def charge(self, partition: int, wallet_id: int, fee_micro: int, day: int) -> None:
        self.usage[partition].records.append((wallet_id, fee_micro, day))
        self.expected[wallet_id] -= fee_micro

    def merge(self, away: int, into: int) -> bool:
        """As the desk does it: settings first, then the fact. Not what would be refused."""
        documents = self.store.documents(WALLETS)
        if away == into or documents[str(away)].get("merged_into") or documents[str(into)].get("merged_into"):
            return False
        documents[str(away)]["merged_into"] = into
        documents[str(away)]["revision"] += 1
        self._tell_of("wallet.merged", WalletMerged(wallet_id=away, into_wallet_id=into))
        return True

    def configure(self, wallet_id: int, threshold_micro: int, overdraft_state: int) -> None:
        document = self.store.documents(WALLETS)[str(wallet_id)]
        document["forewarn_threshold_micro"], document["overdraft_state"] = threshold_micro, overdraft_state
        document["revision"] += 1
        self._tell_of("wallet.configured", WalletConfigured(wallet_id=wallet_id))

    def _tell_of(self, kind: str, payload: WalletMerged | WalletConfigured) -> None:
        number = sum(len(partition.records) for partition in self.facts)
        self._append(Event(f"{kind}/{number}", "test", kind, str(payload.wallet_id), AT, msgspec.json.encode(payload)))

    # ---- Kafka ------------------------------------------------------------------------------------------------------

    async def publish(self, events: Sequence[Event]) -> None:
        faulty = self.rng.random() < self.broker_fault_share
        written = self.rng.randrange(len(events) + 1) if faulty else len(events)
        for event in events[:written]:
            if event.type == "push.requested":
                self.pushes[event.id] += 1
            else:
                self._append(event)
        if faulty:
            raise BrokerAway("simulated")

    def _append(self, event: Event) -> None:
        partition = self.facts[int(event.subject) % FACT_PARTITIONS]
        number, offset = partition.log.partition, len(partition.records)
        partition.records.append(
            Record("wallets", number, offset, 0, event.subject.encode(), event.data, encode_headers(event))
        )

    # ---- workers ----------------------------------------------------------------------------------------------------

    async def deliver(self, partition: Partition, count: int, behind: int = 0) -> None:
        """Read a batch from the committed offset on, or (a zombie) from before it; a failure leaves it as it was."""
        first = max(0, partition.committed - behind)
        batch = partition.records[first : first + count]
        if not batch:
            return
        try:
            await (self._fold(partition, batch) if partition in self.facts else self._charge(partition, first, batch))
        except Transient:
            return
        partition.committed = max(partition.committed, first + len(batch))

    async def _fold(self, partition: Partition, batch: Sequence[Record]) -> None:
        async def commit(_next_offset: int) -> None:
            """By whoever calls."""

        folded = await fold_batch(
            partition.log,
            batch,
            planner=PLANNER,
            gauge=PoisonGauge(run=10, window=100, share=1.0),
            store=self.store,
            publisher=self,
            commit=commit,
            patience=Impatient(),
            afterwards=self._afterwards,
        )
        assert not folded.poisoned, folded.poisoned

    async def _afterwards(self, looks: Sequence[msgspec.Struct]) -> None:
        await self._watch(look.wallet_id for look in looks if isinstance(look, LookAtWallet))

    async def _charge(self, partition: Partition, first: int, batch: Sequence[tuple[int, int, int]]) -> None:
        """As the rater does once it has decided: add up, look, commit."""
        totals = Totals(lambda day: AT + timedelta(days=int(day[-2:])))
        for offset, (wallet_id, fee_micro, day) in enumerate(batch, start=first):
            totals.post(offset, a_rated(wallet_id, fee_micro, day))
        for collection, documents in totals.documents():
            if collection in (WALLETS, LEDGER):
                await fold(self.store, partition.log.fence, collection, documents)
        await self._watch(wallet_id for wallet_id, _, _ in batch)

    async def _watch(self, wallet_ids: Iterable[int]) -> None:
        await watch_in(self.looks, self, wallet_ids, AT)

    async def deliver_all_at_once(self, counts: Sequence[int]) -> None:
        partitions = [*self.facts, *self.usage]
        await asyncio.gather(*(self.deliver(*each) for each in zip(partitions, counts, strict=True)))

    async def settle(self) -> None:
        """Nothing fails any more, and everything is read to its end."""
        self.store.fault_share = self.broker_fault_share = 0.0
        for _ in range(200):
            if all(partition.committed == len(partition.records) for partition in (*self.facts, *self.usage)):
                return
            await self.deliver_all_at_once([10] * (FACT_PARTITIONS + USAGE_PARTITIONS))
        raise AssertionError("it never comes to rest")

    # ---- what is there ----------------------------------------------------------------------------------------------

    def wallets(self) -> dict[int, Watched]:
        documents = deepcopy(self.store.documents(WALLETS))
        return {int(key): msgspec.convert(document, Watched) for key, document in documents.items()}

    def balances(self) -> dict[int, int]:
        return {wallet_id: wallet.balance_micro for wallet_id, wallet in self.wallets().items()}

    def naive_balances(self) -> dict[int, int]:
        """Everything a wallet ever got and paid stands where its merges lead to."""
        wallets = self.wallets()
        naive = dict.fromkeys(wallets, 0)
        for wallet_id, amount in self.expected.items():
            while (into := wallets[wallet_id].merged_into) is not None:
                wallet_id = into
            naive[wallet_id] += amount
        return naive

    def check(self) -> None:
        """Everything that has to hold once all is read."""
        assert self.balances() == self.naive_balances()
        standing = accounts(self.store.documents(LEDGER).values())
        in_wallets = {wallet_id: standing.get(f"wallet/{wallet_id}", 0) for wallet_id in self.wallets()}
        assert in_wallets == self.balances()
        assert sum(standing.values()) == 0
        assert standing.get(TRANSFERS, 0) == 0
        self._check_alarms()

    def _check_alarms(self) -> None:
        told: set[str] = set()
        for wallet_id, wallet in self.wallets().items():
            for kind in Kind:
                alarm = wallet.alarms.get(kind.name.lower(), Alarm())
                assert alarm.open == wallet.passed(kind), (wallet_id, kind)
                assert alarm.told
                name = f"wallet/{wallet_id}/{kind.name.lower()}"
                told |= {f"{name}/{episode}/{wallet_id}" for episode in range(1, alarm.episode + 1)}
        # However often a push was asked for: under one id it goes out once.
        assert set(self.pushes) == told


def a_rated(wallet_id: int, fee_micro: int, day: int) -> Rated:
    return Rated(
        dept_id=1,
        item="P",
        tag="",
        app_id=None,
        hour=f"2026-03-{day:02} 12",
        success=True,
        cached=False,
        source=None,
        merchant_id=1,
        state=State.CHARGED,
        fee_micro=fee_micro,
        wallet_id=wallet_id,
    )


def _plain(value: msgspec.Struct) -> Document:
    document: Document = msgspec.to_builtins(value, builtin_types=(datetime,))
    return document
