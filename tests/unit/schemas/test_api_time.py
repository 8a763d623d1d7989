"""The APIs' times: wall clock in their zone, aware UTC inside."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.api_time import format_api_time, parse_api_time
from schemas.errors import Refused

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "UTC", "Asia/Kolkata", "America/Phoenix", "Pacific/Kiritimati")]


def test_a_time_is_read_in_the_zone_of_the_api() -> None:
    assert parse_api_time("2026-05-01 08:00:00", SHANGHAI, "t") == datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", [None, ""])
def test_no_time_is_none(text: str | None) -> None:
    assert parse_api_time(text, SHANGHAI, "t") is None


@given(
    st.datetimes(datetime(1996, 1, 1), datetime(8990, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(ZONES),
)
def test_a_time_written_and_read_again_is_the_same_to_the_second(time: datetime, zone: ZoneInfo) -> None:
    assert parse_api_time(format_api_time(time, zone), zone, "t") == time.replace(microsecond=0)


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.[0-9]{2}:[0-9]{2}:[0-9]{2}\s?"), st.sampled_from(ZONES))
def test_any_text_is_read_or_refused_by_the_fields_name(text: str, zone: ZoneInfo) -> None:
    try:
        time = parse_api_time(text, zone, "lockStartTime")
    except Refused as refused:
        told = (refused.reason, str(refused).partition(":")[0])
    else:
        told = None
        assert not text if time is None else time.tzinfo is UTC
    assert told in (None, ("bad_field", "lockStartTime"))


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30 00:00:00",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00 ",
        "2026-1-1 00:00:00",
        "0000-01-01 00:00:00",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59",
        "2026-01-01 24:00:00",
        "\u0662\u0660\u0662\u0666-01-01 00:00:00",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="unlockTime"):
        parse_api_time(text, SHANGHAI, "unlockTime")
