"""A batch that is cut off: its records are read again, never passed over by the commit of the next one."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from aiokafka import TopicPartition

from config.settings import Settings
from config.topics import Topic, topic_of
from schemas.events import Origin
from stores.mongo import Database, MongoStore
from stores.store import FactDocument
from streams.cluster import Cluster
from streams.commits import committed_offsets
from streams.publisher import Publisher, partition_for
from tests.integration.chat_api import an_event, eventually
from workers.folder import GROUP, Folding
from workers.health import Health
from workers.reader import Limits, Reader, open_consumer

TOPIC = topic_of("account.session.changed")


class Hanging(MongoStore):
    """A store that answers nobody about the users in `hangs_for` while there are any."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, parallel_writes=4)
        self.hangs_for: set[str] = set()
        self.asked = asyncio.Event()

    async def insert_facts(self, collection: str, facts: Sequence[FactDocument]) -> dict[str, Origin]:
        if self.hangs_for & {str(fact.body.get("user_id")) for fact in facts}:
            self.asked.set()
            await asyncio.Event().wait()
        return await super().insert_facts(collection, facts)


def users_of_two_partitions() -> tuple[str, str]:
    first = "user-0"
    partition = partition_for(first.encode(), TOPIC.partitions)
    others = (f"user-{number}" for number in range(1, 100))
    return first, next(user for user in others if partition_for(user.encode(), TOPIC.partitions) != partition)


async def test_nothing_more_of_its_partition_is_folded_before_its_records_are_read_again(
    settings: Settings, cluster: Cluster, synced: tuple[Topic, ...], database: Database
) -> None:
    slow, quick = users_of_two_partitions()
    store, stop, limits = Hanging(database), asyncio.Event(), Limits.of(settings.folder)
    name = settings.kafka.prefix + TOPIC.name
    tp = TopicPartition(name, partition_for(slow.encode(), TOPIC.partitions))

    async def logins(user: str) -> int:
        return ((await database["accounts"].find_one({"_id": user})) or {}).get("logins", 0)

    async def login(publisher: Publisher, user: str) -> None:
        payload = {"user_id": user, "online": True, "cause": "callback"}
        await publisher.publish([an_event("account.session.changed", user, payload)])

    async def folded(user: str, times: int) -> bool:
        return await logins(user) == times

    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(Publisher(settings.kafka))
        consumer = await stack.enter_async_context(open_consumer(GROUP, settings.kafka, limits))
        await publisher.wait_connected()
        folder = Reader(GROUP, consumer, cluster, Folding(store, publisher), limits, Health())
        running = asyncio.create_task(folder.run(stop))

        store.hangs_for = {slow}
        await login(publisher, slow)
        await store.asked.wait()
        batch = folder._held[tp].batch
        assert batch is not None
        batch.cancel()
        await asyncio.wait({batch})
        store.hangs_for.clear()

        await login(publisher, slow)
        await login(publisher, quick)
        await eventually(lambda: folded(quick, 1))
        await login(publisher, quick)
        await eventually(lambda: folded(quick, 2))  # the loop has gone round since
        assert await logins(slow) == 0
        assert tp not in await committed_offsets(consumer, [tp])

        await folder.on_partitions_revoked([tp])
        await eventually(lambda: folded(slow, 2))
        stop.set()
        await running
