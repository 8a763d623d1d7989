from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.quiet import not_before, quiet_until
from schemas.preferences import Preferences, QuietHours

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(start=time(22), end=time(7))
NOON = QuietHours(start=time(12), end=time(13, 30))


def at(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (NIGHT, "2026-03-05 23:10", "2026-03-06 07:00"),
        (NIGHT, "2026-03-06 03:00", "2026-03-06 07:00"),
        (NIGHT, "2026-03-06 22:00", "2026-03-07 07:00"),  # from the first minute
        (NIGHT, "2026-03-06 07:00", None),  # and no longer than they last
        (NIGHT, "2026-03-06 21:59", None),
        (NOON, "2026-03-06 12:30", "2026-03-06 13:30"),
        (NOON, "2026-03-06 11:59", None),
    ],
)
def test_quiet_hours_are_the_recipients_own(quiet: QuietHours, now: str, until: str | None) -> None:
    expected = None if until is None else at(until, SHANGHAI)

    assert quiet_until(quiet, SHANGHAI, at(now, SHANGHAI)) == expected


def test_the_night_the_clocks_go_forward_is_an_hour_shorter() -> None:
    asked_at = at("2026-03-28 23:00", BERLIN)

    until = quiet_until(NIGHT, BERLIN, asked_at)

    assert until is not None
    assert until - asked_at == timedelta(hours=7)


def test_a_digest_leaves_at_the_end_of_its_window() -> None:
    preferences = Preferences(recipient="user/1", digest_minutes=15)

    leaves = [
        not_before(preferences, datetime(2026, 3, 6, 9, minute, second, tzinfo=UTC))
        for minute, second in ((0, 0), (7, 30), (14, 59), (15, 0))
    ]

    quarter, half = datetime(2026, 3, 6, 9, 15, tzinfo=UTC), datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
    assert leaves == [quarter, quarter, quarter, half]


def test_a_digest_that_would_leave_in_the_night_leaves_in_the_morning_with_all_of_that_night() -> None:
    preferences = Preferences(recipient="user/1", timezone="Asia/Shanghai", quiet_hours=NIGHT, digest_minutes=30)

    leaves = {
        not_before(preferences, at(now, SHANGHAI))
        for now in ("2026-03-05 21:45", "2026-03-05 22:15", "2026-03-06 03:10", "2026-03-06 06:20")
    }

    assert leaves == {at("2026-03-06 07:00", SHANGHAI)}


def test_without_wishes_a_push_leaves_at_once() -> None:
    assert not_before(Preferences(recipient="user/1"), datetime.now(UTC)) is None


times = st.times(timezones=st.none())
moments = st.integers(1_577_836_800, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(times, times, st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York"]), moments)
def test_what_waits_leaves_after_now_and_outside_the_quiet_hours(
    start: time, end: time, zone: str, now: datetime
) -> None:
    if start == end:
        return
    preferences = Preferences(recipient="user/1", timezone=zone, quiet_hours=QuietHours(start=start, end=end))

    leaves = not_before(preferences, now)

    if leaves is not None:
        assert now < leaves <= now + timedelta(hours=26)
        assert not_before(preferences, leaves) is None
