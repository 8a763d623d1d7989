"""The broker and the store that the other tests stand on answer as expected."""

from config.settings import Settings
from config.topics import Topic
from stores.mongo import Database
from streams.cluster import Cluster


async def test_the_brokers_topics_have_identities(
    cluster: Cluster, settings: Settings, synced: tuple[Topic, ...]
) -> None:
    assert await cluster.missing(synced) == []

    creations = await cluster.creations(settings.kafka.prefix + topic.name for topic in synced)

    assert len(set(creations.values())) == len(synced)


async def test_the_store_keeps_what_is_written_in_a_database_of_the_tests_own(database: Database) -> None:
    await database["things"].insert_one({"_id": "one"})

    assert await database.list_collection_names() == ["things"]
