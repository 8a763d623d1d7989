"""Requests for friendship that wait for the other's word: one document for the two, kept for 30 days.

`{_id: APP/ASKED/REQUESTER, app, asked, requester, asked_at, asked_for}`; `asked_for` is what the one who asks
wants to keep of the friend, and says to the other.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from pymongo import UpdateOne

from handlers.im.relations import Friend
from schemas.im.ids import key_of
from stores.collections import IM_FRIEND_REQUESTS
from stores.im.relations import found
from stores.mongo import IDS_PER_FIND, Database, translated

MAX_WAITING = 1000
"""Of one who asks. Calls at the same moment may pass it a little."""


async def request_friendship(
    database: Database, app: str, requester: str, wanted: Mapping[str, Friend], at: datetime
) -> dict[str, datetime]:
    """Keep requests to these users. Returns since when each waits; none of them where it would be too many.

    A request that is repeated has its last words, and waits since the first.
    """
    keys = {key_of(app, asked, requester): asked for asked in wanted}
    waiting = {document["_id"]: document["asked_at"] async for document in found(database, IM_FRIEND_REQUESTS, [*keys])}
    if (
        len(wanted) > len(waiting)
        and len(wanted) - len(waiting) + await _waiting(database, app, requester) > MAX_WAITING
    ):
        wanted = {asked: friend for asked, friend in wanted.items() if key_of(app, asked, requester) in waiting}
    writes = [
        UpdateOne(
            {"_id": key_of(app, asked, requester)},
            {
                "$set": {"asked_for": msgspec.to_builtins(friend, builtin_types=(datetime,))},
                "$setOnInsert": {"app": app, "asked": asked, "requester": requester, "asked_at": at},
            },
            upsert=True,
        )
        for asked, friend in wanted.items()
    ]
    if writes:
        with translated():
            await database[IM_FRIEND_REQUESTS].bulk_write(writes, ordered=False)
    return {asked: waiting.get(key_of(app, asked, requester), at) for asked in wanted}


async def asking(database: Database, app: str, asked: str, requesters: Iterable[str]) -> set[str]:
    """Those who wait for this user's word."""
    keys = [key_of(app, asked, requester) for requester in requesters]
    return {document["requester"] async for document in found(database, IM_FRIEND_REQUESTS, keys)}


async def forget_requests(database: Database, app: str, user: str, others: Iterable[str]) -> None:
    """Whatever a user and the others have asked of each other is settled."""
    keys = [key for other in others for key in (key_of(app, user, other), key_of(app, other, user))]
    for start in range(0, len(keys), IDS_PER_FIND):
        with translated():
            await database[IM_FRIEND_REQUESTS].delete_many({"_id": {"$in": keys[start : start + IDS_PER_FIND]}})


async def forget_all_requests(database: Database, app: str, user: str) -> None:
    """Of a user who is no more."""
    for side in ("asked", "requester"):
        with translated():
            await database[IM_FRIEND_REQUESTS].delete_many({"app": app, side: user})


async def _waiting(database: Database, app: str, requester: str) -> int:
    with translated():
        return await database[IM_FRIEND_REQUESTS].count_documents({"app": app, "requester": requester})
