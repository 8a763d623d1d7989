"""The Kafka cluster as an operator sees it: topics, their identities, groups and lag."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from config.settings import KafkaSettings
from config.topics import MAX_RECORD_BYTES, Topic
from schemas.errors import BrokerAway
from schemas.events import LogId
from streams.consumers import stop_consumer
from streams.topic_ids import TopicFound, find_topics

VISIBLE_SECONDS = 10.0


class Lag(msgspec.Struct, frozen=True):
    """One partition as its group sees it; `committed` is None before the first commit."""

    group: str
    topic: str
    partition: int
    committed: int | None
    end: int

    @property
    def behind(self) -> int:
        return max(0, self.end - (self.committed or 0))


class Cluster:
    """Questions and orders to the cluster. Everything may raise BrokerAway."""

    def __init__(self, settings: KafkaSettings, client: AIOKafkaClient) -> None:
        self._settings = settings
        self._client = client

    @property
    def prefix(self) -> str:
        return self._settings.prefix

    def short(self, topic: str) -> str:
        """A topic's name without this installation's prefix: what metrics and people call it."""
        return topic.removeprefix(self._settings.prefix)

    async def creations(self, topics: Iterable[str]) -> dict[str, str]:
        """Name to creation id, for those of the named topics that exist (names with prefix)."""
        return {name: found.creation for name, found in (await find_topics(self._client, list(topics))).items()}

    async def existing(self, topics: Sequence[Topic]) -> dict[Topic, TopicFound]:
        """Those of the registry's topics that exist."""
        names = {self._settings.prefix + topic.name: topic for topic in topics}
        return {names[name]: found for name, found in (await find_topics(self._client, list(names))).items()}

    async def missing(self, topics: Sequence[Topic]) -> list[str]:
        names = [self._settings.prefix + topic.name for topic in topics]
        existing = await self.creations(names)
        return [name for name in names if name not in existing]

    async def log_ids(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, LogId]:
        """The identity of each partition's present log; a topic that is not there is left out."""
        partitions = list(partitions)
        creations = await self.creations({tp.topic for tp in partitions})
        return {tp: LogId(tp.topic, creations[tp.topic], tp.partition) for tp in partitions if tp.topic in creations}

    async def sync(self, topics: Sequence[Topic]) -> list[str]:
        """Create the topics that are missing; returns their names. Safe to repeat, and at once from two places."""
        wanted = {self._settings.prefix + topic.name: topic for topic in topics}
        missing = sorted(wanted.keys() - await self.creations(wanted))
        if missing:
            await self._create([(name, wanted[name]) for name in missing])
            await self._wait_visible(missing)
        return missing

    async def _wait_visible(self, topics: Sequence[str]) -> None:
        """Return once the broker shows the topics: Apache Kafka acknowledges a creation before it knows of it."""
        try:
            async with asyncio.timeout(VISIBLE_SECONDS):
                while set(topics) - (await self.creations(topics)).keys():  # noqa: ASYNC110 - nothing tells us
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise BrokerAway(f"topics were created but not shown within {VISIBLE_SECONDS:g} s") from None

    async def _create(self, topics: Sequence[tuple[str, Topic]]) -> None:
        new = [
            NewTopic(
                name,
                topic.partitions,
                self._settings.replication,
                topic_configs={
                    "retention.ms": str(int(topic.retention.total_seconds() * 1000)),
                    "max.message.bytes": str(MAX_RECORD_BYTES),
                },
            )
            for name, topic in topics
        ]
        admin = AIOKafkaAdminClient(bootstrap_servers=self._settings.bootstrap)
        try:
            await admin.start()
            response = await admin.create_topics(new)
        except (KafkaError, OSError) as error:
            raise BrokerAway(f"create topics: {error!r}") from error
        finally:
            await admin.close()
        for name, code, *_ in response.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise BrokerAway(f"create topic {name}: {for_code(code).__name__}")

    async def lag(self, topics: Sequence[Topic]) -> list[Lag]:
        """Where the groups stand that take these topics in, partition by partition."""
        groups = dict.fromkeys(topic.group for topic in topics)
        return [
            lag
            for group in groups
            for lag in await self._lag(group, [topic for topic in topics if topic.group == group])
        ]

    async def _lag(self, group: str, topics: Sequence[Topic]) -> list[Lag]:
        # The partitions are named, for Tansu must be told.
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap,
            group_id=self._settings.prefix + group,
            enable_auto_commit=False,
        )
        partitions = [
            TopicPartition(self._settings.prefix + topic.name, index)
            for topic in topics
            for index in range(topic.partitions)
        ]
        try:
            await consumer.start()
            consumer.assign(partitions)
            ends = await _ends(consumer, partitions)
            return [Lag(group, tp.topic, tp.partition, await consumer.committed(tp), ends[tp]) for tp in partitions]
        except (KafkaError, OSError) as error:
            raise BrokerAway(f"lag: {error!r}") from error
        finally:
            await stop_consumer(consumer)


async def _ends(consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """The next offset of each partition.

    Tansu answers ListOffsets with the first record of the last batch, so the high
    watermark of a fetch from there is what counts; on Kafka the two agree.
    """
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    filled = [tp for tp in partitions if ends[tp] > 0]
    for tp in filled:
        consumer.seek(tp, ends[tp] - 1)
    unseen = set(filled)
    while unseen:
        await consumer.getmany(*unseen, timeout_ms=1000)
        seen = {tp for tp in unseen if consumer.highwater(tp) is not None}
        if not seen:
            break  # compacted or expired meanwhile: the listed end is all there is to say
        ends.update({tp: max(ends[tp], consumer.highwater(tp)) for tp in seen})
        unseen -= seen
    return ends


@asynccontextmanager
async def open_cluster(settings: KafkaSettings) -> AsyncIterator[Cluster]:
    """Connected to the cluster. Raises BrokerAway."""
    client = AIOKafkaClient(bootstrap_servers=settings.bootstrap, request_timeout_ms=5000)
    try:
        await client.bootstrap()
    except (KafkaError, OSError) as error:
        await client.close()
        raise BrokerAway(f"no broker answers at {settings.bootstrap}: {error!r}") from error
    try:
        yield Cluster(settings, client)
    finally:
        await client.close()
