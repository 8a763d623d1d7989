"""Looks at everything a start depends on, and says what to do about what it finds.

Each examination is on its own: one that finds the broker away does not keep the
next from looking at the store.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec
from aiokafka.errors import KafkaError
from pymongo.errors import OperationFailure

from config.settings import KafkaSettings, Settings
from config.templates import load_templates
from config.topics import TOPICS, Topic
from handlers.rendering import Templates
from schemas.errors import BrokerAway, StoreAway
from stores.collections import missing_indexes
from stores.dead_letters import DeadLetters, State
from stores.mongo import Database, open_database, translated
from streams.cluster import Cluster, Lag, open_cluster
from streams.publisher import new_producer
from streams.topic_ids import TopicFound

SYNC = "run: fanfold topics sync"
BEHIND_NOTABLE = 10_000
"""Events behind which a group is worth a word."""
SKEW_NOTABLE = timedelta(seconds=5)
SKEW_WRONG = timedelta(seconds=60)
"""Signed calls are refused 300 s off, and times of events are compared across machines."""


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


class Finding(msgspec.Struct, frozen=True):
    """`remedy` is empty where nothing is to be done."""

    subject: str
    verdict: Verdict
    text: str
    remedy: str = ""


def ok(subject: str, text: str) -> Finding:
    return Finding(subject, Verdict.OK, text)


def note(subject: str, text: str, remedy: str) -> Finding:
    return Finding(subject, Verdict.NOTE, text, remedy)


def wrong(subject: str, text: str, remedy: str) -> Finding:
    return Finding(subject, Verdict.WRONG, text, remedy)


async def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order in which they are best dealt with."""
    broker, store = await asyncio.gather(examine_broker(settings.kafka), examine_store(settings))
    return [*examine_settings(settings), examine_templates(settings.push.templates), *broker, *store]


def examine_settings(settings: Settings) -> list[Finding]:
    """What is set so that part of the APIs refuses everybody."""
    missing = [
        (settings.chat.secrets, "chat.secrets", "all signed calls of the chat API are refused"),
        (settings.chat.access_tokens, "chat.access_tokens", "all other calls of the chat API are refused"),
        (settings.chat.token_key, "chat.token_key", "getChatToken and getSocketUrl are refused"),
        (settings.events.tokens, "events.tokens", "nobody can publish at /events"),
        (settings.operators.tokens, "operators.tokens", "nobody can see dead letters over HTTP"),
    ]
    notes = [
        note("settings", f"{name} is not set: {effect}", f"set FANFOLD_{name.upper().replace('.', '__')}")
        for value, name, effect in missing
        if not value
    ]
    return notes or [ok("settings", "all keys and tokens are set")]


def examine_templates(folder: Path | None) -> Finding:
    """Whether a router would start with them."""
    try:
        texts = load_templates(folder)
        Templates(texts)
    except (ValueError, OSError) as error:
        return wrong("templates", str(error), "mend the files that FANFOLD_PUSH__TEMPLATES leads to")
    return ok("templates", f"{len(texts)} texts for pushes")


async def examine_broker(kafka: KafkaSettings) -> list[Finding]:
    try:
        async with open_cluster(kafka) as cluster:
            existing = await cluster.existing(TOPICS)
            findings = [ok("broker", f"answers at {kafka.bootstrap}"), await examine_producer(kafka)]
            findings += examine_topics(existing, kafka)
            if len(existing) == len(TOPICS):
                findings += await examine_groups(cluster, kafka)
            return findings
    except BrokerAway as away:
        return [wrong("broker", f"away: {away}", "start Kafka, or set FANFOLD_KAFKA__BOOTSTRAP to where it is")]


async def examine_producer(kafka: KafkaSettings) -> Finding:
    producer = new_producer(kafka)
    try:
        async with asyncio.timeout(kafka.publish_timeout_seconds):
            await producer.start()
    except (KafkaError, OSError, TimeoutError) as error:
        if kafka.idempotent:
            remedy = "on a broker without idempotent producers (Tansu) set FANFOLD_KAFKA__IDEMPOTENT=false"
        else:
            remedy = "see the broker's log"
        return wrong("producer", f"cannot start: {error!r}", remedy)
    finally:
        await producer.stop()
    return ok("producer", "idempotent" if kafka.idempotent else "not idempotent: a broker's retry may write twice")


