from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from handlers.retries import after_attempt, next_attempt
from schemas.delivery import State

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEDULE = (5.0, 300.0, 1800.0)
MIDDLE = 0.5
"""The chance that leaves a wait as it stands in the schedule."""


def test_each_failure_waits_longer_and_the_last_one_is_given_up() -> None:
    waits = [next_attempt(SCHEDULE, failures, NOW, MIDDLE) for failures in range(4)]

    assert waits == [NOW + timedelta(seconds=5), NOW + timedelta(minutes=5), NOW + timedelta(minutes=30), None]
    given_up = after_attempt("retry", 3, SCHEDULE, NOW, chance=MIDDLE)
    assert (given_up.state, given_up.reason) == (State.DEAD, "exhausted")


def test_what_will_never_be_taken_is_given_up_at_once() -> None:
    for came in ("refused", "gone"):
        follows = after_attempt(came, 0, SCHEDULE, NOW, chance=MIDDLE)
        assert (follows.state, follows.due_at, follows.reason) == (State.DEAD, None, came)


def test_a_receiver_may_ask_for_more_time_but_not_for_ever() -> None:
    asked = [next_attempt(SCHEDULE, 0, NOW, MIDDLE, retry_after_seconds=seconds) for seconds in (1.0, 60.0, 10.0**9)]

    # Less than the schedule's own wait changes nothing; more than its longest is cut.
    assert asked == [NOW + timedelta(seconds=seconds) for seconds in (5, 60, 1800)]


@given(st.integers(0, 2), st.floats(0, 1), st.none() | st.floats(0, 10**9))
def test_a_wait_stays_within_a_tenth_of_its_place_or_what_was_asked(
    failures: int, chance: float, retry_after: float | None
) -> None:
    due = next_attempt(SCHEDULE, failures, NOW, chance, retry_after)

    assert due is not None
    wait = (due - NOW).total_seconds()
    assert wait >= 0.9 * SCHEDULE[failures] - 1e-6
    assert wait <= max(1.1 * SCHEDULE[failures], min(retry_after or 0.0, SCHEDULE[-1])) + 1e-6
