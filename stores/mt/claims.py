"""What a customer may have one of: whoever opens it first claims it, under the number that it gets.

A look whether it is there, and then making it, lets two at once make two. Of a claim there is
one, by its `_id`. It is not taken back: who finds one, of another caller at the same moment or
of one that died after it, opens the thing under the number in it, where that is not done yet.
"""

from pymongo.errors import DuplicateKeyError

from schemas.errors import StoreAway
from stores.mongo import Database, translated
from stores.mt.numbers import next_number

CLAIMS = "mt_claims"
RACES = 5


async def claim(database: Database, what: str, kind: str) -> int:
    """The number of `what`, drawn from those of its kind by whoever asks first. Raises StoreAway."""
    for _ in range(RACES):
        with translated():
            found = await database[CLAIMS].find_one({"_id": what})
        if found is not None:
            return int(found["number"])
        try:
            number = await next_number(database, kind)
            with translated():
                await database[CLAIMS].insert_one({"_id": what, "number": number})
        except DuplicateKeyError:
            continue
        return number
    raise StoreAway(f"{CLAIMS}/{what}: not there after it was made")


async def claim_another(database: Database, what: str, taken: int, kind: str) -> None:
    """Another number for `what`, as something else has that one. Raises StoreAway."""
    number = await next_number(database, kind)
    with translated():
        await database[CLAIMS].update_one({"_id": what, "number": taken}, {"$set": {"number": number}})
