"""What cannot be decided from the event alone: counts taken from the facts, after those of the batch are written.

A count is of what is folded into the document: by the document's own fences, and by
the update's offsets of the partition in hand. It is written only where the fences
still stand as they did: so it is right whoever writes it, and whatever else feeds
the document. A worker that lost its partition, or was told what is past, is refused
and counts again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from handlers.effects import FieldEffect, Inc, IncAbove, Max, Recount, Set
from stores.store import Counted, Fenced, Store

Document = Mapping[str, Any]
"""The fences of a document, and the fields from whose values on is counted."""


async def counted(store: Store, collection: str, updates: Sequence[Fenced]) -> list[Fenced]:
    """The updates, each count in them replaced by the number it stands for. Raises StoreAway."""
    counting = [update for update in updates if any(_counts(update))]
    if not counting:
        return list(updates)
    bounds = {field for update in counting for _, effect in _counts(update) if (field := _bound_field(effect))}
    documents = await store.values(collection, [update.key for update in counting], ["fence", *sorted(bounds)])
    asked: dict[str, list[Counted]] = {}
    for update in counting:
        for recount in _recounts(update):
            asked.setdefault(recount.collection, []).append(_question(update, recount, documents.get(update.key, {})))
    answers = {facts: iter(await store.count_facts(facts, questions)) for facts, questions in asked.items()}
    return [
        _settled(update, documents.get(update.key, {}), answers) if any(_counts(update)) else update
        for update in updates
    ]


def _counts(update: Fenced) -> Iterator[tuple[str, Recount | IncAbove]]:
    return ((name, effect) for name, effect in update.change.items() if isinstance(effect, Recount | IncAbove))


def _recounts(update: Fenced) -> Iterator[Recount]:
    return (effect for _, effect in _counts(update) if isinstance(effect, Recount))


def _bound_field(effect: Recount | IncAbove) -> str | None:
    """The field of the document that says from where on is counted."""
    if isinstance(effect, IncAbove):
        return effect.field
    return effect.above[1] if effect.above is not None else None


def _question(update: Fenced, recount: Recount, document: Document) -> Counted:
    within = {**document.get("fence", {}), update.fence: update.last}
    if recount.above is None:
        return Counted(recount.match, within)
    field, bound_field = recount.above
    return Counted(recount.match, within, field, _raised(update, bound_field, document))


def _settled(update: Fenced, document: Document, answers: Mapping[str, Iterator[int]]) -> Fenced:
    """`answers` are in the order of the questions."""
    numbers: dict[str, FieldEffect] = {}
    for name, effect in _counts(update):
        if isinstance(effect, Recount):
            numbers[name] = Set(next(answers[effect.collection]))
        else:
            numbers[name] = Inc(_above(update, effect, document))
    return msgspec.structs.replace(update, change={**update.change, **numbers}, seen=document.get("fence", {}))


def _above(update: Fenced, effect: IncAbove, document: Document) -> int:
    if effect.field in update.change:
        raise TypeError(f"{effect.field} is raised without a recount of what it bounds")
    bound = document.get(effect.field)
    return sum(bound is None or value > bound for value in effect.values)


def _raised(update: Fenced, field: str, document: Document) -> Any:
    """The field's value once the change is in; None if it has none."""
    stored, effect = document.get(field), update.change.get(field)
    if effect is None:
        return stored
    if not isinstance(effect, Max):
        raise TypeError(f"a bound is raised by Max alone, not by {effect!r}")
    return effect.value if stored is None else max(stored, effect.value)
