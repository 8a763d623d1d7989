"""What the Apprise channel and its helper process say to each other, one JSON object a line."""

from typing import Literal

import msgspec


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one Apprise URL."""

    id: int
    url: str
    title: str
    body: str
    severity: str
    """Apprise's word for it: info, warning or failure."""
    seconds: float
    """After which it is ended, whatever it does."""
    allowed: tuple[str, ...]
    """Networks it may reach besides public ones."""


class Outcome(msgspec.Struct, frozen=True):
    id: int
    came: Literal["delivered", "retry", "refused"]
    response: str | None = None
