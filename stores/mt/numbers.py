"""Integer ids of the metering platform's API: one ascending row of numbers per kind of thing.

A number that was drawn and then not used leaves a gap, and is never drawn again.
"""

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from schemas.errors import StoreAway
from stores.mongo import Database, translated

NUMBERS = "numbers"


RACES = 5
"""So often a number is drawn again where several drew the first one of its kind at the same moment."""


async def next_number(database: Database, kind: str, count: int = 1) -> int:
    """The first of `count` new ids, which follow one another. Raises StoreAway."""
    for _ in range(RACES):
        try:
            with translated():
                drawn = await database[NUMBERS].find_one_and_update(
                    {"_id": kind}, {"$inc": {"last": count}}, upsert=True, return_document=ReturnDocument.AFTER
                )
        except DuplicateKeyError:
            continue
        # None: the embedded store's word for such a race.
        if drawn is not None:
            return int(drawn["last"]) - count + 1
    raise StoreAway(f"{NUMBERS}/{kind}: not there after it was made")
