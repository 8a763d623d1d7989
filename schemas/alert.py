"""Error alerts as they travel: raised once an episode, closed when it is over."""

from typing import Annotated

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import Count, Int64, Key, Text
from schemas.push import Recipient
from schemas.times import Instant, Timed

Episode = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class AlertRaised(Timed, frozen=True, kw_only=True):
    """Calls of a customer's account to a product fail more often than the customer's rule allows."""

    merchant_id: Int64
    dept_id: Int64
    item: Key
    product: Text
    """Its name, for people."""
    episode: Episode
    """Counts the episodes of this account and product."""
    errors: Count
    """Failures in the period before `raised_at`."""
    error_count: Count
    """So many raise an alert, by the rule."""
    period_seconds: Count
    raised_at: Instant
    recipients: tuple[Recipient, ...]
    """Whom to tell."""


class AlertClosed(Timed, frozen=True, kw_only=True):
    """An episode is over: fewer than half as many failures as raise an alert were left in the period."""

    merchant_id: Int64
    dept_id: Int64
    item: Key
    product: Text
    episode: Episode
    raised_at: Instant
    closed_at: Instant
    recipients: tuple[Recipient, ...]


EVENT_TYPES = (
    EventType("alert.raised", AlertRaised, "Calls fail more often than the customer's rule allows", internal=True),
    EventType("alert.closed", AlertClosed, "An episode of failing calls is over", internal=True),
)
