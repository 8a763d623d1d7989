"""Attributes and tags of users, and who is chosen by them."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.im.pushes import selected_by_attrs, selected_by_tags
from handlers.im.labels import NOBODYS, Labels, adding, both, removing, setting, unsetting, without_tags
from schemas.im.codes import Failed
from schemas.im.pushes import Condition

APP = "1400000001"
NAMES = {"0": "sex", "1": "city", "9": "tier/level"}
PLACES = {name: place for place, name in NAMES.items()}
VALUES = ("a", "b", "a/b", "", "0")
TAGS = ("a", "b", "c", "a/b", "a%2Fb", "股票", "0/a")

_tags = st.lists(st.sampled_from(TAGS), max_size=4)
_attrs = st.dictionaries(st.sampled_from(tuple(PLACES)), st.sampled_from(VALUES), max_size=3)
_changes = st.lists(
    st.one_of(
        st.tuples(st.just("add"), _tags),
        st.tuples(st.just("remove"), _tags),
        st.tuples(st.just("remove all"), st.just(())),
        st.tuples(st.just("set"), _attrs),
        st.tuples(st.just("unset"), st.lists(st.sampled_from(tuple(PLACES)), max_size=2)),
    ),
    max_size=8,
)


class User:
    """What a user has, in the plainest words."""

    def __init__(self) -> None:
        self.tags: list[str] = []
        self.attrs: dict[str, str] = {}

    def change(self, what: str, given: Any) -> None:
        match what:
            case "add":
                self.tags += [tag for tag in dict.fromkeys(given) if tag not in self.tags]
            case "remove":
                self.tags = [tag for tag in self.tags if tag not in given]
            case "remove all":
                self.tags = []
            case "set":
                self.attrs |= given
            case "unset":
                self.attrs = {name: value for name, value in self.attrs.items() if name not in given}


def changed(labels: Labels, what: str, given: Any) -> Labels:
    change = {
        "add": adding,
        "remove": removing,
        "remove all": lambda _: without_tags,
        "set": lambda attrs: setting({PLACES[name]: value for name, value in attrs.items()}),
        "unset": lambda names: unsetting(PLACES[name] for name in names),
    }[what](given)
    after = change(labels)
    assert change(after) == both(change, change)(labels) == after, "done twice it is done once"
    return after


def built(changes: list[tuple[str, Any]]) -> tuple[User, Labels]:
    user, labels = User(), NOBODYS
    for change in changes:
        user.change(*change)
        labels = changed(labels, *change)
    return user, labels


@given(_changes)
def test_labels_are_what_was_added_and_not_removed(changes: list[tuple[str, Any]]) -> None:
    user, labels = built(changes)

    assert list(labels.tags) == user.tags
    assert {NAMES[place]: value for place, value in labels.values.items()} == user.attrs


@given(_changes, st.sets(st.sampled_from(TAGS)), st.sets(st.sampled_from(TAGS)))
def test_a_condition_on_tags_takes_whom_the_manual_says(
    changes: list[tuple[str, Any]], either: set[str], every: set[str]
) -> None:
    every -= either
    if not either | every:
        return
    user, labels = built(changes)
    condition = Condition(tags_or=tuple(either) or None, tags_and=tuple(every) or None)

    takes = selected_by_tags(APP, condition).takes(labels.tokens(APP))

    some = any(tag in user.tags for tag in either) if either else True
    assert takes == (some and all(tag in user.tags for tag in every))
    assert not selected_by_tags("7", condition).takes(labels.tokens(APP)), "of another app"


@given(_changes, _attrs, _attrs)
def test_a_condition_on_attributes_takes_whom_the_manual_says(
    changes: list[tuple[str, Any]], either: Mapping[str, str], every: Mapping[str, str]
) -> None:
    if not either and not every:
        return
    user, labels = built(changes)
    condition = Condition(attrs_or=either or None, attrs_and=every or None)

    takes = selected_by_attrs(APP, condition, NAMES).takes(labels.tokens(APP))

    has = user.attrs.items()
    assert takes == ((not either or bool(either.items() & has)) and every.items() <= has)


def test_a_user_has_a_hundred_tags_at_most() -> None:
    full = adding(str(number) for number in range(100))(NOBODYS)

    assert adding(["0", "99"])(full) == full
    with pytest.raises(Failed) as refused:
        adding(["new"])(full)
    assert refused.value.code == 90046
    assert len(both(removing(["0"]), adding(["new"]))(full).tags) == 100


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (Condition(tags_or=("a",), tags_and=("b", "a")), 90022),
        (Condition(tags_or=("",)), 90040),
        (Condition(tags_or=("张" * 17,)), 90020),  # 51 bytes
        (Condition(tags_and=tuple(map(str, range(11)))), 90032),
        (Condition(tags_and=()), 90010),
    ],
)
def test_a_condition_on_tags_may_be_refused(condition: Condition, code: int) -> None:
    with pytest.raises(Failed) as refused:
        selected_by_tags(APP, condition)
    assert refused.value.code == code


@pytest.mark.parametrize("attrs", [{}, [], "city", {"town": "a"}, {"city": 1}, {"city": "x" * 51}, {"city": None}])
def test_a_condition_on_attributes_may_be_refused(attrs: Any) -> None:
    with pytest.raises(Failed) as refused:
        selected_by_attrs(APP, Condition(attrs_or=attrs), NAMES)
    assert refused.value.code == 90033
