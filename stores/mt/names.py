"""Names of accounts, products and sources, for lists that have their ids and codes."""

from collections.abc import Iterable

from stores.mongo import Database
from stores.mt.pages import find_by
from stores.mt.price_book import ACCOUNTS
from stores.mt.products import PRODUCTS
from stores.mt.sources import SOURCES


async def account_names(database: Database, dept_ids: Iterable[int]) -> dict[int, str]:
    """Raises StoreAway, as all of them do."""
    found = await find_by(database, ACCOUNTS, "_id", dept_ids)
    return {account["_id"]: account["name"] for account in found if account.get("name")}


async def product_names(database: Database, codes: Iterable[str]) -> dict[str, str]:
    return {product["_id"]: product["name"] for product in await find_by(database, PRODUCTS, "_id", codes)}


async def source_names(database: Database, codes: Iterable[str]) -> dict[str, str]:
    return {source["code"]: source["name"] for source in await find_by(database, SOURCES, "code", codes)}
