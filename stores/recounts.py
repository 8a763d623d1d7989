"""What cannot be decided from the event alone: counts taken from the facts, after those of the batch are written.

A count is of the log up to the update's last offset. So it is right whoever writes
it: a worker that lost its partition counts the same as its successor did at that
place, and its fence is refused where the document has gone on.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from handlers.effects import FieldEffect, Inc, IncAbove, Max, Recount, Set
from stores.store import Counted, Fenced, Store


async def counted(store: Store, collection: str, updates: Sequence[Fenced]) -> list[Fenced]:
    """The updates, each count in them replaced by the number it stands for. Raises StoreAway."""
    fields = {field for update in updates for _, effect in _counts(update) if (field := _bound_field(effect))}
    keys = {field: [update.key for update in updates if field in _bound_fields(update)] for field in fields}
    bounds = {field: await store.values(collection, keys[field], field) for field in fields}
    return await asyncio.gather(*(_settled(store, update, bounds) for update in updates))


def _counts(update: Fenced) -> Iterator[tuple[str, Recount | IncAbove]]:
    return ((name, effect) for name, effect in update.change.items() if isinstance(effect, Recount | IncAbove))


def _bound_field(effect: Recount | IncAbove) -> str | None:
    """The field of the document that says from where on is counted."""
    if isinstance(effect, IncAbove):
        return effect.field
    return effect.above[1] if effect.above is not None else None


def _bound_fields(update: Fenced) -> set[str | None]:
    return {_bound_field(effect) for _, effect in _counts(update)}


async def _settled(store: Store, update: Fenced, bounds: Mapping[str, Mapping[str, Any]]) -> Fenced:
    numbers: dict[str, FieldEffect] = {}
    for name, effect in _counts(update):
        field = _bound_field(effect)
        bound = None if field is None else _bound(bounds[field].get(update.key), update.change.get(field))
        if isinstance(effect, IncAbove):
            numbers[name] = Inc(sum(bound is None or value > bound for value in effect.values))
        else:
            asked = Counted(effect.match, update.fence, update.last, effect.above and effect.above[0], bound)
            numbers[name] = Set(await store.count_facts(effect.collection, asked))
    return msgspec.structs.replace(update, change={**update.change, **numbers}) if numbers else update


def _bound(stored: Any, raised: Any) -> Any:
    """The field's value once the change is in: nothing but a Max may meet it there."""
    if raised is None:
        return stored
    if not isinstance(raised, Max):
        raise TypeError(f"a bound is raised by Max alone, not by {raised!r}")
    return raised.value if stored is None else max(stored, raised.value)
