"""Extensions of a message: pairs, their numbers, and what is told of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.im.extensions import NONE, Extensions, clear_pairs, delete_pairs, set_pairs, shown
from schemas.im.codes import Failed
from schemas.im.extensions import GivenPair, Pair

KEYS = tuple("abcd")


def given_pairs(*pairs: tuple[str, str] | tuple[str, str, int]) -> list[GivenPair]:
    return [GivenPair(key=pair[0], value=pair[1], seq=pair[2] if len(pair) > 2 else 0) for pair in pairs]


def plain(results: Any) -> list[tuple[int, str, str, int]]:
    return [(each.error_code, each.extension.key, each.extension.value, each.extension.seq) for each in results]


def test_what_one_call_sets_has_one_number() -> None:
    first, results = set_pairs(NONE, given_pairs(("k1", "v1"), ("k2", "v2")))
    then, _ = set_pairs(first, given_pairs(("k3", "v3")))

    assert plain(results) == [(0, "k1", "v1", 1), (0, "k2", "v2", 1)]
    assert [(pair.key, pair.seq) for pair in shown(then, 0)[0]] == [("k1", 1), ("k2", 1), ("k3", 2)]
    assert [pair.key for pair in shown(then, 2)[0]] == ["k3"]
    assert then.latest == 2


def test_who_knows_an_older_pair_is_given_the_current_one_and_the_others_succeed() -> None:
    now, _ = set_pairs(NONE, given_pairs(("a", "1"), ("b", "1")))
    now, _ = set_pairs(now, given_pairs(("b", "2")))

    now, results = set_pairs(now, given_pairs(("a", "3", 1), ("b", "3", 1), ("c", "3", 9), ("d", "3")))

    assert plain(results) == [(0, "a", "3", 3), (23001, "b", "2", 2), (23001, "c", "", 0), (0, "d", "3", 3)]
    assert {pair.key: pair.value for pair in now.pairs} == {"a": "3", "b": "2", "d": "3"}


def test_a_call_that_changed_nothing_uses_up_no_number() -> None:
    now, _ = set_pairs(NONE, given_pairs(("a", "1")))

    assert set_pairs(now, given_pairs(("a", "2", 7)))[0] == now
    unchanged, results = delete_pairs(now, given_pairs(("b", ""), ("a", "", 5)))
    assert unchanged == now
    assert plain(results) == [(23004, "b", "", 0), (23001, "a", "1", 1)]


def test_a_clearing_is_told_by_its_number() -> None:
    now, _ = set_pairs(NONE, given_pairs(("a", "1")))
    now, results = clear_pairs(now)
    assert (shown(now, 0), now.cleared, now.latest, results) == (((), True), 2, 2, ())

    now, _ = set_pairs(now, given_pairs(("a", "again")))
    assert [pair.seq for pair in now.pairs] == [3]


def test_of_too_many_pairs_none_is_set() -> None:
    full = Extensions(pairs=tuple(Pair(key=str(number), value="", seq=1) for number in range(300)), latest=1)

    with pytest.raises(Failed) as refused:
        set_pairs(full, given_pairs(("0", "changed"), ("new", "")))
    assert refused.value.code == 23002
    assert len(set_pairs(full, given_pairs(("0", "changed")))[0].pairs) == 300


def test_a_message_takes_two_hundred_calls_a_minute() -> None:
    now = NONE
    for _ in range(200):
        now = now.counted(7)
    for minute in (7, 6):  # a clock that is behind gives no second minute
        with pytest.raises(Failed) as refused:
            now.counted(minute)
        assert refused.value.code == 23003
    assert now.counted(8).changes == 1


_calls = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.lists(st.tuples(st.sampled_from(KEYS), st.text("xy")), min_size=1, max_size=3)),
        st.tuples(st.just("delete"), st.lists(st.tuples(st.sampled_from(KEYS), st.just("")), min_size=1, max_size=2)),
        st.tuples(st.just("clear"), st.just([])),
    ),
    max_size=20,
)


@given(_calls)
def test_pairs_are_what_a_dict_says_and_who_keeps_up_by_numbers_sees_the_same(calls: Any) -> None:
    now, model = NONE, dict[str, str]()
    seen, seen_up_to = dict[str, tuple[str, int]](), 0
    for what, pairs in calls:
        unique = dict(pairs)
        asked = given_pairs(*unique.items())
        if what == "set":
            now, _ = set_pairs(now, asked)
            model |= unique
        elif what == "delete":
            now, _ = delete_pairs(now, asked)
            for key in unique:
                model.pop(key, None)
                seen.pop(key, None)  # of a deletion the numbers tell nothing
        else:
            now, _ = clear_pairs(now)
            model.clear()

        assert {pair.key: pair.value for pair in now.pairs} == model
        news, complete = shown(now, seen_up_to + 1)
        seen = {key: known for key, known in seen.items() if known[1] > now.cleared}
        seen |= {pair.key: (pair.value, pair.seq) for pair in news}
        seen_up_to = now.latest
        assert complete
        assert {key: value for key, (value, _) in seen.items()} == model


def test_a_long_list_is_told_in_pages_that_miss_nothing() -> None:
    now = NONE
    for call in range(15):
        now, _ = set_pairs(now, given_pairs(*((f"{call}-{number}", "") for number in range(20))))
    for step in (0, 1):
        found, start, complete = list[str](), 0, False
        while not complete:
            page, complete = shown(now, start)
            assert 0 < len(page) <= 200
            found += [pair.key for pair in page]
            start = page[-1].seq + step
        assert set(found) == {pair.key for pair in now.pairs}
