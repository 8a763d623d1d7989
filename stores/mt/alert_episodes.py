"""Episodes of error alerts: one document each, by account, product and number.

Who inserts a number has opened that episode, who sets its end has closed it: of two sentinels that
come to the same, one does. What is open or not told yet is `pending`, so a crash in the middle
leaves nothing untold: it is told again, under the same id.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from pymongo.errors import DuplicateKeyError

from handlers.alerts import Episode
from schemas.times import unix_milliseconds
from stores.mongo import Database, translated

ALERT_EPISODES = "alert_episodes"
RECENT = 50
"""Episodes of one account and product that are looked at; so many do not fit into the time that failures are kept."""


class KeptEpisode(msgspec.Struct, rename={"id": "_id"}, kw_only=True):
    id: str
    key: str
    """`<dept id>/<product>`."""
    number: int
    merchant_id: int
    dept_id: int
    item: str
    error_count: int
    """Of the rule, when it was raised."""
    period_seconds: int
    errors: int
    """Failures in the period then."""
    opened_at: datetime
    closed_at: datetime | None = None
    pending: bool = True
    told_raised: bool = False

    @property
    def episode(self) -> Episode:
        closed = None if self.closed_at is None else unix_milliseconds(self.closed_at)
        return Episode(self.number, unix_milliseconds(self.opened_at), closed)


class AlertEpisodes:
    """The collection. Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._episodes = database[ALERT_EPISODES]

    async def of(self, key: str) -> list[KeptEpisode]:
        """The newest of an account and product, oldest first."""
        with translated():
            found = await self._episodes.find({"key": key}).sort([("number", -1)]).limit(RECENT).to_list()
        return [msgspec.convert(each, KeptEpisode) for each in reversed(found)]

    async def pending(self) -> list[KeptEpisode]:
        """Those that are open, or of which not all is told."""
        with translated():
            found = await self._episodes.find({"pending": True}).sort([("_id", 1)]).to_list()
        return [msgspec.convert(each, KeptEpisode) for each in found]

    async def open(self, episode: KeptEpisode) -> bool:
        """False where somebody else has opened it."""
        try:
            with translated():
                await self._episodes.insert_one(msgspec.to_builtins(episode, builtin_types=(datetime,)))
        except DuplicateKeyError:
            return False
        return True

    async def close(self, episode_id: str, closed_at: datetime) -> bool:
        """False where somebody else has closed it."""
        with translated():
            changed = await self._episodes.update_one(
                {"_id": episode_id, "closed_at": None}, {"$set": {"closed_at": closed_at}}
            )
        return changed.modified_count == 1

    async def told_raised(self, episode_id: str) -> None:
        with translated():
            await self._episodes.update_one({"_id": episode_id}, {"$set": {"told_raised": True}})

    async def told_all(self, episode_id: str) -> None:
        """Nothing more is to be done about it."""
        with translated():
            await self._episodes.update_one({"_id": episode_id}, {"$set": {"pending": False}})


def latest(episodes: Sequence[KeptEpisode]) -> list[Episode]:
    return [each.episode for each in episodes]
