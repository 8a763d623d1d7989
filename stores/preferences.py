"""Preferences as they are kept: one document a recipient; who has none has the defaults."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from schemas.preferences import Preferences
from stores.collections import PREFERENCES
from stores.mongo import IDS_PER_FIND, Database, Document, translated


async def preferences_of(database: Database, recipients: Iterable[str]) -> dict[str, Preferences]:
    """Those of each recipient, the defaults for who has none. Raises StoreAway."""
    found = {recipient: Preferences(recipient=recipient) for recipient in recipients}
    wanted = list(found)
    for start in range(0, len(wanted), IDS_PER_FIND):
        some = {"_id": {"$in": wanted[start : start + IDS_PER_FIND]}}
        with translated():
            documents = await database[PREFERENCES].find(some).to_list()
        found |= {document["_id"]: _preferences(document) for document in documents}
    return found


async def keep_preferences(database: Database, preferences: Preferences, now: datetime) -> None:
    """In place of what was there. Raises StoreAway; a repeat does no harm."""
    document: Document = msgspec.to_builtins(preferences)
    recipient = document.pop("recipient")
    with translated():
        await database[PREFERENCES].replace_one({"_id": recipient}, {**document, "updated_at": now}, upsert=True)


async def forget_preferences(database: Database, recipient: str) -> None:
    """Back to the defaults. Raises StoreAway; a repeat does no harm."""
    with translated():
        await database[PREFERENCES].delete_one({"_id": recipient})


def _preferences(document: Document) -> Preferences:
    fields = {name: value for name, value in document.items() if name not in ("_id", "updated_at")}
    return msgspec.convert({**fields, "recipient": document["_id"]}, Preferences)
