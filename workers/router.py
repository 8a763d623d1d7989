"""Router: decides, once for each push, by which ways it goes.

What is decided is kept (`pushes`) before it is published, so a push that comes
again, by a redelivery or from its sender, goes nowhere else, whatever has been bound
or preferred since.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import msgspec

from channels.registry import ways
from config.settings import Settings
from config.templates import load_templates
from handlers.letters import letter_for
from handlers.outcome import Fact, Outcome, Route, emitted_event
from handlers.plan import Decided, Planner, Poisoned, split
from handlers.rendering import Templates
from handlers.routing import Known, Routed, Written, emits_of, language_of, route_push
from schemas.errors import Poison
from schemas.events import Event, Record
from schemas.push import PushRequested
from stores.applier import Applied, record_facts
from stores.collections import PUSHES
from stores.endpoints import Endpoints
from stores.mongo import Database, MongoStore, open_database
from stores.pushes import document_of, routed_pushes
from stores.recipients import known_of
from stores.store import Store
from stores.vault import Vault
from streams.cluster import Cluster
from streams.publisher import Publisher
from workers import router_metrics as metrics
from workers.fold_batch import Publishes, halt_past_ceiling, publishable, up_to_ceiling
from workers.health import Health
from workers.reader import Holding, Limits, run_reader

GROUP = "router"


class Asked(msgspec.Struct, frozen=True):
    """A push that decodes."""

    record: Record
    event: Event
    push: PushRequested


async def run_router(settings: Settings, stop: asyncio.Event, health: Health) -> None:
    """Route until `stop`; then the batches in hand are finished. Raises what is a bug."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo))
        publisher = await stack.enter_async_context(Publisher(settings.kafka))
        endpoints = Endpoints(database, Vault(settings.push.secrets_keys))
        templates = Templates(load_templates(settings.push.templates))
        store = MongoStore(database, settings.mongo.parallel_writes)
        channels = frozenset(name for name, way in ways().items() if way.configured(settings))
        routing = Routing(database, store, endpoints, templates, channels, publisher)

        @asynccontextmanager
        async def steps(_: Cluster) -> AsyncIterator[Routing]:
            yield routing

        await run_reader(GROUP, settings.kafka, Limits.of(settings.folder), steps, stop, health)


class Routing:
    """The router's steps: a batch is routed, kept, published and committed before the next one is taken."""

    def __init__(
        self,
        database: Database,
        store: Store,
        endpoints: Endpoints,
        templates: Templates,
        channels: frozenset[str],
        publisher: Publishes,
    ) -> None:
        self._database = database
        self._store = store
        self._endpoints = endpoints
        self._templates = templates
        self._channels = channels
        self._publisher = publisher

    def taken(self, held: Holding) -> None:
        """Nothing to prepare."""

    async def batch(self, held: Holding, records: Sequence[Record]) -> None:
        """The order is the guarantee: decide, keep, publish, set poison aside, commit."""
        started = time.perf_counter()
        asked = [ask(record) for record in records]
        steps = await held.patience.while_transient(self._decide, asked)
        sound = up_to_ceiling(steps, held.gauge)
        decided, poisoned = split(sound)
        applied = await held.patience.while_transient(record_facts, self._store, held.log, decided)
        emits = await held.patience.while_transient(self._emits, applied)
        letters = [letter_for(poison, held.log) for poison in poisoned]
        for some in publishable(emits + letters):
            await held.patience.while_transient(self._publisher.publish, some)
        if sound:
            await held.commit(records[len(sound) - 1].offset + 1)
        metrics.observe_batch(applied, poisoned, time.perf_counter() - started)
        halt_past_ceiling(held.log, records, steps, sound)

    async def leave(self, held: Sequence[Holding]) -> None:
        """Nothing is left under way."""

    async def _decide(self, asked: Sequence[Asked | Poisoned]) -> list[Decided | Poisoned]:
        pushes = [step for step in asked if isinstance(step, Asked)]
        known = await known_of(self._database, self._endpoints, [step.push.recipient for step in pushes])
        now = datetime.now(UTC)
        steps = [
            self._route(step, known[step.push.recipient], now) if isinstance(step, Asked) else step for step in asked
        ]
        # What was routed before a crash stays so, though its template has been broken since.
        failed = {step.record.offset for step in steps if isinstance(step, Poisoned)}
        again = [step for step in pushes if step.record.offset in failed]
        routed = await routed_pushes(self._database, [step.event.identity for step in again]) if again else {}
        kept = {
            step.record.offset: decided(step.record, step.event, routed[step.event.identity])
            for step in again
            if step.event.identity in routed
        }
        return [kept.get(step.record.offset, step) if isinstance(step, Poisoned) else step for step in steps]

    def _route(self, asked: Asked, known: Known, now: datetime) -> Decided | Poisoned:
        push = asked.push
        try:
            title, body = self._templates.render(
                push.kind, language_of(push, known), push.fields, title=push.title, body=push.body
            )
        except Poison as poison:
            return Poisoned(asked.record, poison.reason, str(poison))
        routed = route_push(asked.event, push, Written(title, body), known, self._channels, now)
        return decided(asked.record, asked.event, routed)

    async def _emits(self, applied: Applied) -> list[Event]:
        """What follows from the fresh ones; for those read again, what was decided the first time."""
        if not applied.redelivered:
            return [event for step in applied.fresh for event in step.emits]
        routed = await routed_pushes(self._database, [step.event.identity for step in applied.fresh])
        return [event for step in applied.fresh for event in emitted_events(step.event, routed[step.event.identity])]


def ask(record: Record) -> Asked | Poisoned:
    """The push that a record asks for."""
    step = PLANNER.decide(record)
    return step if isinstance(step, Poisoned) else Asked(record, step.event, step.outcome.fact.body["push"])


def _hand_on(_: Event, push: PushRequested) -> Outcome:
    return Outcome(Fact(PUSHES, {"push": push}))


PLANNER = Planner({"push.requested": Route(PushRequested, _hand_on)})


def decided(record: Record, event: Event, routed: Routed) -> Decided:
    outcome = Outcome(Fact(PUSHES, document_of(routed)))
    return Decided(record.offset, event, outcome, tuple(emitted_events(event, routed)))


def emitted_events(event: Event, routed: Routed) -> Iterable[Event]:
    return (emitted_event(event, emit) for emit in emits_of(event.identity, routed))
