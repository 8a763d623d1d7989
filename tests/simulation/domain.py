"""What is folded in the simulation: events that show, in the documents, how often and in which order they were counted.

Each fact leaves a counter of its own in each document it touches (`n.<number>`),
so a document says by itself which facts it has, and which twice.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from handlers.effects import AddToSet, Change, Effect, FieldEffect, Inc, IncAbove, Latest, Max, Min, Recount, Set
from handlers.letters import COLLECTION as LETTERS
from handlers.letters import keep_letter
from handlers.outcome import Emit, Fact, Outcome, Route
from handlers.plan import Planner
from schemas.events import Event
from schemas.letter import DeadLettered

PARTITIONS = {"facts": 2, "others": 1, "derived": 2, "dead-letters": 1}
TOPIC_OF = {"derived": "derived", "event.dead-lettered": "dead-letters"}
KEYS = ("ada", "bob", "cid")
CLIENT = "client"
ENTRIES = "entries"
INBOXES = "inboxes"
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


class Entered(msgspec.Struct, frozen=True):
    """An entry in a key's inbox, unread."""

    number: int
    key: str
    at: datetime


class Read(msgspec.Struct, frozen=True):
    """What a key's inbox holds up to `up_to` is read."""

    number: int
    key: str
    up_to: datetime


class Withdrawn(msgspec.Struct, frozen=True):
    """An entry of the key's inbox is neither unread nor kept any more; nothing if it is not there yet."""

    number: int
    key: str
    entry: int


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


def enter(_event: Event, entered: Entered) -> Outcome:
    body = {"number": entered.number, "key": entered.key, "at": entered.at, "gone": False}
    counts: Change = {
        f"n.{entered.number}": Inc(1),
        "unread": IncAbove((entered.at,), "read_up_to"),
        "kept": Inc(1),
    }
    return Outcome(Fact(ENTRIES, body), (Effect(INBOXES, entered.key, counts),))


def read_up_to(_event: Event, read: Read) -> Outcome:
    change: Change = {f"n.{read.number}": Inc(1), "read_up_to": Max(read.up_to), "unread": _unread(read.key)}
    return Outcome(effects=(Effect(INBOXES, read.key, change),))


def withdraw(_event: Event, withdrawn: Withdrawn) -> Outcome:
    mark: Change = {f"n.{withdrawn.number}": Inc(1), "gone": Set(True)}
    counts: Change = {
        f"n.{withdrawn.number}": Inc(1),
        "unread": _unread(withdrawn.key),
        "kept": Recount(ENTRIES, {"key": withdrawn.key, "gone": False}),
    }
    return Outcome(
        effects=(
            Effect(INBOXES, withdrawn.key, counts),
            Effect(ENTRIES, f"{CLIENT}/e{withdrawn.entry}", mark, create=False),
        )
    )


def _unread(key: str) -> Recount:
    return Recount(ENTRIES, {"key": key, "gone": False}, above=("at", "read_up_to"))


def fail(_event: Event, _cursed: Cursed) -> Outcome:
    raise RuntimeError("a handler with a bug")


ROUTES = {
    "noted": Route(Noted, fold_noted),
    "spread": Route(Spread, fold_spread),
    "derived": Route(Noted, fold_derived),
    "entered": Route(Entered, enter),
    "read": Route(Read, read_up_to),
    "withdrawn": Route(Withdrawn, withdraw),
    "cursed": Route(Cursed, fail),
    "event.dead-lettered": Route(DeadLettered, keep_letter),
}
PLANNER = Planner(ROUTES)
FACTS = ("seen_events", "notes", "spreads", ENTRIES, LETTERS)
DOCUMENTS = ("ledgers", "derived_ledgers", "totals", INBOXES)


def flat(document: dict[str, Any]) -> dict[str, Any]:
    """Its fields by path, for messages that show only what differs."""
    fields: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict) and name in ("n", "fence"):
            fields.update({f"{name}.{inner}": deeper for inner, deeper in value.items()})
        else:
            fields[name] = sorted(value) if isinstance(value, list) else value
    return fields
