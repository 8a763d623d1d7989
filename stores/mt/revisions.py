"""The revision of what calls are rated by: whoever changes any of it bumps the one number afterwards.

Documents that the price book holds (products, grants, upstreams, accounts, wallets) carry
`updated_at`, set with every change and also when they are deleted, which is marked by `deleted_at`.
"""

from stores.mongo import Database, translated

REVISIONS = "revisions"
PRICE_BOOK = "price_book"


async def bump(database: Database) -> None:
    """Tell that something was changed: after the write, or a reader looks too early. Raises StoreAway."""
    with translated():
        await database[REVISIONS].update_one({"_id": PRICE_BOOK}, {"$inc": {"revision": 1}}, upsert=True)


async def current(database: Database) -> int:
    """0 before the first change. Raises StoreAway."""
    with translated():
        found = await database[REVISIONS].find_one({"_id": PRICE_BOOK})
    return 0 if found is None else int(found["revision"])
