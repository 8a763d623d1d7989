"""Attributes and tags: names per app, labels per user, written and read in the call.

`im_attr_names`: `{_id: APP, names: {PLACE: NAME}, revision}`.
`im_labels`: `{_id: APP/USER, user, slot, tags, values: {PLACE: VALUE}, tokens, revision}`; what tokens are says
`handlers.im.labels`. One user's labels change whole or not at all, and of two changes at once none is lost.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from handlers.im.labels import NOBODYS, Change, Labels
from schemas.errors import StoreAway
from schemas.im.apps import App
from schemas.im.ids import key_of
from stores.im.slots import slot_of
from stores.mongo import IDS_PER_FIND, Database, Document, duplicates_in, translated

LABELS = "im_labels"
ATTR_NAMES = "im_attr_names"

ROUNDS = 20
"""So often a change is made anew that came too late because of others'."""

Names = Mapping[str, str]
"""Of an app's attributes, by place."""


async def attr_names(database: Database, app: App) -> Names:
    return (await _names(database, app))[0]


async def name_attrs(database: Database, app: App, change: Callable[[Names], Names]) -> None:
    """Change the names. What `change` raises is raised here, and nothing is changed."""
    for _ in range(ROUNDS):
        names, revision = await _names(database, app)
        if (wanted := change(names)) == names:
            return
        update: Document = {"$set": {"names": dict(wanted)}, "$inc": {"revision": 1}}
        try:
            with translated():
                written = await database[ATTR_NAMES].update_one(_unchanged(app.id, revision), update, upsert=True)
        except DuplicateKeyError:
            continue
        if written.matched_count or written.upserted_id:
            return
    raise StoreAway("the names of attributes are changed too fast by others")


async def labels_of(database: Database, app: App, users: Iterable[str]) -> dict[str, Labels]:
    """Of each user; none where there are none."""
    asked = list(users)
    found = await _read(database, app, asked)
    return {user: found[user][0] if user in found else NOBODYS for user in asked}


async def change_labels(database: Database, app: App, changes: Mapping[str, Change]) -> None:
    """Change the labels of users. What a change raises is raised here; then nothing has been written, unless others
    changed the same users at the same moment. Safe to repeat."""
    for _ in range(ROUNDS):
        found = await _read(database, app, changes)
        writes = []
        for user, change in changes.items():
            labels, revision = found.get(user, (NOBODYS, 0))
            if (wanted := change(labels)) != labels:
                writes.append(_write(app, user, wanted, revision))
        if not writes or await _all_written(database, writes):
            return
    raise StoreAway("labels are changed too fast by others")


async def forget_labels(database: Database, app: App, users: Sequence[str]) -> None:
    """Of accounts that are gone."""
    for user in users:
        with translated():
            await database[LABELS].delete_one({"_id": key_of(app.id, user)})


async def _names(database: Database, app: App) -> tuple[Names, int]:
    with translated():
        row = await database[ATTR_NAMES].find_one({"_id": app.id})
    return ({}, 0) if row is None else (row["names"], row["revision"])


async def _read(database: Database, app: App, users: Iterable[str]) -> dict[str, tuple[Labels, int]]:
    keys = [key_of(app.id, user) for user in users]
    found: dict[str, tuple[Labels, int]] = {}
    for start in range(0, len(keys), IDS_PER_FIND):
        with translated():
            rows = await database[LABELS].find({"_id": {"$in": keys[start : start + IDS_PER_FIND]}}).to_list()
        found |= {row["user"]: (Labels(tuple(row["tags"]), row["values"]), row["revision"]) for row in rows}
    return found


def _write(app: App, user: str, labels: Labels, revision: int) -> UpdateOne:
    wanted = {
        "user": user,
        "slot": slot_of(user),
        "tags": list(labels.tags),
        "values": dict(labels.values),
        "tokens": sorted(labels.tokens(app.id)),
    }
    return UpdateOne(_unchanged(key_of(app.id, user), revision), {"$set": wanted, "$inc": {"revision": 1}}, upsert=True)


def _unchanged(key: str, revision: int) -> Document:
    """As an upsert: a document that has changed is not found, and to make it anew is a duplicate."""
    return {"_id": key, "revision": revision if revision else {"$exists": False}}


async def _all_written(database: Database, writes: Sequence[UpdateOne]) -> bool:
    try:
        with translated():
            await database[LABELS].bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        duplicates_in(LABELS, error)
        return False
    return True
