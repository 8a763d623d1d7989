"""What callbacks say of profiles, written in the call, each field ordered by the time of the event.

`heard.TAG` of an account is when a callback last said what the field is: one that comes
late, or again, does not put an older value back.
"""

from collections.abc import Mapping
from datetime import datetime

from pymongo import UpdateOne

from schemas.im.apps import App
from schemas.im.ids import key_of
from stores.collections import IM_ACCOUNTS
from stores.mongo import Database, translated


async def hear_profile(
    database: Database, app: App, user: str, profile: Mapping[str, str | int], heard_at: datetime
) -> None:
    """Set these fields, as far as nothing newer was heard of them. Of a user that is no account nothing is kept."""
    key = key_of(app.id, user)
    writes = [
        UpdateOne(
            {"_id": key, "gone_at": {"$exists": False}, f"heard.{tag}": {"$not": {"$gt": heard_at}}},
            {"$set": {f"profile.{tag}": value, f"heard.{tag}": heard_at}},
        )
        for tag, value in profile.items()
    ]
    if writes:
        with translated():
            await database[IM_ACCOUNTS].bulk_write(writes, ordered=False)
