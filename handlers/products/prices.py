"""The prices of one grant through time: a change appends, and what was in force stays as it was.

A change that is planned is part of the history from the moment it is planned, with the
time from which it holds; so whoever rates a call at its own time finds the right price,
however late anybody marks the change as executed. Until it holds it may be taken back.
"""

from collections.abc import Collection, Mapping, Sequence
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
    taken_back: bool = False
    """It was planned, and never held. It is kept, so that nobody who is late plans it again."""
    gone: bool = False
    """From then on there is no price: the grant was deleted."""


History = tuple[Price, ...]
"""Ascending by `since`; of two that hold from the same moment the later one counts."""


def in_force(history: Sequence[Price], at: datetime) -> Price | None:
    """The price of a call at that moment."""
    latest = next((price for price in reversed(history) if price.since <= at and not price.taken_back), None)
    return None if latest is None or latest.gone else latest


def upcoming(history: Sequence[Price], now: datetime) -> list[Price]:
    """What is planned and does not hold yet, the next one first."""
    return [price for price in history if price.since > now and not price.taken_back]


def effect_time(planned: datetime | None, now: datetime) -> datetime:
    """From when a change holds that is written now: never from the past. To the millisecond, as it is stored."""
    soonest = now + NOTICE
    since = soonest if planned is None else max(planned, soonest)
    return since.replace(microsecond=since.microsecond // 1000 * 1000)


def with_price(history: History, price: Price) -> History:
    """The history with one more price. A change that is in it already leaves it as it is, taken back or not."""
    if price.change is not None and change_in(history, price.change) is not None:
        return history
    place = next((i for i, other in enumerate(history) if other.since > price.since), len(history))
    return (*history[:place], price, *history[place:])


def change_in(history: Sequence[Price], change: int) -> Price | None:
    return next((price for price in history if price.change == change), None)


def take_back(history: History, changes: Collection[int], now: datetime) -> History:
    """The history without changes that do not hold yet; one that does stays: calls have been rated by it."""
    return tuple(
        msgspec.structs.replace(price, taken_back=True) if price.change in changes and price.since > now else price
        for price in history
    )


def granted(history: History, terms: Terms, now: datetime) -> History:
    """The history of a grant that is opened: its first price holds since ever."""
    return with_price(history, Price(effect_time(None, now) if history else EVER, terms))


def withdrawn(history: History, now: datetime) -> History:
    """The history of a grant that is deleted: what is planned is taken back, and there is no price from now on."""
    planned = [price.change for price in upcoming(history, now) if price.change is not None]
    return with_price(take_back(history, planned, now), Price(effect_time(None, now), Terms(0), gone=True))


def may_take_back(since: datetime, now: datetime) -> bool:
    return since - LAST_CALL > now
