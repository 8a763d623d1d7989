"""The end of a run: all folded, then every document compared with the logs, and both with what clients were told."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from bson import decode, encode

from config.settings import Settings
from config.topics import TOPICS
from handlers.accounts import ACCOUNTS, LOGIN_LOG
from handlers.effects import ABSENT, Effect, IncAbove, Recount, apply, stamp
from handlers.im.conversations import CONVERSATIONS
from handlers.im.figures import DAYS
from handlers.inboxes import ENTRIES, INBOXES
from handlers.letters import COLLECTION as LETTERS
from handlers.letters import letter_for
from handlers.outcome import SEEN, Fact, Outcome, Route
from handlers.plan import Decided, Planner, Poisoned
from handlers.routes import ROUTES
from handlers.routing import Routed
from schemas.cloudevents import to_millisecond
from schemas.delivery import OPEN, DeliveryPlanned, State
from schemas.errors import BrokerAway, StoreAway
from schemas.events import Event, LogId, Record
from schemas.im.message import WITHDRAWN
from schemas.push import PushRequested
from stores.bans import due_bans
from stores.collections import DELIVERIES, LEASES, PUSHES
from stores.mongo import CODEC, Database, open_database
from streams.cluster import Cluster, open_cluster
from tests.chaos.ledger import Detection, Ledger, Login, Reading
from tests.chaos.receiver import Receiver
from tests.chaos.talk_verdict import pushes as pushes_of_talk
from tests.chaos.usage_ledger import UsageLedger
from tests.chaos.usage_verdict import TOPICS as JUDGED_APART
from tests.chaos.usage_verdict import judge_usage
from workers.reader import to_record
from workers.router import emitted_events

CALM_SECONDS = 5.0
"""How long nothing may change before all counts as folded."""

ALSO_COUNTED = {DAYS}
"""Whose documents and fields the clock adds to: what of them follows from the logs is compared."""

Document = dict[str, Any]
Documents = dict[str, dict[str, Document]]
Winner = tuple[LogId, Decided]
"""A copy that was counted, and the log that it is in."""


class NotFolded(Exception):
    """The deadline passed with work left."""


class Verdict(msgspec.Struct):
    """What was found; exact if there are no mistakes."""

    mistakes: list[str]
    counts: dict[str, int]


async def wait_folded(settings: Settings, deadline_seconds: float) -> None:
    """Return once all is folded, ends of bans included, and stays so for a while."""
    deadline = time.monotonic() + deadline_seconds
    calm_since, before = time.monotonic(), None
    state: object = None
    async with open_database(settings.mongo) as database:
        while time.monotonic() < deadline:
            try:
                async with open_cluster(settings.kafka) as cluster:
                    lags = await cluster.lag(TOPICS)
                behind = {f"{lag.topic}-{lag.partition}": lag.behind for lag in lags if lag.behind}
                due = [ban.user_id async for ban in due_bans(database, datetime.now(UTC))]
                pending = await database[ACCOUNTS].count_documents({"ban.v.status": 2})
                undelivered = await database[DELIVERIES].count_documents({"state": {"$in": [*OPEN]}})
            except (BrokerAway, StoreAway) as away:
                state, before = away, None
                continue
            state = (behind, len(due), pending, undelivered, [lag.end for lag in lags])
            if behind or due or pending or undelivered or state != before:
                calm_since, before = time.monotonic(), state
            elif time.monotonic() - calm_since > CALM_SECONDS:
                return
            await asyncio.sleep(0.5)
    raise NotFolded(f"after {deadline_seconds:.0f} s: (behind, due, banned, undelivered, ends) = {state}")


async def judge(
    settings: Settings, ledger: Ledger, usage: UsageLedger, receiver: Receiver, kills: Sequence[float]
) -> Verdict:
    """Compare: documents with the logs, exactly; logs and documents with what clients were told and receivers got.

    `kills`: when a dispatcher was killed; only then may anything have been received twice.
    """
    async with open_cluster(settings.kafka) as cluster, open_database(settings.mongo) as database:
        logs = await read_logs(settings, cluster)
        documents = await read_documents(database)
    found = Mistakes()
    of_usage = judge_usage(usage, logs, documents)
    history = History({log: records for log, records in logs.items() if log.topic not in JUDGED_APART})
    history.letters |= of_usage.letters
    for identity in of_usage.identities:
        documents[SEEN].pop(identity, None)
    winners = _winners(history, documents, found)
    _compare_facts(winners, documents, found)
    _compare(_expected(winners), documents, found)
    _compare_letters(history, documents, found)
    _compare_ledger(ledger, history, documents, found)
    _compare_deliveries(history, documents, receiver, kills, found)
    counts = _counts(ledger, history, documents) | _received(receiver) | of_usage.counts
    return Verdict(found.texts + of_usage.mistakes, counts)


class Mistakes:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def check(self, right: bool, text: str) -> None:
        if not right:
            self.texts.append(text)


async def read_logs(settings: Settings, cluster: Cluster) -> dict[LogId, list[Record]]:
    """Every record that is in Kafka."""
    ends = {TopicPartition(lag.topic, lag.partition): lag.end for lag in await cluster.lag(TOPICS)}
    log_ids = await cluster.log_ids(ends)
    logs: dict[LogId, list[Record]] = {log_id: [] for log_id in log_ids.values()}
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(list(ends))
        await consumer.seek_to_beginning()
        left = {tp for tp, end in ends.items() if end > 0}
        while left:
            for tp, records in (await consumer.getmany(*left, timeout_ms=1000)).items():
                logs[log_ids[tp]] += map(to_record, records)
            left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
    finally:
        await consumer.stop()
    return logs


async def read_documents(database: Database) -> Documents:
    documents: Documents = {}
    for collection in await database.list_collection_names():
        if collection != LEASES:
            documents[collection] = {found["_id"]: found async for found in database[collection].find({})}
    return documents


def _asked(_: Event, __: PushRequested) -> Outcome:
    """Where it goes depends on bindings: its document says so, and is looked at by itself."""
    return Outcome(Fact(PUSHES))


def _planned(_: Event, planned: DeliveryPlanned) -> Outcome:
    return Outcome(Fact(DELIVERIES, {"id": planned.id}))


NOT_FOLDED = {
    "push.requested": Route(PushRequested, _asked),
    "delivery.planned": Route(DeliveryPlanned, _planned),
}


class History:
    """All records of the logs, decided."""

    def __init__(self, logs: Mapping[LogId, Sequence[Record]]) -> None:
        planner = Planner(ROUTES | NOT_FOLDED)
        self.planned: set[str] = set()
        """Ids of deliveries."""
        self.emitted: set[str] = set()
        """Identities of the events that plan them."""
        self.copies: dict[tuple[str, str], list[tuple[LogId, Decided]]] = {}
        self.letters: set[str] = set()
        self.records = 0
        for log, records in logs.items():
            for record in records:
                self.records += 1
                step = planner.decide(record)
                if isinstance(step, Poisoned):
                    self.letters.add(letter_for(step, log).identity)
                elif step.event.type == "delivery.planned":
                    self.planned.add(step.outcome.fact.body["id"])
                    self.emitted.add(step.event.identity)
                else:
                    fact = step.outcome.fact.collection, step.event.identity
                    self.copies.setdefault(fact, []).append((log, step))


def _winners(history: History, documents: Documents, found: Mistakes) -> list[Winner]:
    """The copy of each fact that was counted: the one its document names."""
    winners = []
    for (collection, identity), copies in history.copies.items():
        stored = documents.get(collection, {}).get(identity)
        if stored is None:
            found.check(False, f"lost: {identity} is in Kafka and not in {collection}")
            continue
        origin = stored["origin"]["fence"], stored["origin"]["offset"]
        won = [(log, step) for log, step in copies if (log.fence, step.offset) == origin]
        found.check(len(won) == 1, f"{identity}: its origin {origin} is no copy of it")
        for log, step in won:
            if collection == PUSHES:
                routed = msgspec.convert(stored, Routed)
                winners.append((log, msgspec.structs.replace(step, emits=tuple(emitted_events(step.event, routed)))))
                continue
            winners.append((log, step))
    known = {fact[1] for fact in history.copies}
    for collection in {collection for collection, _ in history.copies}:
        for identity in documents.get(collection, {}).keys() - known:
            found.check(False, f"invented: {identity} in {collection} is not in Kafka")
    emitted = {event.identity for _, step in winners for event in step.emits}
    for identity in emitted - known - history.emitted:
        found.check(False, f"never emitted: {identity}")
    return winners


def _compare_facts(winners: Sequence[Winner], documents: Documents, found: Mistakes) -> None:
    """Each fact as its event has it, with the marks that came after it in the same log."""
    facts: dict[tuple[str, str], tuple[LogId, Document]] = {}
    for log, step in _by_log(winners):
        for effect in step.outcome.effects:
            marked = facts.get((effect.collection, effect.key))
            if not effect.create and marked is not None and marked[0] == log:
                _apply(effect, log, step.offset, marked[1])
        if step.outcome.fact.collection != PUSHES:
            facts[step.outcome.fact.collection, step.event.identity] = log, {**step.outcome.fact.body}
    for (collection, identity), (_, fact) in facts.items():
        stored = documents[collection][identity]
        kept = {name: value for name, value in stored.items() if name not in ("_id", "origin", "recorded_at")}
        found.check(kept == _as_stored(fact), f"{collection}/{identity} is {kept}, should be {fact}")


def _by_log(winners: Sequence[Winner]) -> list[Winner]:
    return sorted(winners, key=lambda winner: (winner[0].fence, winner[1].offset))


def _apply(effect: Effect, log: LogId, offset: int, document: Document) -> None:
    document.setdefault("fence", {})[log.fence] = offset
    for path, change in stamp(effect.change, offset).items():
        *parents, field = path.split(".")
        place = document
        for parent in parents:
            place = place.setdefault(parent, {})
        if not isinstance(change, Recount | IncAbove):  # those are counted once all is known
            place[field] = apply(change, place.get(field, ABSENT))


def _expected(winners: Sequence[Winner]) -> Documents:
    """The effects of each counted copy, one by one, in log order."""
    documents: Documents = {}
    for log, step in _by_log(winners):
        for effect in step.outcome.effects:
            if effect.create:
                collection = documents.setdefault(effect.collection, {})
                _apply(effect, log, step.offset, collection.setdefault(effect.key, {"_id": effect.key}))
    _count_unread(winners, documents)
    _count_unread_messages(winners, documents)
    return documents


def _count_unread(winners: Sequence[Winner], documents: Documents) -> None:
    """By the entries alone: those later than what has been read."""
    entries = [step.outcome.fact.body for _, step in winners if step.outcome.fact.collection == ENTRIES]
    for recipient, inbox in documents.get(INBOXES, {}).items():
        read = inbox.get("read_up_to")
        mine = [entry for entry in entries if entry["recipient"] == recipient]
        inbox["unread"] = sum(read is None or to_millisecond(entry["at"]) > read for entry in mine)


def _count_unread_messages(winners: Sequence[Winner], documents: Documents) -> None:
    """By the messages alone: those to a side that were not recalled and came after what has been read."""
    gone = {step.outcome.effects[0].key for _, step in winners if step.event.type == WITHDRAWN}
    arrived: dict[str, list[datetime]] = defaultdict(list)
    for _, step in winners:
        if (side := step.outcome.fact.body.get("unread_in")) and step.event.identity not in gone:
            arrived[side].append(step.outcome.fact.body["at"])
    counts = {
        effect.key
        for _, step in winners
        for effect in step.outcome.effects
        if effect.collection == CONVERSATIONS and "unread" in effect.change
    }
    for side in counts:
        conversation = documents[CONVERSATIONS][side]
        read = conversation.get("read_up_to")
        conversation["unread"] = sum(read is None or at > read for at in arrived[side])


def _compare(expected: Documents, documents: Documents, found: Mistakes) -> None:
    for collection, wanted in expected.items():
        stored = documents.get(collection, {})
        if collection in ALSO_COUNTED:
            stored = {key: _only(stored[key], wanted[key]) for key in stored.keys() & wanted.keys()}
        found.check(stored.keys() == wanted.keys(), f"{collection}: {sorted(stored.keys() ^ wanted.keys())[:5]}")
        for key, document in wanted.items():
            should, is_there = _as_stored(document), stored.get(key, {})
            for field in sorted(should.keys() | is_there.keys()):
                same = should.get(field) == is_there.get(field)
                found.check(
                    same, f"{collection}/{key}: {field} is {is_there.get(field)}, should be {should.get(field)}"
                )


def _only(document: Document, wanted: Document) -> Document:
    """Its fields that are wanted."""
    return {field: value for field, value in document.items() if field in wanted}


def _compare_letters(history: History, documents: Documents, found: Mistakes) -> None:
    letters = set(documents.get(LETTERS, {}))
    for identity in history.letters ^ letters:
        found.check(False, f"{identity} is {'not ' if identity in history.letters else ''}set aside")


def _compare_ledger(ledger: Ledger, history: History, documents: Documents, found: Mistakes) -> None:
    """Told "stored": counted once. Not told: at most once. By the ledger alone, without our handlers."""
    stored = {fact.identity for fact in ledger.facts.values() if fact.identity in documents.get(fact.collection, {})}
    for fact in ledger.acknowledged():
        found.check(fact.identity in stored, f"lost: {fact.identity} was acknowledged")
    clients = {identity for (_, identity) in history.copies if identity.startswith(("chat/", "upstream/"))}
    for identity in clients - ledger.facts.keys():
        found.check(False, f"invented: {identity} was never sent")
    found.check(len(history.letters) >= ledger.poison_acknowledged, "poison was acknowledged and is not set aside")
    present = [fact for fact in ledger.facts.values() if fact.identity in stored]
    logins = Counter((fact.user, fact.online) for fact in present if isinstance(fact, Login))
    for (user, online), times in logins.items():
        field = "logins" if online else "logouts"
        counted = documents.get(ACCOUNTS, {}).get(user, {}).get(field)
        found.check(counted == times, f"{user}: {field} is {counted}, {times} were sent")
    detections = [fact for fact in present if isinstance(fact, Detection)]
    for reader, times in Counter(fact.reader for fact in detections).items():
        entries = [entry for entry in documents.get(ENTRIES, {}).values() if entry["recipient"] == f"user/{reader}"]
        found.check(len(entries) == times, f"{reader}: {len(entries)} entries, {times} were sent")
    for reader in {fact.reader for fact in present if isinstance(fact, Reading)}:
        read = max(fact.up_to for fact in present if isinstance(fact, Reading) and fact.reader == reader)
        kept = documents.get(INBOXES, {}).get(reader, {}).get("read_up_to")
        found.check(kept == to_millisecond(read), f"{reader}: read up to {kept}, should be {read}")
    asked = sum(fact.pushes for fact in detections) + pushes_of_talk(ledger, documents)
    pushes = len(documents.get(PUSHES, {}))
    found.check(pushes == asked, f"{pushes} pushes, {asked} were asked for")
    entries = len(documents.get(LOGIN_LOG, {}))
    found.check(entries == logins.total(), f"{entries} entries in the login log, {logins.total()} were sent")


def _compare_deliveries(
    history: History, documents: Documents, receiver: Receiver, kills: Sequence[float], found: Mistakes
) -> None:
    """Every delivery that was planned is recorded as delivered and was received; twice only around a kill."""
    deliveries = documents.get(DELIVERIES, {})
    found.check(deliveries.keys() == history.planned, f"deliveries: {sorted(deliveries.keys() ^ history.planned)[:5]}")
    for key, delivery in deliveries.items():
        found.check(delivery["state"] == State.DELIVERED, f"{key} is {delivery['state']}: {delivery.get('reason')}")
        found.check(key in receiver.accepted, f"{key} is recorded as delivered and was never received")
    for key in receiver.accepted.keys() - deliveries.keys():
        found.check(False, f"{key} was received and is not recorded")
    for key in receiver.unexplained(kills):
        found.check(False, f"{key} was received twice, and no dispatcher was killed in between")


def _received(receiver: Receiver) -> dict[str, int]:
    return {
        "webhooks received": len(receiver.accepted),
        "attempts answered 503": receiver.refused,
        "webhooks received twice, around a kill": receiver.repeats,
    }


def _counts(ledger: Ledger, history: History, documents: Documents) -> dict[str, int]:
    acknowledged = sum(1 for _ in ledger.acknowledged())
    return {
        "facts sent": len(ledger.facts),
        "sendings, duplicates and retries included": ledger.sendings,
        "acknowledged": acknowledged,
        "not acknowledged": len(ledger.facts) - acknowledged,
        "records in Kafka": history.records,
        "distinct events in Kafka": len(history.copies),
        "entries in the login log": len(documents.get(LOGIN_LOG, {})),
        "detections": len(documents.get("detections", {})),
        "pushes": len(documents.get(PUSHES, {})),
        "entries in inboxes": len(documents.get(ENTRIES, {})),
        "ends of bans": sum(1 for _, identity in history.copies if identity.startswith("clock/")),
        "dead letters": len(documents.get(LETTERS, {})),
        "documents compared": sum(len(found) for found in documents.values()),
    }


def _as_stored(document: dict[str, Any]) -> dict[str, Any]:
    """As it comes back from the store: times by the millisecond, lists for tuples."""
    return dict(decode(encode(document), codec_options=CODEC))
