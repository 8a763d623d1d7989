"""Folder: takes facts from Kafka and folds them into documents.

What happens to a batch, and in which order, is in `workers.fold_batch`; the rest
of a consumer's life is in `workers.reader`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from config.settings import Settings
from handlers.plan import Planner
from handlers.routes import ROUTES
from schemas.events import Record
from stores.mongo import MongoStore, open_database
from stores.store import Store
from streams.cluster import Cluster
from streams.publisher import Publisher
from workers import folder_metrics as metrics
from workers.afterwards import Looks
from workers.fold_batch import Afterwards, Publishes, fold_batch
from workers.health import Health
from workers.reader import Holding, Limits, run_reader

GROUP = "folder"


async def run_folder(settings: Settings, stop: asyncio.Event, health: Health) -> None:
    """Fold until `stop`; then the batches in hand are finished. Raises what is a bug."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo))
        publisher = await stack.enter_async_context(Publisher(settings.kafka))
        store = MongoStore(database, settings.mongo.parallel_writes)
        folding = Folding(store, publisher, Looks(database, publisher).look)

        @asynccontextmanager
        async def steps(_: Cluster) -> AsyncIterator[Folding]:
            yield folding

        await run_reader(GROUP, settings.kafka, Limits.of(settings.folder), steps, stop, health)


class Folding:
    """The folder's steps: a batch is folded and committed before the next one is taken."""

    def __init__(self, store: Store, publisher: Publishes, afterwards: Afterwards | None = None) -> None:
        self._store = store
        self._publisher = publisher
        self._afterwards = afterwards
        self._planner = Planner(ROUTES)

    def taken(self, held: Holding) -> None:
        """Nothing to prepare."""

    async def batch(self, held: Holding, records: Sequence[Record]) -> None:
        started = time.perf_counter()
        folded = await fold_batch(
            held.log,
            records,
            planner=self._planner,
            gauge=held.gauge,
            store=self._store,
            publisher=self._publisher,
            commit=held.commit,
            patience=held.patience,
            afterwards=self._afterwards,
        )
        metrics.observe_batch(folded, time.perf_counter() - started, datetime.now(UTC))

    async def leave(self, held: Sequence[Holding]) -> None:
        """Nothing is left under way."""
