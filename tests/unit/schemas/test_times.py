"""Times as numbers."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import to_millisecond
from schemas.times import EARLIEST, LATEST, unix_milliseconds

_NAIVE = {"min_value": EARLIEST.replace(tzinfo=None), "max_value": LATEST.replace(tzinfo=None)}


@given(st.datetimes(**_NAIVE, timezones=st.just(UTC)))
def test_a_time_and_what_the_store_keeps_of_it_are_the_same_milliseconds(time: datetime) -> None:
    kept = to_millisecond(time)

    assert unix_milliseconds(time) == unix_milliseconds(kept)
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=unix_milliseconds(time)) == kept
