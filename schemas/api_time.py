"""The APIs' times, `yyyy-MM-dd HH:mm:ss` without a zone: aware UTC inside, their zone at the edge."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from schemas.errors import Refused
from schemas.times import EARLIEST, LATEST

_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


def parse_api_time(text: str | None, zone: ZoneInfo, field: str) -> datetime | None:
    """The instant, or None where the text is missing or empty. Raises Refused that names the field."""
    if not text:
        return None
    if not _SHAPE.fullmatch(text):
        raise Refused("bad_field", f"{field}: a time is written yyyy-MM-dd HH:mm:ss")
    try:
        local = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused("bad_field", f"{field}: {error}") from error
    if not EARLIEST.year < local.year < LATEST.year:
        raise Refused("bad_field", f"{field}: a year after {EARLIEST.year} and before {LATEST.year} is expected")
    return local.replace(tzinfo=zone).astimezone(UTC)


def format_api_time(time: datetime, zone: ZoneInfo) -> str:
    """The wall clock in that zone, cut to the second."""
    return time.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
