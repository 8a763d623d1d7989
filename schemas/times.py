"""Times in payloads: aware, and inside what both Python and MongoDB can move between zones.

A datetime at either end of the calendar overflows when it is moved to another
zone, so a payload that carries one is refused where it is decoded.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MILLISECOND = timedelta(milliseconds=1)


def unix_milliseconds(time: datetime) -> int:
    """Whole milliseconds since 1970, cut. Not by way of a float, in which x.001 s may be x.000999: an id made of
    it would then not be the one that is made of the same time as the store gives it back."""
    return (time - EPOCH) // _MILLISECOND


Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A struct with such a field calls `check_instants` in its `__post_init__`: msgspec cannot bound a time."""


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """A payload that carries times: the one base there is, so that none forgets to look at them."""

    def __post_init__(self) -> None:
        check_instants(self)


def check_instants(payload: msgspec.Struct) -> None:
    """Raise ValueError, naming the field, where a time lies outside the years 1900 to 9000."""
    for field in payload.__struct_fields__:
        value = getattr(payload, field)
        if isinstance(value, datetime) and not EARLIEST <= value < LATEST:
            raise ValueError(f"{field}: a time between {EARLIEST.year} and {LATEST.year} is expected")
