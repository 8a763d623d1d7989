"""Where accounts are online; `handlers.im.presence` says what the documents hold."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from handlers.im.presence import PRESENCE
from schemas.im.ids import key_of
from schemas.im.online import Status
from stores.mongo import IDS_PER_FIND, Database, Document, translated
from stores.shared_find import SharedFind

Platforms = dict[str, Status]
"""Platforms on which an account is not offline."""

REACHABLE = timedelta(days=7)
"""How long after its last sign of life an account that is not connected counts as reachable by push."""


async def platforms_of(database: Database, app_id: str, user_ids: Iterable[str], now: datetime) -> dict[str, Platforms]:
    """Of each user; none where nothing is known. Asks the store once per hundred."""
    users = {key_of(app_id, user): user for user in user_ids}
    keys = list(users)
    platforms: dict[str, Platforms] = {key: {} for key in users.values()}
    for start in range(0, len(keys), IDS_PER_FIND):
        with translated():
            rows = await database[PRESENCE].find({"_id": {"$in": keys[start : start + IDS_PER_FIND]}}).to_list()
        platforms |= {users[row["_id"]]: platforms_in(row, now) for row in rows}
    return platforms


class Presence:
    """`platforms_of`, for many calls at once."""

    def __init__(self, database: Database) -> None:
        self._documents = SharedFind(database, PRESENCE)

    async def platforms_of(self, app_id: str, user_ids: Iterable[str], now: datetime) -> dict[str, Platforms]:
        """Of each user; none where nothing is known."""
        keys = {user: key_of(app_id, user) for user in user_ids}
        found = await self._documents.by_id(keys.values())
        return {user: platforms_in(found.get(key, {}), now) for user, key in keys.items()}


def platforms_in(document: Document, now: datetime) -> Platforms:
    """By name."""
    ended_at = document.get("ended_at")
    found: Platforms = {}
    for name, register in sorted(document.get("platforms", {}).items()):
        at, status = register["at"], register["v"]["status"]
        over = ended_at is not None and at <= ended_at
        lost = status == "PushOnline" and now - at >= REACHABLE
        if status != "Offline" and not over and not lost:
            found[name] = status
    return found


def overall(platforms: Platforms) -> Status:
    """The best of them."""
    for status in ("Online", "PushOnline"):
        if status in platforms.values():
            return status
    return "Offline"
