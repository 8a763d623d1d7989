"""The price book: all that the price of a call depends on, as it stood at one revision.

Immutable and pure: the store loads it, the rater looks things up. What holds from a time on
(prices, costs) is a history, so a call is rated at its own time, however late it comes.

Ids: merchants, accounts (dept ids) and wallets are integers here and at the HTTP edge. What
effects are folded into has a text as `_id`; so wallet 7 is the document `"7"` of `wallets`,
with its number in `wallet_id` (`wallet_key`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Self, TypeVar

import msgspec

from handlers.products.prices import History, Terms, in_force


class CacheHits(msgspec.Struct, frozen=True):
    """Whether, from a time on, a call that is answered from the cache is charged as any other."""

    since: datetime
    charged: bool


class Product(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    cache_hits: tuple[CacheHits, ...] = ()
    """Ascending by `since`; of two that hold from the same moment the later one counts."""

    def charges_cache(self, at: datetime) -> bool:
        """Whether an answer from the cache was charged at that time: yes, where nobody has said."""
        hits = _in_force(self.cache_hits, at)
        return hits is None or hits.charged


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What an account may call, at which prices, and how many calls of it are free, once and for all.

    Its state does not matter: one that was never open has no history, and that of a deleted one says
    from when on there is no price. So late calls have theirs, also while it is applied for again.
    """

    dept_id: int
    item: str
    free_count: int = 0
    history: History = ()

    @property
    def key(self) -> str:
        return grant_key(self.dept_id, self.item)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A developer account, in whose name calls are made, and whose customer (merchant) pays."""

    dept_id: int
    merchant_id: int
    app_id: str | None = None
    app_code: str | None = None


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    wallet_id: int
    merchant_id: int
    is_default: bool = False
    app_codes: tuple[str, ...] = ()
    """The apps it is reserved for."""


class Cost(msgspec.Struct, frozen=True):
    """What one call of an upstream source costs us from a time on. Micro-units of yuan."""

    since: datetime
    cost_micro: int


Said = TypeVar("Said", CacheHits, Cost)
"""What holds from its `since` on."""


class SourceCosts(msgspec.Struct, frozen=True, kw_only=True):
    """The costs of a source, for one product or (item None) for all that have no own."""

    source: str
    item: str | None = None
    costs: tuple[Cost, ...]
    """Ascending by `since`."""
    config_id: int | None = None
    """Of the one upstream configuration; None: of calls that name none."""


class PriceBook(msgspec.Struct, frozen=True):
    """A snapshot. Made by `price_book`."""

    revision: int
    accounts: Mapping[int, Account]
    grants: Mapping[tuple[int, str], Grant]
    products: Mapping[str, Product]
    wallets: Mapping[int, tuple[Wallet, ...]]
    """By merchant, by ascending number."""
    costs: Mapping[tuple[str, str | None], SourceCosts]
    """Of calls that name no configuration."""
    configured: Mapping[int, SourceCosts]
    """By upstream configuration."""

    def account(self, dept_id: int) -> Account | None:
        return self.accounts.get(dept_id)

    def product(self, code: str) -> Product:
        """One that nobody described is an ordinary one."""
        return self.products.get(code) or Product(code=code)

    def grant(self, dept_id: int, item: str) -> Grant | None:
        return self.grants.get((dept_id, item))

    def price_at(self, dept_id: int, item: str, at: datetime) -> Terms | None:
        """The terms in force for a call of that time."""
        grant = self.grant(dept_id, item)
        price = None if grant is None else in_force(grant.history, at)
        return None if price is None else price.terms

    def wallet_of(self, account: Account) -> int | None:
        """Who pays: the merchant's wallet that is reserved for the account's app, else the default one."""
        apps = {account.app_code, account.app_id} - {None}
        wallets = self.wallets.get(account.merchant_id, ())
        for wallet in wallets:
            if not apps.isdisjoint(wallet.app_codes):
                return wallet.wallet_id
        return next((wallet.wallet_id for wallet in wallets if wallet.is_default), None)

    def cost_at(self, source: str, item: str, at: datetime, config_id: int | None = None) -> int | None:
        """What a call of the source cost at that time, in micro-units; None where nobody has said.

        A configuration that it names says so, if it is one of that source and product and has a cost.
        """
        own = None if config_id is None else self.configured.get(config_id)
        if own is not None and (own.source, own.item) != (source, item):
            own = None
        for costs in (own, self.costs.get((source, item)), self.costs.get((source, None))):
            cost = None if costs is None else _in_force(costs.costs, at)
            if cost is not None:
                return cost.cost_micro
        return None

    def changed(
        self,
        revision: int,
        *,
        accounts: Iterable[Account] = (),
        grants: Iterable[Grant] = (),
        products: Iterable[Product] = (),
        wallets: Mapping[int, Sequence[Wallet]] | None = None,
        costs: Iterable[SourceCosts] = (),
        removed: Iterable[tuple[int, str]] = (),
    ) -> Self:
        """The book with these in place of those of the same key (wallets: all of a merchant's), without `removed`."""
        gone = set(removed)
        costs = list(costs)
        kept = {key: grant for key, grant in self.grants.items() if key not in gone}
        return type(self)(
            revision,
            {**self.accounts, **{account.dept_id: account for account in accounts}},
            {**kept, **{(grant.dept_id, grant.item): grant for grant in grants}},
            {**self.products, **{product.code: product for product in products}},
            {**self.wallets, **{merchant: tuple(some) for merchant, some in (wallets or {}).items()}},
            {**self.costs, **{(cost.source, cost.item): cost for cost in costs if cost.config_id is None}},
            {**self.configured, **{cost.config_id: cost for cost in costs if cost.config_id is not None}},
        )


def price_book(
    revision: int = 0,
    *,
    accounts: Iterable[Account] = (),
    grants: Iterable[Grant] = (),
    products: Iterable[Product] = (),
    wallets: Iterable[Wallet] = (),
    costs: Iterable[SourceCosts] = (),
) -> PriceBook:
    """The book of these, in any order."""
    by_merchant: dict[int, list[Wallet]] = {}
    for wallet in sorted(wallets, key=lambda wallet: wallet.wallet_id):
        by_merchant.setdefault(wallet.merchant_id, []).append(wallet)
    empty = PriceBook(revision, {}, {}, {}, {}, {}, {})
    return empty.changed(
        revision, accounts=accounts, grants=grants, products=products, wallets=by_merchant, costs=costs
    )


def grant_key(dept_id: int, item: str) -> str:
    """A grant's name: `_id` of its `free_usage`, and the key of what fails in it."""
    return f"{dept_id}/{item}"


def wallet_key(wallet_id: int) -> str:
    """`_id` of a wallet's document."""
    return str(wallet_id)


def _in_force(history: Sequence[Said], at: datetime) -> Said | None:
    place = bisect_right(history, at, key=lambda said: said.since)
    return history[place - 1] if place else None
