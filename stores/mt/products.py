"""Products: what may be called, and what it costs where nothing else is agreed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from pymongo.errors import DuplicateKeyError

from handlers.products.moves import ProductState
from handlers.products.prices import EVER, FeeType, effect_time
from handlers.products.terms import Offer
from handlers.usage.prices import CacheHits
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.product_codes import CODE_TAKEN
from stores.mongo import Database, Document, translated
from stores.mt.numbers import next_number
from stores.mt.pages import find_by
from stores.mt.revisions import bump

PRODUCTS = "products"


class Product(msgspec.Struct, rename={"code": "_id"}, kw_only=True):
    code: str
    id: int
    name: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    state: int = ProductState.ON_SHELF
    is_open: int = 1
    check_type: int | None = None
    cache_flag: int = 0
    cache_days: int | None = None
    cache_hits: tuple[CacheHits, ...] = ()
    """Whether calls that are answered from the cache are charged. A change appends, and may be planned."""
    fee_type: int = FeeType.QUERY
    price_micro: int = 0
    floor_price_micro: int = 0
    """Lowest sales price; 0: none."""
    is_fusion: bool = False
    sub_items: tuple[str, ...] = ()
    max_free_count: int | None = None
    applicable: bool = False
    risk_threshold: float | None = None
    encryptable: tuple[int, ...] = ()

    @property
    def offer(self) -> Offer:
        return Offer(
            item=self.code,
            fee_type=self.fee_type,
            price_micro=self.price_micro,
            floor_micro=self.floor_price_micro,
            is_fusion=self.is_fusion,
            sub_items=self.sub_items,
        )


async def add_product(database: Database, code: str, fields: Mapping[str, Any], at: datetime) -> int:
    """The id of the new product. One that was deleted may come again. Refuses CODE_TAKEN. Raises StoreAway."""
    number = await next_number(database, PRODUCTS)
    product = msgspec.convert({**fields, "_id": code, "id": number, "created_at": at, "updated_at": at}, Product)
    document = msgspec.to_builtins(product, builtin_types=(datetime,))
    # What was said of answers from the cache stays with one that comes again: late calls are rated by it.
    change = {"$set": {name: value for name, value in document.items() if name not in ("_id", "cache_hits")}}
    try:
        with translated():
            # Upserted: the filter fits none that is there, unless it was deleted.
            await database[PRODUCTS].update_one({"_id": code, "deleted_at": {"$gt": EVER}}, change, upsert=True)
    except DuplicateKeyError:
        raise MtRefused(CODE_TAKEN, f"there is a product {code} already") from None
    await bump(database)
    return number


async def edit_product(database: Database, code: str, fields: Mapping[str, Any], at: datetime) -> None:
    """Set some fields. Refuses not_found. Raises StoreAway."""
    with translated():
        changed = await database[PRODUCTS].update_one(
            {"_id": code, "deleted_at": None}, {"$set": {**fields, "updated_at": at}}
        )
    if changed.matched_count == 0:
        raise not_found(f"product {code}")
    await bump(database)


async def say_cache_hits(database: Database, code: str, charged: bool, planned: datetime | None, at: datetime) -> None:
    """Say that answers from the cache are charged, or not: from a second on, or from when it is planned.

    It is added to what was said before, which is never rewritten. Refuses not_found. Raises StoreAway.
    """
    hits = CacheHits(effect_time(planned, at), charged)
    change = {"$push": {"cache_hits": msgspec.structs.asdict(hits)}, "$set": {"updated_at": at}}
    with translated():
        changed = await database[PRODUCTS].update_one({"_id": code, "deleted_at": None}, change)
    if changed.matched_count == 0:
        raise not_found(f"product {code}")
    await bump(database)


def cache_hits_of(document: Document) -> tuple[CacheHits, ...]:
    """What was said of a product's answers from the cache, by time: what is planned may have been said first."""
    return by_time(msgspec.convert(document.get("cache_hits", ()), tuple[CacheHits, ...]))


def by_time(said: Iterable[CacheHits]) -> tuple[CacheHits, ...]:
    return tuple(sorted(said, key=lambda hits: hits.since))


async def find_product(database: Database, code: str) -> Product:
    """Refuses not_found. Raises StoreAway."""
    return await _one(database, {"_id": code}, f"product {code}")


async def find_product_by_id(database: Database, number: int) -> Product:
    """Refuses not_found. Raises StoreAway."""
    return await _one(database, {"id": number}, f"product {number}")


async def products_of(database: Database, codes: Collection[str]) -> dict[str, Product]:
    """Those that are there, by code. Raises StoreAway."""
    found = await find_by(database, PRODUCTS, "_id", codes, {"deleted_at": None})
    products = [msgspec.convert(document, Product) for document in found]
    return {product.code: product for product in products}


async def require_products(database: Database, codes: Sequence[str]) -> dict[str, Product]:
    """All of them, by code. Refuses not_found, naming those that are not there. Raises StoreAway."""
    found = await products_of(database, codes)
    if missing := sorted(set(codes) - found.keys()):
        raise not_found(f"product {', '.join(missing)}")
    return found


async def codes_with(database: Database, match: Mapping[str, Any]) -> set[str]:
    """The codes of products, deleted ones too. Raises StoreAway."""
    with translated():
        return set(await database[PRODUCTS].distinct("_id", dict(match)))


async def bundles_with(database: Database, code: str) -> list[str]:
    """The bundles that a product is a default part of. Raises StoreAway."""
    with translated():
        found = await database[PRODUCTS].find({"sub_items": code, "deleted_at": None}, {"_id": 1}).to_list()
    return [document["_id"] for document in found]


async def _one(database: Database, match: Mapping[str, Any], what: str) -> Product:
    with translated():
        found = await database[PRODUCTS].find_one({**match, "deleted_at": None})
    if found is None:
        raise not_found(what)
    return msgspec.convert(found, Product)
