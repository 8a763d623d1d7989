"""Extensions of messages, written and read in the call.

`im_extensions`: `{_id: id of the message, pairs: [{key, value, seq}], latest, cleared, minute, changes, revision}`;
`handlers.im.extensions` says what they mean. A call's change is whole or not at all, and none of two at once is lost.
"""

from collections.abc import Callable

import msgspec
from pymongo.errors import DuplicateKeyError

from handlers.im.extensions import NONE, Extensions
from schemas.errors import StoreAway
from schemas.im.extensions import Pair, PairResult
from stores.mongo import Database, Document, translated

EXTENSIONS = "im_extensions"

ROUNDS = 20
"""So often a change is made anew that came too late because of others'."""

Change = Callable[[Extensions], tuple[Extensions, tuple[PairResult, ...]]]


async def extensions_of(database: Database, message_id: str) -> Extensions:
    return (await _read(database, message_id))[0]


async def change_extensions(database: Database, message_id: str, change: Change) -> tuple[PairResult, ...]:
    """What became of each pair. What `change` raises is raised here, and nothing is changed."""
    for _ in range(ROUNDS):
        now, revision = await _read(database, message_id)
        wanted, results = change(now)
        # As an upsert: a document that has changed is not found, and to make it anew is a duplicate.
        unchanged: Document = {"_id": message_id, "revision": revision if revision else {"$exists": False}}
        fields = {"pairs": [msgspec.structs.asdict(pair) for pair in wanted.pairs], **_numbers(wanted)}
        try:
            with translated():
                await database[EXTENSIONS].update_one(unchanged, {"$set": fields, "$inc": {"revision": 1}}, upsert=True)
        except DuplicateKeyError:
            continue
        return results
    raise StoreAway("extensions are changed too fast by others")


async def _read(database: Database, message_id: str) -> tuple[Extensions, int]:
    with translated():
        row = await database[EXTENSIONS].find_one({"_id": message_id})
    if row is None:
        return NONE, 0
    pairs = tuple(Pair(**pair) for pair in row["pairs"])
    return Extensions(pairs=pairs, **{name: row[name] for name in _numbers(NONE)}), row["revision"]


def _numbers(extensions: Extensions) -> dict[str, int]:
    return {
        "latest": extensions.latest,
        "cleared": extensions.cleared,
        "minute": extensions.minute,
        "changes": extensions.changes,
    }
