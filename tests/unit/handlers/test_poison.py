from hypothesis import given
from hypothesis import strategies as st

from handlers.poison import PoisonGauge

X, o = True, False


def trips_at(seen: list[bool], *, run: int, window: int, share: float) -> int | None:
    gauge = PoisonGauge(run=run, window=window, share=share)
    return next((index for index, poisoned in enumerate(seen) if gauge.observe(poisoned)), None)


def test_so_many_in_a_row_trip_it() -> None:
    assert trips_at([X, X, o, X, X, X], run=3, window=100, share=1.0) == 5


def test_a_sound_event_ends_a_run() -> None:
    assert trips_at([X, X, o, X, X, o] * 50, run=3, window=1000, share=1.0) is None


def test_a_share_counts_once_the_window_is_full() -> None:
    assert trips_at([X, o, X, o, X, X], run=9, window=4, share=0.5) == 3  # 2 of 4


def test_what_has_left_the_window_no_longer_counts() -> None:
    # the windows of four hold 1, 1, 1, 1, 1 and then 2
    assert trips_at([X, o, o, o, X, o, o, X], run=9, window=4, share=0.5) == 7


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 6), st.integers(1, 8), st.sampled_from([0.25, 0.5, 1.0]))
def test_it_trips_exactly_where_the_definition_says(seen: list[bool], run: int, window: int, share: float) -> None:
    def past(index: int) -> bool:
        last = seen[: index + 1]
        in_a_row = len(last) >= run and all(last[-run:])
        return in_a_row or (len(last) >= window and sum(last[-window:]) >= share * window)

    assert trips_at(seen, run=run, window=window, share=share) == next(filter(past, range(len(seen))), None)
