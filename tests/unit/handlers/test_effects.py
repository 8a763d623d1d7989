"""The one law of effects: merged, they do what they would have done one by one."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.effects import (
    ABSENT,
    AddToSet,
    Change,
    FieldEffect,
    Inc,
    IncAbove,
    IncompatibleEffectsError,
    Latest,
    Max,
    Min,
    Recount,
    Set,
    apply,
    merge,
    merge_changes,
    stamp,
)

MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)

numbers = st.integers(-(2**31), 2**31)
instants = st.integers(0, 3).map(lambda ms: MORNING + timedelta(milliseconds=ms))
scalars = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "b", "é"]) | instants
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner), max_leaves=4
)
registers = st.builds(Latest, instants, values, st.integers(0, 3))

kinds: dict[str, st.SearchStrategy[FieldEffect]] = {
    "counter": st.builds(Inc, numbers) | st.builds(Set, numbers),
    "maximum": st.builds(Max, numbers) | st.builds(Set, numbers),
    "latest time": st.builds(Max, instants),
    "minimum": st.builds(Min, numbers) | st.builds(Set, numbers),
    "set": st.builds(AddToSet, st.lists(values, max_size=3).map(tuple)) | st.builds(Set, st.just([])),
    "value": st.builds(Set, values),
    "register": registers,
}
"""Per kind of field, the effects that may meet on it."""

histories = st.one_of([st.lists(effects, min_size=1, max_size=6) for effects in kinds.values()])
triples = st.one_of([st.tuples(effects, effects, effects) for effects in kinds.values()])

field_kinds = st.fixed_dictionaries({}, optional=kinds)
changes = st.lists(field_kinds, min_size=1, max_size=5)


def one_by_one(effects: Sequence[FieldEffect]) -> Any:
    return reduce(lambda value, effect: apply(effect, value), effects, ABSENT)


@given(histories)
def test_merged_effects_do_what_they_do_one_by_one(effects: list[FieldEffect]) -> None:
    assert apply(reduce(merge, effects)) == one_by_one(effects)


@given(st.one_of([st.tuples(st.lists(e, min_size=1), st.lists(e, min_size=1)) for e in kinds.values()]))
def test_a_batch_may_be_cut_anywhere(halves: tuple[list[FieldEffect], list[FieldEffect]]) -> None:
    first, second = halves

    cut = apply(reduce(merge, second), apply(reduce(merge, first)))

    assert apply(reduce(merge, first + second)) == cut


@given(triples)
def test_merging_is_associative(effects: tuple[FieldEffect, FieldEffect, FieldEffect]) -> None:
    a, b, c = effects

    assert apply(merge(merge(a, b), c)) == apply(merge(a, merge(b, c)))


@given(st.lists(registers, min_size=1, max_size=5), st.randoms())
def test_the_latest_value_does_not_depend_on_the_order_of_arrival(effects: list[Latest], random: Any) -> None:
    shuffled = list(effects)
    random.shuffle(shuffled)

    assert one_by_one(shuffled) == one_by_one(effects)
    assert reduce(merge, shuffled) == reduce(merge, effects)


@given(changes)
def test_merged_changes_do_what_they_do_one_by_one(parts: list[Change]) -> None:
    document: dict[str, Any] = {}
    for change in parts:
        for field, effect in change.items():
            document[field] = apply(effect, document.get(field, ABSENT))

    merged = reduce(merge_changes, parts)

    assert {field: apply(effect) for field, effect in merged.items()} == document


@given(st.tuples(field_kinds, field_kinds, field_kinds))
def test_merging_changes_is_associative(parts: tuple[Change, Change, Change]) -> None:
    a, b, c = parts

    left, right = merge_changes(merge_changes(a, b), c), merge_changes(a, merge_changes(b, c))

    assert {f: apply(e) for f, e in left.items()} == {f: apply(e) for f, e in right.items()}


class Happening(msgspec.Struct, frozen=True):
    """An event of that log: it brings an entry, or has one of them gone, or neither."""

    change: Change
    entry: int | None = None
    gone: int | None = None


class Inbox(msgspec.Struct):
    """A document with counts, and the log of all that feeds it: a store that can count, as small as it gets."""

    log: list[Happening]
    bound: int | None = None
    unread: int = 0
    kept: int = 0

    def fold(self, first: int, last: int) -> None:
        """A batch, merged: its entries are inserted and its marks made before anything is counted."""
        change = reduce(merge_changes, [happening.change for happening in self.log[first : last + 1]])
        if isinstance(raised := change.get("bound"), Max):
            self.bound = apply(raised, ABSENT if self.bound is None else self.bound)
        gone = {happening.gone for happening in self.log[: last + 1]}
        there = [self.log[at].entry for at in range(last + 1) if at not in gone]
        kept = [entry for entry in there if entry is not None]
        self.unread = self._counted(change.get("unread"), self.unread, self._above(kept))
        self.kept = self._counted(change.get("kept"), self.kept, len(kept))

    def _counted(self, effect: FieldEffect | None, number: int, recount: int) -> int:
        match effect:
            case Recount():
                return recount
            case IncAbove(values):
                return number + self._above(values)
            case Inc(by):
                return number + by
        return number

    def _above(self, values: Iterable[int]) -> int:
        return sum(self.bound is None or value > self.bound for value in values)


UNREAD = Recount("entries", {}, ("at", "bound"))
happenings = (
    st.integers(0, 4).map(lambda at: Happening({"unread": IncAbove((at,), "bound"), "kept": Inc(1)}, entry=at))
    | st.integers(0, 4).map(lambda bound: Happening({"bound": Max(bound), "unread": UNREAD}))
    | st.integers(0, 9).map(lambda at: Happening({"unread": UNREAD, "kept": Recount("entries", {})}, gone=at))
)


def a_log(drawn: list[Happening]) -> list[Happening]:
    """What has an entry gone comes after it, or has none."""
    return [
        happening
        if happening.gone is None or happening.gone < offset
        else msgspec.structs.replace(happening, gone=None)
        for offset, happening in enumerate(drawn)
    ]


counted_logs = st.lists(happenings, min_size=1, max_size=10).map(a_log)


@given(counted_logs, st.sets(st.integers(1, 9)))
def test_counts_are_the_same_however_their_log_is_cut_into_batches(log: list[Happening], cuts: set[int]) -> None:
    one_by_one, in_batches = Inbox(log), Inbox(log)
    starts = sorted({0} | {cut for cut in cuts if cut < len(log)})

    for offset in range(len(log)):
        one_by_one.fold(offset, offset)
    for first, next_first in pairwise([*starts, len(log)]):
        in_batches.fold(first, next_first - 1)

    assert in_batches == one_by_one


@given(counted_logs)
def test_a_count_that_is_kept_up_is_what_a_recount_gives(log: list[Happening]) -> None:
    kept_up = Inbox(log)
    for offset in range(len(log)):
        kept_up.fold(offset, offset)
    recounted = Inbox([*log, Happening({"unread": UNREAD, "kept": Recount("entries", {})})], kept_up.bound)
    recounted.fold(len(log), len(log))

    assert (kept_up.unread, kept_up.kept) == (recounted.unread, recounted.kept)


recounts = st.sampled_from([UNREAD, Recount("entries", {"key": "a"}), Recount("messages", {})])
countings = st.one_of(
    st.lists(recounts | st.builds(IncAbove, st.tuples(st.integers()), st.just("bound")), min_size=3, max_size=3),
    st.lists(recounts | st.builds(Inc, numbers) | st.builds(Set, numbers), min_size=3, max_size=3),
)


@given(countings)
def test_merging_counts_is_associative(effects: list[FieldEffect]) -> None:
    a, b, c = effects

    assert merge(merge(a, b), c) == merge(a, merge(b, c))


def test_a_recount_is_all_that_is_left_of_what_was_counted_before_and_is_added_after() -> None:
    late = IncAbove((3,), "bound")

    assert merge(Inc(5), UNREAD) == merge(Set(5), UNREAD) == merge(late, UNREAD) == UNREAD
    assert merge(UNREAD, Inc(1)) == merge(UNREAD, late) == UNREAD
    assert merge(UNREAD, Recount("messages", {})) == Recount("messages", {})
    assert merge(UNREAD, Set(0)) == Set(0)


def test_a_count_has_no_value_without_a_store() -> None:
    for effect in (UNREAD, IncAbove((3,), "bound")):
        with pytest.raises(IncompatibleEffectsError):
            apply(effect, 1)


def test_a_reset_and_what_was_added_since_is_known_in_full() -> None:
    assert merge(merge(Inc(5), Set(0)), Inc(3)) == Set(3)


def test_at_the_same_time_the_later_in_the_log_wins_and_where_that_is_open_too_the_greater_value() -> None:
    # two partitions may give one document the same time and offset
    first, second = Latest(MORNING, "b", 4), Latest(MORNING, "a", 6)
    tied = Latest(MORNING, {"a": 1}, 6)

    assert merge(second, first) == merge(first, second) == second
    assert merge(second, tied) == merge(tied, second) == tied  # objects come after strings


def test_a_set_tells_true_from_one_and_objects_by_the_order_of_their_fields() -> None:
    members = (1, True, {"a": 1, "b": 2}, {"b": 2, "a": 1}, 1.0)

    assert apply(AddToSet(members)) == [1, True, {"a": 1, "b": 2}, {"b": 2, "a": 1}]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Inc(1), Max(2)),
        (Max(2), Inc(1)),
        (AddToSet(("a",)), Inc(1)),
        (Set(1), Latest(MORNING, 1)),
        (Min(1), Max(1)),
        (UNREAD, Max(1)),
        (Inc(1), IncAbove((1,), "bound")),
        (Set(1), IncAbove((1,), "bound")),
        (IncAbove((1,), "bound"), IncAbove((1,), "other")),
    ],
)
def test_effects_without_a_common_meaning_are_a_bug(a: FieldEffect, b: FieldEffect) -> None:
    with pytest.raises(IncompatibleEffectsError):
        merge(a, b)


def test_a_stamp_gives_each_register_its_place_in_the_log_to_the_millisecond_that_is_stored() -> None:
    change = {"a": Latest(MORNING.replace(microsecond=1999), 1), "b": Latest(MORNING, 1, 7), "c": Inc(1)}

    assert stamp(change, 21) == {
        "a": Latest(MORNING.replace(microsecond=1000), 1, 42),
        "b": Latest(MORNING, 1, 7),
        "c": Inc(1),
    }


def test_right_after_a_change_comes_before_the_next_one() -> None:
    ban, next_ban = (stamp({"ban": Latest(MORNING, name)}, offset)["ban"] for name, offset in (("x", 3), ("y", 4)))
    lifted = Latest(MORNING, "lifted", ban.seq + 1)

    assert reduce(merge, (ban, lifted)) == reduce(merge, (lifted, ban)) == lifted
    assert reduce(merge, (ban, next_ban, lifted)) == reduce(merge, (lifted, next_ban, ban)) == next_ban
