"""Rater: takes reported calls from Kafka, rates them, keeps their records and adds up what they come to.

What happens to a batch, and in which order, is in `workers.rate_batch`; the rest of a
consumer's life is in `workers.reader`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from config.settings import Settings
from handlers.usage.prices import PriceBook
from schemas.errors import Refused, Transient
from schemas.events import Record
from schemas.mt.common import Zone
from schemas.usage import UsageRecorded
from stores.mongo import Database, Document, MongoStore, open_database
from stores.mt.price_book import PriceBooks
from stores.mt.wallet_watch import watch
from stores.usage.personal import SETTING as PERSONAL_KEYS
from stores.usage.personal import Personal
from stores.usage.records import UsageRecords
from stores.usage.settling import Settler
from stores.vault import Vault
from streams.cluster import Cluster
from streams.publisher import Publisher
from workers import rater_metrics as metrics
from workers.fold_batch import Publishes
from workers.health import Health
from workers.rate_batch import rate_batch
from workers.reader import Holding, Limits, run_reader

GROUP = "rater"


async def run_rater(settings: Settings, stop: asyncio.Event, health: Health) -> None:
    """Rate until `stop`; then the batches in hand are finished. Raises what is a bug."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo))
        publisher = await stack.enter_async_context(Publisher(settings.kafka))
        rating = Rating(database, publisher, settings)

        @asynccontextmanager
        async def steps(_: Cluster) -> AsyncIterator[Rating]:
            yield rating

        await run_reader(GROUP, settings.kafka, Limits.of(settings.folder), steps, stop, health)


class Rating:
    """The rater's steps: a batch is counted and committed before the next one is taken."""

    def __init__(self, database: Database, publisher: Publishes, settings: Settings) -> None:
        self._database = database
        self._publisher = publisher
        self._zone = Zone(settings.metering.zone)
        self._store = MongoStore(database, settings.mongo.parallel_writes)
        self._records = UsageRecords(database, settings.mongo.parallel_writes)
        self._books = PriceBooks(database)
        self._personal = Personal(settings.metering.secrets_keys)
        self._vault = Vault(settings.metering.secrets_keys, PERSONAL_KEYS)
        self._settlers: dict[str, Settler] = {}

    def taken(self, held: Holding) -> None:
        # Which free calls are left is known for as long as nobody else gives them.
        self._settlers[held.log.fence] = Settler(self._records, self._protect)

    async def batch(self, held: Holding, records: Sequence[Record]) -> None:
        started = time.perf_counter()
        rated = await rate_batch(
            held.log,
            records,
            zone=self._zone,
            gauge=held.gauge,
            books=self._book,
            settler=self._settlers[held.log.fence],
            store=self._store,
            watch=self._watch,
            publisher=self._publisher,
            commit=held.commit,
            patience=held.patience,
            seal=self._seal,
        )
        metrics.observe_batch(rated, time.perf_counter() - started, datetime.now(UTC))

    async def leave(self, held: Sequence[Holding]) -> None:
        for holding in held:
            self._settlers.pop(holding.log.fence, None)

    async def _book(self) -> PriceBook:
        return await self._books.latest(datetime.now(UTC))

    async def _watch(self, wallet_ids: Collection[int]) -> None:
        """What charging may have brought about: a threshold or a limit passed."""
        await watch(self._database, self._publisher, wallet_ids, datetime.now(UTC))

    def _seal(self, value: bytes) -> str:
        try:
            return self._vault.seal(value)
        except Refused as refused:
            raise Transient(str(refused)) from None

    def _protect(self, usage: UsageRecorded, day: str) -> Document:
        try:
            return self._personal.protected(usage, day)
        except Refused as refused:
            # No fault of the call's: it waits for the key, and so do those behind it.
            raise Transient(str(refused)) from None
