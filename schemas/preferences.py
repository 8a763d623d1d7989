"""Preferences: what a recipient wants pushed, by which channel and when."""

from datetime import time
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from schemas.numbers import Key
from schemas.push import Language, Recipient

Kinds = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=r"^(\*|[^*\0]+(\.\*)?)$")]
"""A kind of event, a family (`detection.*`), or `*` for all."""


class QuietHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `start` to `end` of each day, by the recipient's zone; over midnight where `end` is earlier."""

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError("quiet hours are local times, without a zone")
        if self.start == self.end:
            raise ValueError("quiet hours that begin when they end would never or always be quiet")


class ChannelRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pushes of these kinds go by these channels only; the inbox always. The first rule that fits counts."""

    kinds: Kinds
    channels: tuple[Key, ...]


class Preferences(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    recipient: Recipient
    language: Language = "en"
    timezone: str = "UTC"
    email: Key | None = None
    """Address to which pushes go by the channel `email`."""
    quiet_hours: QuietHours | None = None
    """What would leave in them waits for their end."""
    digest_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] | None = None
    """Pushes of so many minutes leave together, one message per channel and target."""
    rules: Annotated[tuple[ChannelRule, ...], msgspec.Meta(max_length=100)] = ()

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"no time zone named {self.timezone!r}") from None


def fits(kinds: str, kind: str) -> bool:
    """Whether `kind` is one of `kinds`."""
    return kinds in ("*", kind) or (kinds.endswith(".*") and kind.startswith(kinds[:-1]))
