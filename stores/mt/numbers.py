"""Integer ids of the metering platform's API: one ascending row of numbers per kind of thing.

A number that was drawn and then not used leaves a gap, and is never drawn again.
"""

from pymongo import ReturnDocument

from schemas.errors import StoreAway
from stores.mongo import Database, translated

NUMBERS = "numbers"


async def next_number(database: Database, kind: str, count: int = 1) -> int:
    """The first of `count` new ids, which follow one another. Raises StoreAway."""
    with translated():
        drawn = await database[NUMBERS].find_one_and_update(
            {"_id": kind}, {"$inc": {"last": count}}, upsert=True, return_document=ReturnDocument.AFTER
        )
    if drawn is None:
        raise StoreAway(f"{NUMBERS}/{kind}: not there after it was made")
    return int(drawn["last"]) - count + 1
