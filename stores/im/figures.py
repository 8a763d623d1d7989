"""Daily figures of apps: what is counted of what is stored; `handlers.im.figures` says what the documents hold."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from pymongo import UpdateOne

from handlers.im.conversations import MESSAGES
from handlers.im.figures import DAY_USERS, DAYS, day_key
from handlers.im.presence import PRESENCE
from schemas.delivery import State as DeliveryState
from schemas.delivery import lane_of
from schemas.im.figures import Day
from schemas.im.ids import key_of
from stores.collections import DELIVERIES, IM_ACCOUNTS
from stores.im.presence import overall, platforms_in
from stores.jobs import Job, Jobs
from stores.mongo import Database, Document, translated

KIND = "im_figures"
CALLBACK_CHANNEL = "im_callback"
MARKS_AT_ONCE = 500


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one day; what nothing is known of is 0."""

    messages: int = 0
    pushes: int = 0
    logins: int = 0
    friends_added: int = 0
    friends_deleted: int = 0
    senders: int = 0
    login_users: int = 0
    active_users: int = 0
    registered: int = 0
    registered_before: int = 0
    """In all, before the day."""
    max_online: int = 0
    callbacks: int = 0
    callbacks_taken: int = 0


async def figures_of(database: Database, app: str, days: Iterable[Day]) -> dict[Day, Figures]:
    """Of those of these days that have any. Raises StoreAway."""
    keys = {day_key(app, str(day)): day for day in days}
    with translated():
        rows = await database[DAYS].find({"_id": {"$in": list(keys)}}).to_list()
    return {keys[row["_id"]]: msgspec.convert(row, Figures) for row in rows}


async def start_figures(jobs: Jobs, app: str, day: Day, now: datetime) -> Job:
    """The job that counts this day: begun if it is not there. Raises StoreAway."""
    args = {"app": app, "day": str(day)}
    return await jobs.start(
        f"{KIND}/{key_of(app, str(day))}",
        kind=KIND,
        owner=f"im/{app}",
        args=args,
        now=now,
        not_before=max(now, day.start),
    )


async def mark_senders(database: Database, app: str, day: Day, first: int, before: int) -> None:
    """Note who sent messages in these seconds of the day. Safe to repeat. Raises StoreAway."""
    key = day_key(app, str(day))
    which: Document = {"app": app, "order": {"$gte": f"{first:010d}", "$lt": f"{before:010d}"}}
    # The second stage is not in the index: in one with the first, the embedded store would walk the collection.
    stages: list[Document] = [
        {"$match": which},
        {"$match": {"imported": False}},
        {"$group": {"_id": "$sender"}},
    ]
    marks: list[UpdateOne] = []
    with translated():
        async for row in await database[MESSAGES].aggregate(stages):
            user = key_of("", row["_id"]).removeprefix("/")
            mark = {"day": key, "at": day.start, "sent": True}
            marks.append(UpdateOne({"_id": f"{key}/{user}"}, {"$set": mark}, upsert=True))
            if len(marks) == MARKS_AT_ONCE:
                await database[DAY_USERS].bulk_write(marks, ordered=False)
                marks = []
        if marks:
            await database[DAY_USERS].bulk_write(marks, ordered=False)


async def count_day(database: Database, app: str, day: Day) -> dict[str, int]:
    """What is counted of the day, as it is stored now. Raises StoreAway."""
    key = day_key(app, str(day))
    within = {"$gte": day.start, "$lt": day.end}
    users, accounts, deliveries = database[DAY_USERS], database[IM_ACCOUNTS], database[DELIVERIES]
    asked: Document = {"lane": lane_of(CALLBACK_CHANNEL, app), "requested_at": within}
    with translated():
        return {
            "senders": await users.count_documents({"day": key, "sent": True}),
            "login_users": await users.count_documents({"day": key, "login": True}),
            "active_users": await users.count_documents({"day": key}),
            "registered": await accounts.count_documents({"app": app, "imported_at": within}),
            "callbacks": await deliveries.count_documents(asked),
            "callbacks_taken": await deliveries.count_documents({**asked, "state": DeliveryState.DELIVERED.value}),
        }


async def count_registered_before(database: Database, app: str, day: Day) -> int:
    """Raises StoreAway."""
    with translated():
        return await database[IM_ACCOUNTS].count_documents({"app": app, "imported_at": {"$lt": day.start}})


async def count_online(database: Database, app: str, now: datetime) -> int:
    """How many accounts are connected at this moment. Raises StoreAway."""
    one_platform: Sequence[Document] = [{f"platforms.{name}.v.status": "Online"} for name in _PLATFORMS]
    stages: list[Document] = [
        {"$match": {"_id": {"$gte": f"{app}/", "$lt": f"{app}0"}}},
        {"$match": {"$or": one_platform}},
    ]
    online = 0
    with translated():
        async for row in await database[PRESENCE].aggregate(stages):
            online += overall(platforms_in(row, now)) == "Online"
    return online


_PLATFORMS = ("iPhone", "Android", "Web", "PC", "iPad", "Mac", "Linux", "Unknown")
"""As `schemas.im.online.platform_of` names them."""


async def write_counts(database: Database, app: str, day: Day, counts: Mapping[str, int], online: int | None) -> None:
    """Raises StoreAway."""
    change: Document = {"$set": {"app": app, "day": str(day), **counts}}
    if online is not None:
        change["$max"] = {"max_online": online}
    with translated():
        await database[DAYS].update_one({"_id": day_key(app, str(day))}, change, upsert=True)
