"""The login log: one document for each change of a session that was counted."""

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from handlers.accounts import LOGIN_LOG
from stores.mongo import Database, Document, translated


class LoginEntry(msgspec.Struct, frozen=True):
    number: int
    user_id: str
    user_name: str | None
    corp_id: str | None
    online: bool
    at: datetime


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions that must all hold; None is none."""

    user_ids: Sequence[str] | None = None
    """An empty one is met by nobody: the accounts asked for do not exist."""
    name: str | None = None
    online: bool | None = None

    @property
    def query(self) -> Document:
        conditions: Document = {}
        if self.user_ids is not None:
            conditions["user_id"] = {"$in": list(self.user_ids)}
        if self.name:
            part = {"$regex": re.escape(self.name), "$options": "i"}
            conditions["$or"] = [{"user_id": self.name}, {"user_name": part}]
        if self.online is not None:
            conditions["online"] = self.online
        return conditions


async def page_of_log(database: Database, wanted: LogFilter, *, skip: int, limit: int) -> tuple[int, list[LoginEntry]]:
    """How many there are in all, and those of one page, the newest first."""
    with translated():
        total = await database[LOGIN_LOG].count_documents(wanted.query)
        cursor = database[LOGIN_LOG].find(wanted.query).sort([("at", -1), ("_id", -1)]).skip(skip).limit(limit)
        rows = await cursor.to_list()
    return total, [LoginEntry(**{field: row[field] for field in LoginEntry.__struct_fields__}) for row in rows]
