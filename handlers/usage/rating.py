"""What a call costs its customer, and what it cost us: decided once, kept with its record.

Everything is looked up at the call's own time, so a late call is rated as if it had come
at once. A call that has no price is unrated: it is kept, counted as such, and rated again
after the repair.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from handlers.products.prices import ChargeType, FeeType, Terms
from handlers.usage.prices import Account, PriceBook, grant_key

NO_WALLET = "no_wallet"
"""Why a call is unrated whose fee is known, and nobody there to pay it."""


class Part(msgspec.Struct, frozen=True):
    """A sub-product that was called for a bundle."""

    item: str
    success: bool


class Upstream(msgspec.Struct, frozen=True):
    """A call of a source. `cost_micro` None: the sender does not know."""

    source: str
    item: str
    billable: bool
    cost_micro: int | None = None
    config_id: int | None = None
    """The upstream configuration by which it was called."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What of a call bears on its price and on where it counts."""

    dept_id: int
    item: str
    tag: str
    app_id: str | None
    at: datetime
    hour: str
    """`yyyy-MM-dd HH` in the platform's zone."""
    success: bool
    cached: bool
    source: str | None
    """The one that answered."""
    parts: tuple[Part, ...] = ()
    upstream: tuple[Upstream, ...] = ()


class State(StrEnum):
    CHARGED = "charged"
    FREE = "free"
    UNCHARGED = "uncharged"
    """A miss of what is charged by hit, or an answer from the cache that costs nothing."""
    UNRATED = "unrated"


class SourceCost(msgspec.Struct, frozen=True):
    """What a call of a source cost; `known` False: nobody has said, so it counts as nothing."""

    source: str
    item: str
    billable: bool
    cost_micro: int = 0
    known: bool = True


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """All that a record adds to any total. It is kept in the record, and totals are made of nothing else."""

    dept_id: int
    item: str
    tag: str
    app_id: str | None
    hour: str
    success: bool
    cached: bool
    source: str | None
    merchant_id: int | None
    state: State
    reason: str | None = None
    """Why there is no price."""
    fee_micro: int = 0
    wallet_id: int | None = None
    free_no: int | None = None
    """Which of its grant's free calls it was given, from 1. It keeps it, whatever is corrected: none is given twice."""
    costs: tuple[SourceCost, ...] = ()

    @property
    def grant(self) -> str:
        return grant_key(self.dept_id, self.item)

    @property
    def day(self) -> str:
        return self.hour[:10]

    @property
    def cost_micro(self) -> int:
        return sum(cost.cost_micro for cost in self.costs)


def rate(call: Call, book: PriceBook) -> Rated:
    """The price of a call without regard to free ones."""
    account = book.account(call.dept_id)
    rated = Rated(
        dept_id=call.dept_id,
        item=call.item,
        tag=call.tag,
        app_id=call.app_id or (account.app_id if account else None),
        hour=call.hour,
        success=call.success,
        cached=call.cached,
        source=call.source,
        merchant_id=account.merchant_id if account else None,
        state=State.UNCHARGED,
        costs=costs_of(call, book),
    )
    if account is None:
        return _without_price(rated, "no_account")
    terms = book.price_at(call.dept_id, call.item, call.at)
    if terms is None:
        return _without_price(rated, "no_price")
    fee = fee_of(call, terms, book)
    if isinstance(fee, str):
        return _without_price(rated, fee)
    return rated if fee is None else charged(rated, fee, book, account)


def charged(rated: Rated, fee_micro: int, book: PriceBook, account: Account) -> Rated:
    """The same call with this fee, on the wallet that pays today; unrated where there is none."""
    wallet_id = book.wallet_of(account)
    if wallet_id is None and fee_micro:
        return _without_price(rated, NO_WALLET)
    return msgspec.structs.replace(rated, state=State.CHARGED, reason=None, fee_micro=fee_micro, wallet_id=wallet_id)


def fee_of(call: Call, terms: Terms, book: PriceBook) -> int | str | None:
    """The fee in micro-units, None for a call that is not charged, or why the price is not known."""
    if call.cached and not book.product(call.item).charges_cache(call.at):
        return None
    by_hit = terms.fee_type == FeeType.HIT
    if by_hit and not call.success:
        return None
    if terms.charge_type == ChargeType.FLAT:
        return terms.fee_micro
    if not call.parts:
        return "no_sub_items"
    fees = [_part_fee(call, part, terms, book) for part in call.parts if part.success or not by_hit]
    if not fees:
        return None
    known = [fee for fee in fees if fee is not None]
    return sum(known) if len(known) == len(fees) else "no_sub_price"


def _part_fee(call: Call, part: Part, terms: Terms, book: PriceBook) -> int | None:
    """By the bundle's breakdown, else as the account pays for the sub-product alone."""
    if part.item in terms.fee_detail:
        return terms.fee_detail[part.item]
    own = book.price_at(call.dept_id, part.item, call.at)
    return None if own is None else own.fee_micro


def _without_price(rated: Rated, reason: str) -> Rated:
    return msgspec.structs.replace(rated, state=State.UNRATED, reason=reason, fee_micro=0, wallet_id=None)


def would_be_charged(rated: Rated) -> bool:
    """Whether it is to be paid for, be there a wallet or not."""
    return rated.state is State.CHARGED or rated.reason == NO_WALLET


def free_limit(rated: Rated, book: PriceBook) -> int:
    """Up to which number this call's grant has free ones, for a call that may be one of them; else 0.

    A free call needs no wallet: if it waited for one, later calls would be given its number.
    """
    if not would_be_charged(rated):
        return 0
    grant = book.grant(rated.dept_id, rated.item)
    return 0 if grant is None else grant.free_count


def as_free(rated: Rated, free_no: int) -> Rated:
    return msgspec.structs.replace(rated, state=State.FREE, reason=None, fee_micro=0, wallet_id=None, free_no=free_no)


def costs_of(call: Call, book: PriceBook) -> tuple[SourceCost, ...]:
    """By each call of a source its cost: what was reported, else what the source cost at that time."""
    return tuple(_cost(upstream, call, book) for upstream in made(call))


def made(call: Call) -> Sequence[Upstream]:
    """The calls of sources; where none are reported, that of the source that answered, unless it was the cache."""
    if call.upstream or call.source is None or call.cached:
        return call.upstream
    return (Upstream(call.source, call.item, billable=call.success),)


def _cost(upstream: Upstream, call: Call, book: PriceBook) -> SourceCost:
    source, item, billable = upstream.source, upstream.item, upstream.billable
    if upstream.cost_micro is not None:
        return SourceCost(source, item, billable, upstream.cost_micro)
    if not billable:
        return SourceCost(source, item, billable)
    cost = book.cost_at(source, item, call.at, upstream.config_id)
    return SourceCost(source, item, billable, cost or 0, known=cost is not None)
