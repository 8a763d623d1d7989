"""The place at which a list goes on that is ordered by time, and by id where times are equal."""

from datetime import datetime

import msgspec

from schemas.cloudevents import format_time, parse_time


class Cursor(msgspec.Struct, frozen=True):
    """What a page begins behind; it need not be there any more."""

    at: datetime
    id: str

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Raises ValueError for what `str` of none gives."""
        at, separator, name = text.partition("~")
        if not separator or not name:
            raise ValueError("not a place in a list")
        return cls(parse_time(at), name)

    def __str__(self) -> str:
        return f"{format_time(self.at)}~{self.id}"
