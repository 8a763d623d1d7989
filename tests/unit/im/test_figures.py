"""Days of getappinfo, what the job that counts them looks at, and what a day's answer says."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.im.figures import values
from schemas.im.figures import Day, Name, day_name, day_of, last_days, parse_day
from schemas.im.history_files import HOUR, SETTLED
from stores.im.figures import Figures
from workers.jobs.kinds.im_figures import OVERLAP, Place, look_at

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = day_of(NOW)


@pytest.mark.parametrize(
    ("at", "name"),
    [
        (datetime(2026, 3, 1, 15, 59, 59, tzinfo=UTC), "20260301"),
        (datetime(2026, 3, 1, 16, tzinfo=UTC), "20260302"),  # midnight in UTC+8
        (datetime(2026, 2, 28, 16, tzinfo=UTC), "20260301"),
    ],
)
def test_a_day_is_one_of_utc_plus_8(at: datetime, name: str) -> None:
    assert day_name(at) == str(day_of(at)) == name
    assert day_of(at).start <= at < day_of(at).end
    assert parse_day(name) == day_of(at)


def test_the_days_that_are_told_of_are_30_and_today_is_the_first() -> None:
    days = list(last_days(NOW))

    assert (len(days), days[0], str(days[-1])) == (30, TODAY, "20260131")
    assert days == sorted(days, reverse=True)


@pytest.mark.parametrize("text", ["", "2026030", "20260230", "202603011", "yesterday"])
def test_what_is_no_day_is_none(text: str) -> None:
    assert parse_day(text) is None


def test_every_field_of_the_contract_has_a_value_and_all_are_texts() -> None:
    told = values("1400000001", "App", "Company", TODAY, Figures(messages=7, registered=2, registered_before=40))

    assert told.keys() == set(get_args(Name))
    assert (told["UpMsgNum"], told["C2CUpMsgNum"], told["RegistUserNumTotal"]) == ("7", "7", "42")
    assert {told[name] for name in told if name.startswith("Group")} == {"0"}
    assert (told["AppName"], told["AppId"], told["Company"], told["Date"]) == (
        "App",
        "1400000001",
        "Company",
        "20260301",
    )


def walk(day: Day, started: datetime, pauses: list[timedelta]) -> list[tuple[Place, datetime, datetime]]:
    """All that the job looks at, step by step, from a start to its end."""
    place, now, steps = Place(looked_to=day.start), started, []
    waits = iter(pauses)
    while len(steps) < 10_000:
        place, first, before = look_at(place, day, now)
        steps.append((place, first, before))
        if place.last_pass and before == day.end:
            return steps
        now += next(waits, timedelta(minutes=1))
    raise AssertionError("it never ends")


@given(
    started=st.integers(0, 50 * 60),
    pauses=st.lists(st.integers(0, 600).map(lambda minutes: timedelta(minutes=minutes)), max_size=30),
)
def test_whenever_it_runs_all_of_the_day_is_looked_at_after_it_has_settled(
    started: int, pauses: list[timedelta]
) -> None:
    steps = walk(TODAY, TODAY.start + timedelta(minutes=started), pauses)

    last = [(first, before) for place, first, before in steps if place.last_pass]
    assert last[0][0] == TODAY.start
    assert last[-1][1] == TODAY.end
    assert all(before == first for (_, before), (first, _) in pairwise(last))
    assert all(timedelta(0) <= before - first <= HOUR + OVERLAP for _, first, before in steps)


def test_while_the_day_lasts_it_looks_at_what_came_since_and_somewhat_before() -> None:
    place, first, before = look_at(Place(looked_to=NOW - timedelta(minutes=1)), TODAY, NOW)

    assert (first, before) == (NOW - timedelta(minutes=1) - OVERLAP, NOW)
    assert place == Place(looked_to=NOW)


def test_the_last_pass_begins_when_the_day_has_settled_and_not_before() -> None:
    done = Place(looked_to=TODAY.end)

    place, _, before = look_at(done, TODAY, TODAY.end + SETTLED - timedelta(seconds=1))
    assert (place.last_pass, before) == (False, TODAY.end)
    place, first, before = look_at(done, TODAY, TODAY.end + SETTLED)
    assert (place.last_pass, first, before) == (True, TODAY.start, TODAY.start + HOUR)
