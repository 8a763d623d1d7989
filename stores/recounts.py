"""What cannot be decided from the event alone: counts taken from the facts, after those of the batch are written.

A count is of the log up to the update's last offset. So it is right whoever writes
it: a worker that lost its partition counts the same as its successor did at that
place, and its fence is refused where the document has gone on.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from handlers.effects import FieldEffect, Inc, IncAbove, Max, Recount, Set
from stores.store import Counted, Fenced, Store


async def counted(store: Store, collection: str, updates: Sequence[Fenced]) -> list[Fenced]:
    """The updates, each count in them replaced by the number it stands for. Raises StoreAway."""
    bounds: dict[str, Mapping[str, Any]] = {}
    for field in sorted({field for update in updates for field in _bound_fields(update)}):
        keys = [update.key for update in updates if field in _bound_fields(update)]
        bounds[field] = await store.values(collection, keys, field)
    asked: dict[str, list[Counted]] = {}
    for update in updates:
        for recount, counted in _questions(update, bounds):
            asked.setdefault(recount.collection, []).append(counted)
    answers = {facts: iter(await store.count_facts(facts, questions)) for facts, questions in asked.items()}
    return [_settled(update, bounds, answers) for update in updates]


def _counts(update: Fenced) -> Iterator[tuple[str, Recount | IncAbove]]:
    return ((name, effect) for name, effect in update.change.items() if isinstance(effect, Recount | IncAbove))


def _bound_field(effect: Recount | IncAbove) -> str | None:
    """The field of the document that says from where on is counted."""
    if isinstance(effect, IncAbove):
        return effect.field
    return effect.above[1] if effect.above is not None else None


def _bound_fields(update: Fenced) -> set[str]:
    return {field for _, effect in _counts(update) if (field := _bound_field(effect)) is not None}


def _questions(update: Fenced, bounds: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Recount, Counted]]:
    for _, effect in _counts(update):
        if isinstance(effect, Recount):
            field = None if effect.above is None else effect.above[0]
            yield effect, Counted(effect.match, update.fence, update.last, field, _bound_of(update, effect, bounds))


def _settled(update: Fenced, bounds: Mapping[str, Mapping[str, Any]], answers: Mapping[str, Iterator[int]]) -> Fenced:
    """`answers` are in the order of the questions."""
    numbers: dict[str, FieldEffect] = {}
    for name, effect in _counts(update):
        if isinstance(effect, Recount):
            numbers[name] = Set(next(answers[effect.collection]))
        else:
            bound = _bound_of(update, effect, bounds)
            numbers[name] = Inc(sum(bound is None or value > bound for value in effect.values))
    return msgspec.structs.replace(update, change={**update.change, **numbers}) if numbers else update


def _bound_of(update: Fenced, effect: Recount | IncAbove, bounds: Mapping[str, Mapping[str, Any]]) -> Any:
    field = _bound_field(effect)
    return None if field is None else _bound(bounds[field].get(update.key), update.change.get(field))


def _bound(stored: Any, raised: Any) -> Any:
    """The field's value once the change is in: nothing but a Max may meet it there."""
    if raised is None:
        return stored
    if not isinstance(raised, Max):
        raise TypeError(f"a bound is raised by Max alone, not by {raised!r}")
    return raised.value if stored is None else max(stored, raised.value)
