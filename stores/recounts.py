"""What cannot be decided from the event alone: counts taken from the facts, after those of the batch are written.

A count is of the log up to the update's last offset. So it is right whoever writes
it: a worker that lost its partition counts the same as its successor did at that
place, and its fence is refused where the document has gone on.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from handlers.effects import Max, Recount, Set
from stores.store import Counted, Fenced, Store


async def counted(store: Store, collection: str, updates: Sequence[Fenced]) -> list[Fenced]:
    """The updates, each Recount in them replaced by the number it stands for. Raises StoreAway."""
    open_counts = [update for update in updates if any(_recounts(update))]
    if not open_counts:
        return list(updates)
    bounds = {
        field: await store.values(collection, [update.key for update in open_counts], field)
        for field in {recount.above[1] for update in open_counts for _, recount in _recounts(update) if recount.above}
    }
    numbers = await asyncio.gather(
        *(_number(store, update, recount, bounds) for update in open_counts for _, recount in _recounts(update))
    )
    results = iter(numbers)
    return [_settled(update, {field: Set(next(results)) for field, _ in _recounts(update)}) for update in updates]


def _recounts(update: Fenced) -> Iterable[tuple[str, Recount]]:
    return ((field, effect) for field, effect in update.change.items() if isinstance(effect, Recount))


async def _number(store: Store, update: Fenced, recount: Recount, bounds: dict[str, dict[str, Any]]) -> int:
    asked = Counted(recount.match, update.fence, update.last)
    if recount.above is not None:
        field, bound_field = recount.above
        bound = _bound(bounds[bound_field].get(update.key), update.change.get(bound_field))
        asked = msgspec.structs.replace(asked, field=field, bound=bound)
    return await store.count_facts(recount.collection, asked)


def _bound(stored: Any, raised: Any) -> Any:
    """The field's value once the change is in: nothing but a Max may meet it there."""
    if raised is None:
        return stored
    if not isinstance(raised, Max):
        raise TypeError(f"a bound is raised by Max alone, not by {raised!r}")
    return raised.value if stored is None else max(stored, raised.value)


def _settled(update: Fenced, numbers: dict[str, Set]) -> Fenced:
    return msgspec.structs.replace(update, change={**update.change, **numbers}) if numbers else update
