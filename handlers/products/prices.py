"""The prices of one grant through time: a change appends, and what was in force stays as it was.

A change that is planned is part of the history from the moment it is planned, with the
time from which it holds; so whoever rates a call at its own time finds the right price,
however late anybody marks the change as executed. Until it holds it may be taken back.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum

import msgspec

EVER = datetime(2000, 1, 1, tzinfo=UTC)
"""From when the first price of a grant holds: there was none before that it could rewrite,
and calls that came before the grant was recorded can be rated after all."""

NOTICE = timedelta(seconds=1)
"""A change takes effect so much after it is written: who rates a later call has read it by then."""

LAST_CALL = timedelta(seconds=5)
"""So long before it holds a change can be taken back: it must be gone from all grants before its time."""


class FeeType(IntEnum):
    """Billing basis (contract, FeeType)."""

    QUERY = 10
    HIT = 20


class ChargeType(IntEnum):
    """How a bundle is priced (contract, ChargeType)."""

    SUB_ITEMS = 10
    """By the sub-products that were called, each at its own fee."""
    FLAT = 20


class Terms(msgspec.Struct, frozen=True):
    """What a call costs. Fees are micro-units of yuan."""

    fee_micro: int
    fee_type: int = FeeType.QUERY
    charge_type: int = ChargeType.FLAT
    fee_detail: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Fee of each sub-product of a bundle, by its code."""


class Price(msgspec.Struct, frozen=True):
    """Terms and from when they hold. `change` is the adjustment that set them; None for the grant itself."""

    since: datetime
    terms: Terms
    change: int | None = None


History = tuple[Price, ...]
"""Ascending by `since`; of two that hold from the same moment the later one counts."""


def in_force(history: Sequence[Price], at: datetime) -> Price | None:
    """The price of a call at that moment."""
    return next((price for price in reversed(history) if price.since <= at), None)


def upcoming(history: Sequence[Price], now: datetime) -> Price | None:
    """The next price that is planned."""
    return next((price for price in history if price.since > now), None)


def effect_time(planned: datetime | None, now: datetime) -> datetime:
    """From when a change holds that is written now: never from the past. To the millisecond, as it is stored."""
    soonest = now + NOTICE
    since = soonest if planned is None else max(planned, soonest)
    return since.replace(microsecond=since.microsecond // 1000 * 1000)


def with_price(history: History, price: Price) -> History:
    """The history with one more price. A change that is in it already leaves it as it is."""
    if price.change is not None and change_in(history, price.change) is not None:
        return history
    place = next((i for i, other in enumerate(history) if other.since > price.since), len(history))
    return (*history[:place], price, *history[place:])


def change_in(history: Sequence[Price], change: int) -> Price | None:
    return next((price for price in history if price.change == change), None)


def without_change(history: History, change: int, now: datetime) -> History:
    """The history without a change that does not hold yet; one that does stays: calls have been rated by it."""
    return tuple(price for price in history if price.change != change or price.since <= now)


def may_take_back(since: datetime, now: datetime) -> bool:
    return since - LAST_CALL > now
