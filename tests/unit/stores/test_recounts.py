"""Counts in updates: what they become, of what, and under which condition they are written."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.effects import Change, Inc, IncAbove, Max, Recount, Set
from schemas.events import Origin
from stores.recounts import counted
from stores.store import FactDocument, Fenced
from tests.simulation.sim_store import SimStore
from tests.simulation.turns import AsyncioTurns

FENCE, OTHER = "facts~c1-0", "facts~c1-1"
UNREAD = Recount("entries", {"key": "ann"}, ("at", "read_up_to"))


class Store(SimStore):
    """The simulated one, filled by hand."""

    def __init__(self, **inbox: Any) -> None:
        super().__init__(AsyncioTurns(), Random(1))
        if inbox:
            self.collections["inboxes"] = {"ann": {"_id": "ann", **inbox}}

    async def enter(self, *entries: tuple[int, int], fence: str = FENCE, key: str = "ann") -> None:
        """Entries as (offset, at)."""
        facts = [
            FactDocument(f"{fence}/{offset}/{key}", Origin(fence, offset), {"key": key, "at": at})
            for offset, at in entries
        ]
        await self.insert_facts("entries", facts)


def an_update(change: Change, first: int = 5, last: int = 9, key: str = "ann") -> Fenced:
    return Fenced(key, FENCE, first, last, change)


async def changes(store: Store, *updates: Fenced) -> Sequence[Change]:
    return [update.change for update in await counted(store, "inboxes", updates)]


async def test_updates_without_counts_stay_as_they_are() -> None:
    update = an_update({"n": Inc(1), "last": Set(3)})

    assert await counted(Store(fence={FENCE: 4}), "inboxes", [update]) == [update]


async def test_a_recount_is_of_the_facts_up_to_the_last_offset_of_its_update() -> None:
    store = Store()
    await store.enter((3, 0), (9, 0), (10, 0))
    await store.enter((4, 0), key="bob")

    assert await changes(store, an_update({"unread": UNREAD})) == [{"unread": Set(2)}]


async def test_of_other_logs_those_facts_count_that_the_document_has_folded() -> None:
    store = Store(fence={OTHER: 6, FENCE: 4})
    await store.enter((3, 0), (9, 0), (10, 0))
    await store.enter((5, 0), (6, 0), (7, 0), fence=OTHER)
    await store.enter((0, 0), fence="facts~c2-0")

    assert await changes(store, an_update({"unread": UNREAD})) == [{"unread": Set(4)}]


@pytest.mark.parametrize(
    ("stored", "raised", "number"),
    [
        (None, None, 4),
        (None, 2, 1),
        (2, None, 1),
        (1, 2, 1),
        (2, 1, 1),  # what was read before stays read
        (2, 2, 1),
        (0, 1, 3),
        (3, 1, 0),
    ],
)
async def test_what_is_above_the_bound_counts_and_the_bound_is_the_greater_of_the_old_and_the_new(
    stored: int | None, raised: int | None, number: int
) -> None:
    store = Store() if stored is None else Store(read_up_to=stored, fence={FENCE: 4})
    await store.enter((1, 1), (2, 2), (3, 2), (4, 3))
    change: Change = {"unread": UNREAD} if raised is None else {"unread": UNREAD, "read_up_to": Max(raised)}

    (settled,) = await changes(store, an_update(change))

    # at 1, 2, 2, 3
    assert settled == {**change, "unread": Set(number)}


async def test_late_entries_are_not_counted_and_one_at_the_bound_is_late() -> None:
    late_and_not: Change = {"unread": IncAbove((1, 2, 3, 4), "read_up_to")}

    assert await changes(Store(read_up_to=2, fence={FENCE: 4}), an_update(late_and_not)) == [{"unread": Inc(2)}]
    assert await changes(Store(), an_update(late_and_not)) == [{"unread": Inc(4)}]


async def test_a_count_is_written_only_where_the_fences_are_those_it_was_taken_by() -> None:
    store = Store(fence={FENCE: 4, OTHER: 7}, read_up_to=3)
    plain, recounted, added = {"n": Inc(1)}, {"unread": UNREAD}, {"unread": IncAbove((1,), "read_up_to")}

    settled = await counted(
        store, "inboxes", [an_update(plain, key="bob"), an_update(recounted), an_update(added, key="cid")]
    )

    assert [(update.key, update.seen) for update in settled] == [
        ("bob", None),
        ("ann", {FENCE: 4, OTHER: 7}),
        ("cid", {}),
    ]


async def test_each_of_many_counts_gets_its_own_number() -> None:
    store = Store()
    for number, key in enumerate(("ann", "bob", "cid"), 1):
        await store.enter(*((offset, offset) for offset in range(number)), key=key)
        await store.insert_facts("notes", [FactDocument(f"{key}/note", Origin(FENCE, 1), {"key": key})])
    updates = [
        an_update(
            {"all": Recount("entries", {"key": key}), "notes": Recount("notes", {"key": key}), "last": Set(key)},
            key=key,
        )
        for key in ("cid", "ann", "bob")
    ]

    assert await changes(store, *updates) == [
        {"all": Set(3), "notes": Set(1), "last": Set("cid")},
        {"all": Set(1), "notes": Set(1), "last": Set("ann")},
        {"all": Set(2), "notes": Set(1), "last": Set("bob")},
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"unread": IncAbove((1,), "read_up_to"), "read_up_to": Max(3)},  # what was unread may be read now
        {"unread": UNREAD, "read_up_to": Set(3)},  # a bound that may fall
        {"unread": UNREAD, "read_up_to": Inc(-1)},
    ],
)
async def test_a_bound_that_is_moved_in_another_way_than_a_count_can_follow_is_a_bug(change: Change) -> None:
    with pytest.raises(TypeError):
        await changes(Store(), an_update(change))


entries = st.lists(st.tuples(st.sampled_from([FENCE, OTHER, "facts~c2-0"]), st.integers(0, 9), st.integers(0, 4)))


@given(
    entries=entries,
    fences=st.dictionaries(st.sampled_from([FENCE, OTHER]), st.integers(0, 9)),
    bound=st.none() | st.integers(0, 4),
    last=st.integers(0, 9),
)
async def test_a_count_is_of_what_the_document_has_and_what_the_update_brings(
    entries: list[tuple[str, int, int]], fences: dict[str, int], bound: int | None, last: int
) -> None:
    store = Store(fence=fences, **({} if bound is None else {"read_up_to": bound}))
    for fence, offset, at in entries:
        await store.enter((offset, at), fence=fence)
    once = {(fence, offset): at for fence, offset, at in reversed(entries)}

    (settled,) = await changes(store, an_update({"unread": UNREAD}, first=last, last=last))

    folded = {**fences, FENCE: last}
    unread = [
        at for (fence, offset), at in once.items() if offset <= folded.get(fence, -1) and (bound is None or at > bound)
    ]
    assert settled == {"unread": Set(len(unread))}
