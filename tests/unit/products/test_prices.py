"""Prices of a grant through time: what is in force when, whatever was planned and taken back."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from handlers.products.prices import (
    EVER,
    NOTICE,
    History,
    Price,
    Terms,
    change_in,
    effect_time,
    granted,
    in_force,
    may_take_back,
    take_back,
    upcoming,
    with_price,
    withdrawn,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def fee_at(history: History, at: datetime) -> int | None:
    price = in_force(history, at)
    return None if price is None else price.terms.fee_micro


def priced(*fees: tuple[int, datetime]) -> History:
    """A grant that cost 1 at first."""
    history = granted((), Terms(1), NOW)
    for change, (fee, since) in enumerate(fees, 1):
        history = with_price(history, Price(since, Terms(fee), change))
    return history


def test_the_first_price_holds_for_calls_that_came_before_the_grant() -> None:
    assert fee_at(priced(), EVER) == 1
    assert fee_at((), NOW) is None


def test_a_planned_price_holds_from_its_time_on() -> None:
    history = priced((2, NOW + HOUR))

    assert fee_at(history, NOW + HOUR - timedelta(milliseconds=1)) == 1
    assert fee_at(history, NOW + HOUR) == 2


def test_of_two_prices_from_the_same_moment_the_later_counts() -> None:
    assert fee_at(priced((2, NOW), (3, NOW)), NOW) == 3


def test_a_price_planned_later_for_an_earlier_time_holds_until_the_other() -> None:
    history = priced((3, NOW + 2 * HOUR), (2, NOW + HOUR))

    assert [fee_at(history, NOW + hours * HOUR) for hours in range(3)] == [1, 2, 3]


def test_what_is_taken_back_never_holds_and_cannot_come_again() -> None:
    history = take_back(priced((2, NOW + HOUR)), [1], NOW)

    assert fee_at(history, NOW + HOUR) == 1
    assert upcoming(history, NOW) == []
    assert with_price(history, Price(NOW + HOUR, Terms(2), 1)) == history


def test_a_price_that_holds_cannot_be_taken_back() -> None:
    history = priced((2, NOW))

    assert take_back(history, [1], NOW) == history


def test_a_change_that_is_there_is_not_added_again() -> None:
    history = priced((2, NOW + HOUR))

    assert with_price(history, Price(NOW + 2 * HOUR, Terms(9), 1)) == history
    assert change_in(history, 1) == Price(NOW + HOUR, Terms(2), 1)


def test_a_change_at_once_holds_a_moment_later_so_that_whoever_rates_has_seen_it() -> None:
    assert effect_time(None, NOW) == NOW + NOTICE
    assert effect_time(NOW - HOUR, NOW) == NOW + NOTICE
    assert effect_time(NOW + HOUR, NOW) == NOW + HOUR


def test_times_are_as_they_are_stored_to_the_millisecond() -> None:
    assert effect_time(None, NOW.replace(microsecond=1_999)).microsecond == 1_000


def test_a_grant_that_is_deleted_has_no_price_and_nothing_planned() -> None:
    history = withdrawn(priced((2, NOW + HOUR)), NOW)

    assert fee_at(history, NOW) == 1
    assert fee_at(history, NOW + NOTICE) is None
    assert fee_at(history, NOW + 2 * HOUR) is None


def test_a_grant_that_comes_again_goes_on_with_its_history() -> None:
    history = granted(withdrawn(priced(), NOW), Terms(5), NOW + HOUR)

    assert fee_at(history, NOW) == 1
    assert fee_at(history, NOW + HOUR) is None
    assert fee_at(history, NOW + HOUR + NOTICE) == 5


def test_what_is_about_to_hold_is_too_late_to_take_back() -> None:
    assert may_take_back(NOW + HOUR, NOW)
    assert not may_take_back(NOW + timedelta(seconds=5), NOW)


# ---- any sequence of changes ----------------------------------------------------------------------------------------


class Planned(msgspec.Struct):
    """What a naive model knows of a change: in the order in which they were made."""

    since: int
    fee: int
    cancelled: bool = False


def naive_fee(made: list[Planned], at: int) -> int:
    """Of all that hold by then, the one from the latest time; of those the last that was made."""
    holding = [change for change in made if change.since <= at and not change.cancelled]
    return max(enumerate(holding), key=lambda one: (one[1].since, one[0]))[1].fee if holding else 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["adjust", "plan", "cancel", "repeat"]),
        st.integers(1, 50),  # seconds that pass before it
        st.integers(1, 100),  # a time ahead, a fee, or which change: as the step needs it
    ),
    max_size=25,
)


@given(STEPS, st.integers(0, 1500))
def test_any_sequence_of_changes_gives_the_price_that_a_naive_model_says(
    steps: list[tuple[str, int, int]], asked: int
) -> None:
    history, made, seconds = granted((), Terms(1), NOW), list[Planned](), 0
    for kind, passed, number in steps:
        seconds += passed
        now = NOW + timedelta(seconds=seconds)
        if kind in ("cancel", "repeat"):
            if not made:
                continue
            change = number % len(made)
            known = made[change]
            if kind == "repeat":
                history = with_price(history, Price(now + HOUR, Terms(0), change))
            else:
                history = take_back(history, [change], now)
                known.cancelled = known.cancelled or known.since > seconds
            continue
        since = effect_time(now + timedelta(seconds=number) if kind == "plan" else None, now)
        history = with_price(history, Price(since, Terms(100 + len(made)), len(made)))
        made.append(Planned(since=seconds + (number if kind == "plan" else 1), fee=100 + len(made)))

    assert fee_at(history, NOW + timedelta(seconds=asked)) == naive_fee(made, asked)
    assert list(history) == sorted(history, key=lambda price: price.since)


@given(STEPS)
def test_no_change_touches_a_price_that_was_in_force(steps: list[tuple[str, int, int]]) -> None:
    history, seconds = granted((), Terms(1), NOW), 0
    for change, (kind, passed, number) in enumerate(steps):
        seconds += passed
        now = NOW + timedelta(seconds=seconds)
        so_far = [fee_at(history, NOW + timedelta(seconds=second)) for second in range(0, seconds + 1, 7)]
        if kind == "cancel":
            history = take_back(history, [number % (change + 1)], now)
        elif kind == "repeat":
            history = withdrawn(history, now)
        else:
            planned = now + timedelta(seconds=number) if kind == "plan" else None
            history = with_price(history, Price(effect_time(planned, now), Terms(change), change))

        assert [fee_at(history, NOW + timedelta(seconds=second)) for second in range(0, seconds + 1, 7)] == so_far
