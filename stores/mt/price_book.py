"""The price book read from the store: whole at first, then what changed since.

Whoever changes something sets its `updated_at` and afterwards bumps the revision
(`stores.mt.revisions`). So a reader that sees a new revision finds the change by its time;
as clocks differ and a writer may be slow, it reads what is somewhat older over again.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from handlers.usage import prices as book
from handlers.usage.prices import PriceBook, price_book
from handlers.usage.totals import WALLETS
from stores.mongo import Database, Document, translated
from stores.mt.grants import GRANTS, to_grant
from stores.mt.pages import find_by
from stores.mt.products import PRODUCTS, cache_hits_of
from stores.mt.revisions import current
from stores.mt.sources import UPSTREAMS, Upstream

__all__ = ["ACCOUNTS", "WALLETS", "PriceBooks", "costs_of", "read_book", "wallets_of"]

ACCOUNTS = "mt_accounts"

OVERLAP = timedelta(minutes=10)
"""How much slower, or behind, a writer may be than who reads."""

WHOLE_AFTER = timedelta(hours=1)
"""So often everything is read over again: whatever went wrong is then mended."""


class PriceBooks:
    """Keeps the newest book. `latest` costs one small read where nothing changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._book: PriceBook | None = None
        self._read_at = datetime.min.replace(tzinfo=UTC)
        self._whole_at = self._read_at

    async def latest(self, now: datetime) -> PriceBook:
        """All that was changed and told of before the call. Raises StoreAway; the book then stays as it was."""
        revision = await current(self._database)
        if self._book is None or now - self._whole_at >= WHOLE_AFTER:
            self._book = await read_book(self._database, revision)
            self._read_at = self._whole_at = now
        elif revision != self._book.revision:
            self._book = await self._changed(self._book, revision)
            self._read_at = now
        return self._book

    async def _changed(self, known: PriceBook, revision: int) -> PriceBook:
        since = {"updated_at": {"$gte": self._read_at - OVERLAP}}
        wallets = await _find(self._database, WALLETS, since)
        upstreams = await _find(self._database, UPSTREAMS, since)
        # Wallets of a customer, and upstreams of a source and product, are read together: one pays, one costs.
        merchants = {wallet["merchant_id"] for wallet in wallets if wallet.get("merchant_id") is not None}
        items = {upstream["item"] for upstream in upstreams}
        together = price_book(wallets=wallets_of(await find_by(self._database, WALLETS, "merchant_id", merchants)))
        return known.changed(
            revision,
            accounts=accounts_of(await _find(self._database, ACCOUNTS, since)),
            grants=grants_of(await _find(self._database, GRANTS, since)),
            products=products_of(await _find(self._database, PRODUCTS, since)),
            wallets={merchant: together.wallets.get(merchant, ()) for merchant in merchants},
            costs=costs_of(await find_by(self._database, UPSTREAMS, "item", items)),
        )


async def read_book(database: Database, revision: int) -> PriceBook:
    """The whole book. `revision` is to be read before it. Raises StoreAway."""
    return price_book(
        revision,
        accounts=accounts_of(await _find(database, ACCOUNTS, {})),
        grants=grants_of(await _find(database, GRANTS, {})),
        products=products_of(await _find(database, PRODUCTS, {})),
        wallets=wallets_of(await _find(database, WALLETS, {})),
        costs=costs_of(await _find(database, UPSTREAMS, {})),
    )


async def _find(database: Database, collection: str, match: Mapping[str, Any]) -> list[Document]:
    with translated():
        return await database[collection].find(dict(match)).to_list()


def accounts_of(documents: Iterable[Document]) -> list[book.Account]:
    return [
        book.Account(
            dept_id=document["_id"],
            merchant_id=document["merchant_id"],
            app_id=document.get("app_id"),
            app_code=document.get("app_code"),
        )
        for document in documents
    ]


def grants_of(documents: Iterable[Document]) -> list[book.Grant]:
    return [
        book.Grant(
            dept_id=grant.dept_id,
            item=grant.item,
            free_count=grant.free_count,
            history=grant.history,
        )
        for grant in map(to_grant, documents)
    ]


def products_of(documents: Iterable[Document]) -> list[book.Product]:
    return [book.Product(code=document["_id"], cache_hits=cache_hits_of(document)) for document in documents]


def wallets_of(documents: Iterable[Document]) -> list[book.Wallet]:
    return [
        book.Wallet(
            wallet_id=document["wallet_id"],
            merchant_id=document["merchant_id"],
            is_default=bool(document.get("is_default", False)),
            app_codes=tuple(document.get("app_codes", ())),
        )
        for document in documents
        # Money may have come for a wallet that nobody opened: it is nobody's.
        if document.get("deleted_at") is None and document.get("merchant_id") is not None
    ]


def costs_of(documents: Iterable[Document]) -> list[book.SourceCosts]:
    """Of each configuration; and by source and product: of several the first by priority, a deleted one last."""
    upstreams = sorted(
        (msgspec.convert(document, Upstream) for document in documents),
        key=lambda upstream: (upstream.deleted_at is None, -upstream.priority, -upstream.id),
    )
    # Ascending by how much they count: the last of a key stays.
    chosen = {(upstream.source_code, upstream.item): upstream for upstream in upstreams if upstream.costs}
    return [
        *(_costs_of(upstream, upstream.id) for upstream in upstreams if upstream.costs),
        *(_costs_of(upstream, None) for upstream in chosen.values()),
    ]


def _costs_of(upstream: Upstream, config_id: int | None) -> book.SourceCosts:
    costs = sorted(upstream.costs, key=lambda cost: cost.since)
    return book.SourceCosts(
        source=upstream.source_code,
        item=upstream.item,
        costs=tuple(book.Cost(cost.since, cost.cost_micro) for cost in costs),
        config_id=config_id,
    )
