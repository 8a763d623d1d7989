"""What callbacks say of profiles and friends, written in the call.

`heard.TAG` of an account is when a callback last said what the field is: one that comes
late, or again, does not put an older value back. Those about friends have no time: the
last to come counts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from pymongo import UpdateOne

from handlers.im.relations import Friend, Relations
from schemas.errors import StoreAway
from schemas.im.apps import App
from schemas.im.ids import key_of
from stores.collections import IM_ACCOUNTS
from stores.im.accounts import existing
from stores.im.relations import Wish, change
from stores.mongo import Database, translated

PAIRS_AT_ONCE = 100
"""The most that `change` takes."""


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


Decide = Callable[[Relations, str, datetime], object]


def made(relations: Relations, other: str, at: datetime) -> None:
    """Who is a friend already stays one as noted; who is blocked here becomes none."""
    relations.befriend(other, Friend(added_at=at, source=""))


def ended(relations: Relations, other: str, at: datetime) -> None:
    relations.unfriend(other)


async def hear_friends(
    database: Database, app: App, pairs: Iterable[tuple[str, str]], became: Decide, at: datetime
) -> None:
    """Each pair is one direction: what became of the second on the list of the first. Only between accounts."""
    named = list(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1]))
    known = await existing(database, app, {user for pair in named for user in pair})
    good = [pair for pair in named if known.issuperset(pair)]
    for start in range(0, len(good), PAIRS_AT_ONCE):
        lists: dict[str, list[str]] = {}
        for user, other in good[start : start + PAIRS_AT_ONCE]:
            lists.setdefault(user, []).append(other)
        wishes = {user: Wish(others, partial(_all, others, became, at)) for user, others in lists.items()}
        done = await change(database, app.id, wishes, at)
        if done.keys() != wishes.keys():
            raise StoreAway("others went on changing the same lists")


def _all(others: Sequence[str], became: Decide, at: datetime, relations: Relations) -> None:
    for other in others:
        became(relations, other, at)
