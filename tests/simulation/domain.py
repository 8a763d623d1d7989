"""What is folded in the simulation: events that show, in the documents, how often and in which order they were counted.

Each fact leaves a counter of its own in each document it touches (`n.<number>`),
so a document says by itself which facts it has, and which twice.
"""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec

from handlers.effects import AddToSet, Change, Effect, FieldEffect, Inc, Latest, Max, Min, Set
from handlers.letters import COLLECTION as LETTERS
from handlers.letters import keep_letter
from handlers.outcome import Emit, Fact, Outcome, Route
from handlers.plan import Planner
from schemas.cloudevents import encode_headers, encode_structured
from schemas.events import Event, Headers
from schemas.letter import DeadLettered

PARTITIONS = {"facts": 2, "others": 1, "derived": 2, "dead-letters": 1}
TOPIC_OF = {"noted": "facts", "spread": "facts", "derived": "derived", "event.dead-lettered": "dead-letters"}
KEYS = ("ada", "bob", "cid")
MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)


class Noted(msgspec.Struct, frozen=True):
    """A fact about one key. `reset` sets the balance, otherwise it grows by `amount`."""

    number: int
    key: str
    amount: int
    value: str
    at: datetime
    reset: bool


class Spread(msgspec.Struct, frozen=True):
    """A fact that concerns several keys, so it is passed on to them."""

    number: int
    keys: tuple[str, ...]
    amount: int


class Cursed(msgspec.Struct, frozen=True):
    number: int


def fold_noted(event: Event, noted: Noted) -> Outcome:
    counted: dict[str, FieldEffect] = {
        f"n.{noted.number}": Inc(1),
        "total": Inc(noted.amount),
        "most": Max(noted.amount),
        "least": Min(noted.amount),
        "values": AddToSet((noted.value,)),
        "newest": Latest(noted.at, noted.value),
    }
    ledger: Change = {
        **counted,
        "last": Set(noted.value),
        "balance": Set(noted.amount) if noted.reset else Inc(noted.amount),
    }
    kept = Fact("notes", {"number": noted.number}) if noted.number % 2 else Fact()
    return Outcome(
        kept,
        (
            Effect("ledgers", noted.key, ledger),
            Effect("totals", "all", counted),
            Effect("ledgers", noted.key, {"balance": Inc(1), "parts": Inc(1)}),
        ),
    )


def fold_spread(_event: Event, spread: Spread) -> Outcome:
    emits = tuple(
        Emit(
            f"{index}",
            "derived",
            key,
            Noted(1000 + 10 * spread.number + index, key, spread.amount, f"d{spread.number}", MORNING, reset=False),
        )
        for index, key in enumerate(spread.keys)
    )
    return Outcome(Fact("spreads", {"number": spread.number}), emits=emits)


def fold_derived(event: Event, noted: Noted) -> Outcome:
    """Documents of their own: a ledger has one feeder."""
    outcome = fold_noted(event, noted)
    effects = tuple(
        Effect("derived_ledgers" if effect.collection == "ledgers" else effect.collection, effect.key, effect.change)
        for effect in outcome.effects
    )
    return Outcome(outcome.fact, effects)


def fail(_event: Event, _cursed: Cursed) -> Outcome:
    raise RuntimeError("a handler with a bug")


ROUTES = {
    "noted": Route(Noted, fold_noted),
    "spread": Route(Spread, fold_spread),
    "derived": Route(Noted, fold_derived),
    "cursed": Route(Cursed, fail),
    "event.dead-lettered": Route(DeadLettered, keep_letter),
}
PLANNER = Planner(ROUTES)
FACTS = ("seen_events", "notes", "spreads", LETTERS)
DOCUMENTS = ("ledgers", "derived_ledgers", "totals")


class Sending(msgspec.Struct, frozen=True):
    """One record that a client writes."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


def sendings(rng: Random, count: int) -> list[Sending]:
    """What clients send, in the order they send it: facts, some of them again and elsewhere, and poison."""
    sent: list[Sending] = []
    for number in range(1, count + 1):
        first = _sending(rng, _event(rng, number))
        sent.append(first)
        while rng.random() < 0.25:
            again = _elsewhere(rng, first)
            # A copy may overtake: a client that gave up and sent again is not alone on its way.
            sent.insert(rng.randrange(max(0, len(sent) - 8), len(sent) + 1), again)
        while rng.random() < 0.08:
            sent.append(_poison(rng, number))
    return sent


def _event(rng: Random, number: int) -> Event:
    key = rng.choice(KEYS)
    if rng.random() < 0.2:
        keys = tuple(rng.choice(KEYS) for _ in range(rng.randrange(1, 4)))
        kind, payload = "spread", msgspec.json.encode(Spread(number, keys, rng.randrange(1, 9)))
    else:
        at = MORNING + timedelta(milliseconds=rng.randrange(4))
        noted = Noted(number, key, rng.randrange(1, 9), f"v{number}", at, reset=rng.random() < 0.3)
        kind, payload = "noted", msgspec.json.encode(noted)
    return Event(id=f"e{number}", source="client", type=kind, subject=key, time=MORNING, data=payload)


def _sending(rng: Random, event: Event) -> Sending:
    key = event.subject.encode()
    partition = sum(key) % PARTITIONS["facts"]
    if rng.random() < 0.1:
        structured = msgspec.json.encode(encode_structured(event))
        return Sending("facts", partition, key, structured, (("content-type", b"application/cloudevents+json"),))
    return Sending("facts", partition, key, event.data, encode_headers(event))


def _elsewhere(rng: Random, sending: Sending) -> Sending:
    """The same event on the same partition, on another, or on another topic."""
    topic, partition = rng.choice(
        ((sending.topic, sending.partition), (sending.topic, 1 - sending.partition), ("others", 0))
    )
    return msgspec.structs.replace(sending, topic=topic, partition=partition)


def _poison(rng: Random, number: int) -> Sending:
    topic = rng.choice(("facts", "facts", "others", "derived"))
    event = Event(
        id=f"p{number}",
        source="client",
        type=rng.choice(("noted", "cursed", "unheard-of")),
        subject="ada",
        time=MORNING,
        data=msgspec.json.encode({"number": number}),
    )
    partition = rng.randrange(PARTITIONS[topic])
    if rng.random() < 0.3:
        return Sending(topic, partition, b"ada", b"\xff not an event", ())
    return Sending(topic, partition, b"ada", event.data, encode_headers(event))


def flat(document: dict[str, Any]) -> dict[str, Any]:
    """Its fields by path, for messages that show only what differs."""
    fields: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict) and name in ("n", "fence"):
            fields.update({f"{name}.{inner}": deeper for inner, deeper in value.items()})
        else:
            fields[name] = sorted(value) if isinstance(value, list) else value
    return fields
