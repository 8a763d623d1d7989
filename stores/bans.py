"""Bans whose end has come, for the clock."""

from collections.abc import AsyncGenerator
from datetime import datetime

import msgspec

from handlers.accounts import ACCOUNTS
from schemas.account import BanStatus
from stores.mongo import Database, translated


class DueBan(msgspec.Struct, frozen=True):
    """A ban that has ended; (`at`, `seq`) names it among the words on this account's ban."""

    user_id: str
    at: datetime
    seq: int
    until: datetime


async def due_bans(database: Database, now: datetime) -> AsyncGenerator[DueBan, None]:
    """The longest ended first. Raises StoreAway."""
    query = {"ban.v.status": int(BanStatus.BANNED), "ban.v.until": {"$lte": now}}
    with translated():
        async for found in database[ACCOUNTS].find(query, {"ban": 1}).sort("ban.v.until", 1):
            ban = found["ban"]
            yield DueBan(found["_id"], ban["at"], ban["seq"], ban["v"]["until"])
