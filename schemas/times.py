"""Times in payloads: aware, and inside what both Python and MongoDB can move between zones.

A datetime at either end of the calendar overflows when it is moved to another
zone, so a payload that carries one is refused where it is decoded.
"""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)

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
