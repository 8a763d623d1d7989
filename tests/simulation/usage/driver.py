"""A run of the rater's simulation: real rating, settling and adding up, in the world where everything goes wrong."""

from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Any, ClassVar

import msgspec

from handlers.usage.prices import PriceBook
from schemas.errors import StoreAway
from schemas.events import LogId, Record
from schemas.usage import UsageRecorded
from stores.usage.settling import Settler
from tests.simulation.clients import Sending
from tests.simulation.driver import Result, Simulation
from tests.simulation.sim_broker import SimBroker
from tests.simulation.sim_store import SimStore
from tests.simulation.usage import world
from tests.simulation.usage.model import mistakes
from tests.simulation.usage.records import SimRecords
from workers.rate_batch import rate_batch

RateBatch = Callable[..., Coroutine[Any, Any, object]]


class Code(msgspec.Struct, frozen=True):
    """What is under test; a mutant replaces a part."""

    rate_batch: RateBatch = rate_batch
    store: type[SimStore] = SimStore
    broker: type[SimBroker] = SimBroker
    records: type[SimRecords] = SimRecords
    settler: type[Settler] = Settler


class UsageSimulation(Simulation):
    """The rater's world: two partitions of usage, and what follows from it."""

    partitions: ClassVar[dict[str, int]] = world.PARTITIONS
    read: ClassVar[tuple[str, ...]] = ("usage",)
    topic_of: ClassVar[dict[str, str]] = world.TOPIC_OF

    def __init__(self, seed: int, code: Code = Code()) -> None:  # noqa: B008 - frozen
        super().__init__(seed, code)  # type: ignore[arg-type] # what both have of it is all that is asked there
        self.rating = code
        self.records = code.records(self.store)
        self.books = [world.first_book(self.rng)]
        self.book_changes = self.rng.choice((None, None, world.repaired, world.edited))
        recreates = None if self.dangers.recreates is None else "usage"
        # What is lost with a log that was not read is no subject here.
        self.dangers = msgspec.structs.replace(self.dangers, recreates=recreates, recreates_undrained=False)

    def _mistakes(self) -> list[str]:
        return mistakes(self.broker, self.store.collections, self.books)

    def _sendings(self) -> list[Sending]:
        return world.sendings(self.rng, self.rng.randrange(4, 20))

    def _trouble(self) -> None:
        super()._trouble()
        if self.book_changes is not None and self.rng.random() < 0.01 and len(self.books) < 4:
            self.books.append(self.book_changes(self.books[-1], self.rng))

    def _worker(self) -> Any:
        return self._gauge(), self.rating.settler(self.records, _nothing_personal)

    async def _fold(self, log: LogId, records: Sequence[Record], worker: Any) -> None:
        self.tally.batches += 1
        gauge, settler = worker
        await self.rating.rate_batch(
            log,
            records,
            zone=world.ZONE,
            gauge=gauge,
            books=self._book,
            settler=settler,
            store=self.store,
            watch=self._watch,
            publisher=self.publisher,
            commit=partial(self._commit, log),
            patience=self.patience,
            seal=bytes.hex,
        )

    async def _book(self) -> PriceBook:
        await self.scheduler.pause()
        if self.rng.random() < self.store.fault_share:
            raise StoreAway("simulated")
        return self.books[-1]

    async def _watch(self, _wallets: Collection[int]) -> None:
        await self.scheduler.pause()


def _nothing_personal(_usage: UsageRecorded, _day: str) -> dict[str, Any]:
    return {}


def simulate_usage(seed: int, code: Code = Code()) -> Result:  # noqa: B008 - frozen
    """One run. Raises what the code under test raises and should not."""
    return UsageSimulation(seed, code).run()
