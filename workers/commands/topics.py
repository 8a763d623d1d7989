"""`fanfold topics` and `fanfold lag`: what is in Kafka, and how far the workers have come."""

from collections.abc import Sequence

from rich.table import Table

from config.settings import KafkaSettings, Settings
from config.topics import TOPICS, Topic
from stores.collections import ensure_indexes
from stores.mongo import open_database
from streams.cluster import Lag, open_cluster
from streams.topic_ids import TopicFound
from workers.commands.console import fail, out, print_json


async def sync(settings: Settings) -> None:
    """Create the topics and indexes that are missing, and say which."""
    async with open_cluster(settings.kafka) as cluster:
        topics = await cluster.sync(TOPICS)
    async with open_database(settings.mongo) as database:
        indexes = await ensure_indexes(database)
    for kind, made in (("topic", topics), ("index", indexes)):
        for name in made:
            out().print(f"created {kind} {name}", markup=False)
    if not topics and not indexes:
        out().print("Nothing to do: all topics and indexes are there.")


async def show_topics(settings: Settings, *, as_json: bool) -> None:
    async with open_cluster(settings.kafka) as cluster:
        existing = await cluster.existing(TOPICS)
    if as_json:
        print_json([describe(topic, existing.get(topic), settings.kafka.prefix) for topic in TOPICS])
        return
    table = Table(title="Topics", title_justify="left")
    for column in ("topic", "key", "partitions", "kept", "in Kafka", "events"):
        table.add_column(column, justify="right" if column == "partitions" else "left", overflow="fold")
    for topic in TOPICS:
        found = existing.get(topic)
        table.add_row(
            settings.kafka.prefix + topic.name,
            topic.key,
            str(topic.partitions),
            _duration(topic),
            "[red]no[/]" if found is None else _presence(topic, found),
            "\n".join(kind.name for kind in topic.event_types),
        )
    out().print(table)


def describe(topic: Topic, found: TopicFound | None, prefix: str) -> dict[str, object]:
    return {
        "topic": prefix + topic.name,
        "key": topic.key,
        "partitions": topic.partitions,
        "retention_seconds": int(topic.retention.total_seconds()),
        "event_types": [kind.name for kind in topic.event_types],
        "exists": found is not None,
        "existing_partitions": found.partitions if found else None,
        "creation": found.creation if found else None,
    }


def _duration(topic: Topic) -> str:
    hours = topic.retention.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 24 else f"{hours:g} h"


def _presence(topic: Topic, found: TopicFound) -> str:
    return "yes" if found.partitions == topic.partitions else f"[red]{found.partitions} partitions[/]"


async def show_lag(settings: Settings, *, as_json: bool) -> None:
    lags = await read_lag(settings.kafka)
    if as_json:
        print_json({"behind": _sum(lags), "topics": by_topic(lags)})
        return
    table = Table(show_footer=True)
    table.add_column("topic", footer="all")
    for column in ("group", "partition", "committed", "end"):
        table.add_column(column, justify="right")
    table.add_column("behind", justify="right", footer=f"{_sum(lags):,}")
    for name, partitions in _grouped(lags).items():
        for lag in partitions:
            committed = "-" if lag.committed is None else f"{lag.committed:,}"
            table.add_row(name, lag.group, str(lag.partition), committed, f"{lag.end:,}", _behind(lag.behind))
        if len(partitions) > 1:
            table.add_row(f"[bold]{name}[/]", "", "[bold]all[/]", "", "", f"[bold]{_behind(_sum(partitions))}[/]")
        table.add_section()
    out().print(table)


async def read_lag(kafka: KafkaSettings) -> list[Lag]:
    """Each partition of the topics. Ends the command where topics are missing: they have no end."""
    async with open_cluster(kafka) as cluster:
        if missing := await cluster.missing(TOPICS):
            fail(f"Topics are missing: {', '.join(missing)}. Run: fanfold topics sync")
        return await cluster.lag(TOPICS)


def by_topic(lags: Sequence[Lag]) -> list[dict[str, object]]:
    return [
        {
            "topic": name,
            "group": partitions[0].group,
            "behind": _sum(partitions),
            "partitions": [
                {"partition": lag.partition, "committed": lag.committed, "end": lag.end, "behind": lag.behind}
                for lag in partitions
            ],
        }
        for name, partitions in _grouped(lags).items()
    ]


def _grouped(lags: Sequence[Lag]) -> dict[str, list[Lag]]:
    grouped: dict[str, list[Lag]] = {}
    for lag in lags:
        grouped.setdefault(lag.topic, []).append(lag)
    return grouped


def _sum(lags: Sequence[Lag]) -> int:
    return sum(lag.behind for lag in lags)


def _behind(behind: int) -> str:
    return f"[yellow]{behind:,}[/]" if behind else "0"
