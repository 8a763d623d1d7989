"""Which secrets an endpoint has after a rotation."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from stores.endpoints import MOST_SECRETS, Kept, rotated

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_the_newest_signs_for_good_and_the_one_before_it_for_as_long_as_was_asked() -> None:
    assert rotated([Kept("a")], "b", NOW + DAY, NOW) == [Kept("b"), Kept("a", NOW + DAY)]


def test_one_that_was_to_end_earlier_still_does() -> None:
    kept = [Kept("b"), Kept("a", NOW + DAY)]

    assert rotated(kept, "c", NOW + 2 * DAY, NOW) == [Kept("c"), Kept("b", NOW + 2 * DAY), Kept("a", NOW + DAY)]


def test_without_grace_all_former_ones_end_at_once() -> None:
    assert rotated([Kept("b"), Kept("a", NOW + DAY)], "c", NOW, NOW) == [Kept("c")]


def test_one_whose_time_is_over_is_dropped() -> None:
    assert rotated([Kept("b"), Kept("a", NOW)], "c", NOW + DAY, NOW) == [Kept("c"), Kept("b", NOW + DAY)]


@given(
    graces=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=20)  # seconds since the last, grace
)
def test_however_often_it_is_rotated_there_are_few_secrets_and_one_without_an_end(
    graces: list[tuple[int, int]],
) -> None:
    now, kept = NOW, [Kept("0")]
    for number, (later, grace) in enumerate(graces, start=1):
        now += timedelta(seconds=later)
        kept = rotated(kept, str(number), now + timedelta(seconds=grace), now)

        assert kept[0] == Kept(str(number))
        assert len(kept) <= MOST_SECRETS
        assert all(each.until is not None and each.until > now for each in kept[1:])
        assert [int(each.value) for each in kept] == sorted((int(each.value) for each in kept), reverse=True)