def examine_topics(existing: dict[Topic, TopicFound], kafka: KafkaSettings) -> list[Finding]:
    findings = []
    if missing := [kafka.prefix + topic.name for topic in TOPICS if topic not in existing]:
        findings.append(wrong("topics", f"missing: {', '.join(missing)}", SYNC))
    for topic, found in existing.items():
        if found.partitions != topic.partitions:
            text = f"{kafka.prefix}{topic.name} has {found.partitions} partitions, the registry says {topic.partitions}"
            remedy = "keys would go to other partitions and lose their order: create it again, or mend the registry"
            findings.append(wrong("topics", text, remedy))
    return findings or [ok("topics", f"all {len(TOPICS)} are there, partitioned as the registry says")]


async def examine_groups(cluster: Cluster, kafka: KafkaSettings) -> list[Finding]:
    lags = await cluster.lag(TOPICS)
    groups = dict.fromkeys(lag.group for lag in lags)
    return [examine_group(kafka, group, [lag for lag in lags if lag.group == group]) for group in groups]


def examine_group(kafka: KafkaSettings, group: str, lags: Sequence[Lag]) -> Finding:
    behind = sum(lag.behind for lag in lags)
    name = f"{kafka.prefix}{group}"
    if behind and all(lag.committed is None for lag in lags):
        return note("group", f"{name} has never committed, {behind:,} events wait", f"start: fanfold worker {group}")
    if behind >= BEHIND_NOTABLE:
        return note("group", f"{name} is {behind:,} events behind", f"see fanfold lag, and /readyz of the {group}")
    return ok("group", f"{name} is {behind:,} events behind")


async def examine_store(settings: Settings) -> list[Finding]:
    async with open_database(settings.mongo) as database:
        try:
            return [
                *await examine_server(database),
                await examine_indexes(database),
                await examine_letters(database),
            ]
        except StoreAway as away:
            return [wrong("store", f"away: {away}", "start MongoDB, or set FANFOLD_MONGO__URI to where it is")]
        except OperationFailure as refusal:
            return [
                wrong("store", f"refuses: {refusal.details or refusal}"[:300], "see the user in FANFOLD_MONGO__URI")
            ]


async def examine_server(database: Database) -> list[Finding]:
    with translated():
        asked_at = datetime.now(UTC)
        hello = await database.client.admin.command("hello", codec_options=database.codec_options)
        answered_at = datetime.now(UTC)
        version = (await database.client.admin.command("buildInfo"))["version"]
    if "setName" in hello or hello.get("msg") == "isdbgrid":
        store = ok("store", f"MongoDB {version} answers, with replica set")
    else:
        store = note(
            "store", f"MongoDB {version} answers, a single server", "use a replica set where nothing may be lost"
        )
    return [store, examine_clock(asked_at, answered_at, hello["localTime"])]


def examine_clock(asked_at: datetime, answered_at: datetime, there: datetime) -> Finding:
    """The other clock's distance from ours, as far as the time of asking lets us tell."""
    skew = max(asked_at - there, there - answered_at, timedelta())
    if skew < SKEW_NOTABLE:
        return ok("clock", "agrees with the store's" if not skew else f"{skew.total_seconds():.1f} s from the store's")
    verdict = Verdict.WRONG if skew >= SKEW_WRONG else Verdict.NOTE
    return Finding("clock", verdict, f"differs from the store's by {skew.total_seconds():.0f} s", "run NTP on both")


async def examine_indexes(database: Database) -> Finding:
    if missing := await missing_indexes(database):
        return wrong("indexes", f"missing: {', '.join(missing)}", SYNC)
    return ok("indexes", "all are there")


async def examine_letters(database: Database) -> Finding:
    counts = dict(await DeadLetters(database).counts())
    if counts[State.OPEN]:
        return note("dead letters", f"{counts[State.OPEN]:,} are open", "see: fanfold dead-letters list --state open")
    return ok("dead letters", "none is open")


def something_wrong(findings: Sequence[Finding]) -> bool:
    return any(finding.verdict is Verdict.WRONG for finding in findings)
