"""Documents that keep the newest of each field by the time of the event that said it, beside what others write there.

`synced.<field>` has that time. Whoever keeps compares `sync_revision`, so two at once come after
one another, and the end does not depend on who came first.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from schemas.cloudevents import to_millisecond
from schemas.errors import StoreAway
from stores.mongo import Database, translated

ATTEMPTS = 10


def newer(known: Mapping[str, Any], fields: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The fields that an event of a time still has a say in: of the same time, the one that comes later."""
    times = known.get("synced", {})
    return {name: value for name, value in fields.items() if name not in times or times[name] <= at}


async def keep_newest(
    database: Database,
    collection: str,
    number: int,
    fields: Mapping[str, Any],
    at: datetime,
    always: Mapping[str, Any],
) -> bool:
    """Keep what is newer; whether anything changed. `always` is set with it. Raises StoreAway."""
    documents, at = database[collection], to_millisecond(at)  # as it is stored
    for _ in range(ATTEMPTS):
        with translated():
            known = await documents.find_one({"_id": number})
        wins = newer(known or {}, fields, at)
        if not wins:
            return False
        changed = known is None or any(name not in known or known[name] != value for name, value in wins.items())
        extra = always if changed else {}
        if known is None:
            times = dict.fromkeys(wins, at)
            try:
                with translated():
                    await documents.insert_one({"_id": number, **wins, "synced": times, "sync_revision": 1, **extra})
            except DuplicateKeyError:
                continue
            return True
        sets = {**wins, **{f"synced.{name}": at for name in wins}, **extra}
        seen = {"_id": number, "sync_revision": known.get("sync_revision")}
        with translated():
            written = await documents.update_one(seen, {"$set": sets, "$inc": {"sync_revision": 1}})
        if written.matched_count:
            return changed
    raise StoreAway(f"{collection}/{number} is changed again and again")
