"""Accounts as they are read, and the settings the gateway writes into their documents.

A document has two writers that share no field: the folder (registers, counters,
`fence`) and the gateway (`settings`). Whether an account is banned is a question
about a moment: a ban whose end has passed is over, whoever has noticed it yet.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from pymongo.errors import DuplicateKeyError

from handlers.accounts import ACCOUNTS, QR_REQUESTS
from schemas.account import AccountStatus, BanStatus
from stores.mongo import Database, Document, translated

MAX_LISTED = 10_000
"""Rows of a list that has no paging."""


class Ban(msgspec.Struct, frozen=True):
    """The newest word on it; (`at`, `seq`) is its place among them."""

    at: datetime
    seq: int
    status: int
    until: datetime | None

    def holds(self, now: datetime) -> bool:
        return self.status == BanStatus.BANNED and (self.until is None or self.until > now)


class Account(msgspec.Struct, frozen=True):
    """One document, its registers opened."""

    user_id: str
    ban: Ban | None
    online: bool
    online_at: datetime | None
    login_request_id: str | None
    profile: Mapping[str, Any]
    settings: Mapping[str, Any]
    first_event_at: datetime | None

    @property
    def status(self) -> AccountStatus:
        return AccountStatus(self.settings.get("status", AccountStatus.ENABLED))

    def banned(self, now: datetime) -> bool:
        return self.ban is not None and self.ban.holds(now)


class AccountFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions that must all hold; None or empty is none. Deleted accounts are left out unless asked for."""

    name: str | None = None
    user_ids: Sequence[str] = ()
    main_user_id: str | None = None
    bound: bool = False
    """Only sub-accounts, whoever's."""
    ascription: str | None = None
    banned: bool | None = None
    status: AccountStatus | None = None
    unlock_from: datetime | None = None
    unlock_to: datetime | None = None
    account_attribute: int | None = None
    classify_ids: Sequence[int] = ()

    def query(self, now: datetime) -> Document:
        conditions: list[Document] = [_of_status(self.status)]
        if self.name:
            conditions.append(_named(self.name))
        if self.main_user_id:
            conditions.append({"settings.main_user_id": self.main_user_id})
        elif self.bound:
            conditions.append({"settings.main_user_id": {"$exists": True}})
        if self.ascription:
            conditions.append({"settings.ascription": self.ascription})
        if self.banned is not None:
            conditions.append(banned_at(now) if self.banned else {"$nor": [banned_at(now)]})
        if bounds := _between(self.unlock_from, self.unlock_to):
            conditions += [banned_at(now), {"ban.v.until": bounds}]
        if self.account_attribute is not None:
            conditions.append({"settings.account_attribute": self.account_attribute})
        if self.classify_ids:
            conditions.append({"profile.classify_id.v": {"$in": list(self.classify_ids)}})
        if self.user_ids:
            conditions.append({"_id": {"$in": list(self.user_ids)}})
        return all_of(conditions)


class Counts(msgspec.Struct, frozen=True):
    """Accounts that are not deleted."""

    total: int
    online: int
    banned: int


class SettingsChange(msgspec.Struct, frozen=True):
    """What to write under `settings` of one account, made if it is not there."""

    user_id: str
    values: Mapping[str, Any]


def all_of(conditions: Iterable[Document]) -> Document:
    """One condition, flat as far as the keys allow: under $and the embedded store finds no index."""
    flat: Document = {}
    clashing = []
    for condition in conditions:
        if flat.keys().isdisjoint(condition):
            flat |= condition
        else:
            clashing.append(condition)
    return {**flat, "$and": clashing} if clashing else flat


def banned_at(now: datetime) -> Document:
    """The condition that a ban holds at that moment."""
    return {"ban.v.status": int(BanStatus.BANNED), "$or": [{"ban.v.until": None}, {"ban.v.until": {"$gt": now}}]}


async def find_account(database: Database, user_id: str) -> Account | None:
    with translated():
        found = await database[ACCOUNTS].find_one({"_id": user_id})
    return to_account(found) if found else None


async def find_by_chat_user_id(database: Database, chat_user_id: str) -> Account | None:
    """The account of that chat user; an account whose chat user id is not known goes by its user id."""
    with translated():
        found = await database[ACCOUNTS].find_one({"profile.chat_user_id.v": chat_user_id}, sort=[("_id", 1)])
    return to_account(found) if found else await find_account(database, chat_user_id)


async def page_of_accounts(
    database: Database, wanted: AccountFilter, now: datetime, *, skip: int, limit: int
) -> tuple[int, list[Account]]:
    """How many there are in all, and those of one page, by user id."""
    query = wanted.query(now)
    with translated():
        total = await database[ACCOUNTS].count_documents(query)
        rows = await database[ACCOUNTS].find(query).sort("_id", 1).skip(skip).limit(limit).to_list()
    return total, [to_account(row) for row in rows]


async def list_accounts(database: Database, wanted: AccountFilter, now: datetime) -> list[Account]:
    """By user id, the first MAX_LISTED."""
    with translated():
        rows = await database[ACCOUNTS].find(wanted.query(now)).sort("_id", 1).limit(MAX_LISTED).to_list()
    return [to_account(row) for row in rows]


async def ids_of_accounts(database: Database, wanted: AccountFilter, now: datetime) -> list[str]:
    with translated():
        return [row["_id"] async for row in database[ACCOUNTS].find(wanted.query(now), {"_id": 1})]


async def count_accounts(database: Database, now: datetime) -> Counts:
    present = _of_status(None)
    with translated():
        return Counts(
            total=await database[ACCOUNTS].count_documents(present),
            online=await database[ACCOUNTS].count_documents({**present, "online.v.online": True}),
            banned=await database[ACCOUNTS].count_documents({**present, **banned_at(now)}),
        )


async def latest_qr_request(database: Database, user_id: str) -> tuple[str, datetime] | None:
    """Request id and time of the newest request for a login code."""
    with translated():
        found = await database[QR_REQUESTS].find_one({"user_id": user_id}, sort=[("at", -1), ("_id", -1)])
    return (found["request_id"], found["at"]) if found else None


async def write_settings(database: Database, changes: Sequence[SettingsChange], now: datetime) -> None:
    """Write them all. Safe to repeat. Raises StoreAway; then some may have been written."""
    for change in changes:
        try:
            await _write(database, change, now)
        except DuplicateKeyError:
            # The folder made the document at the same moment: it is there now, and stays.
            await _write(database, change, now)


async def _write(database: Database, change: SettingsChange, now: datetime) -> None:
    values = {f"settings.{name}": value for name, value in {**change.values, "updated_at": now}.items()}
    update = {"$set": values, "$min": {"settings.created_at": now}}
    with translated():
        await database[ACCOUNTS].update_one({"_id": change.user_id}, update, upsert=True)


async def unbind(database: Database, main_user_id: str, user_ids: Sequence[str], now: datetime) -> None:
    """Take sub-accounts from a main account; those of another main account stay with it."""
    with translated():
        await database[ACCOUNTS].update_many(
            {"_id": {"$in": list(user_ids)}, "settings.main_user_id": main_user_id},
            {"$unset": {"settings.main_user_id": ""}, "$set": {"settings.updated_at": now}},
        )


async def mark_deleted(database: Database, user_id: str, now: datetime) -> bool:
    """Whether there was such an account. Nothing is made of one that was not."""
    with translated():
        result = await database[ACCOUNTS].update_one(
            {"_id": user_id},
            {"$set": {"settings.status": int(AccountStatus.DELETED), "settings.updated_at": now}},
        )
    return result.matched_count == 1


def to_account(document: Document) -> Account:
    online = document.get("online")
    ban = document.get("ban")
    return Account(
        user_id=document["_id"],
        ban=Ban(ban["at"], ban["seq"], ban["v"]["status"], ban["v"]["until"]) if ban else None,
        online=bool(online and online["v"]["online"]),
        online_at=online["at"] if online else None,
        login_request_id=online["v"]["request_id"] if online else None,
        profile={field: register["v"] for field, register in document.get("profile", {}).items()},
        settings=document.get("settings", {}),
        first_event_at=document.get("first_event_at"),
    )


def _of_status(status: AccountStatus | None) -> Document:
    match status:
        case None:
            return {"settings.status": {"$ne": int(AccountStatus.DELETED)}}
        case AccountStatus.ENABLED:
            return {"settings.status": {"$in": [int(status), None]}}  # None: where nobody has set one
    return {"settings.status": int(status)}


def _named(name: str) -> Document:
    """The user id itself, or a part of a name."""
    part = {"$regex": re.escape(name), "$options": "i"}
    return {"$or": [{"_id": name}, {"profile.name.v": part}, {"settings.short_name": part}]}


def _between(earliest: datetime | None, latest: datetime | None) -> Document:
    bounds = {"$gte": earliest, "$lte": latest}
    return {operator: bound for operator, bound in bounds.items() if bound is not None}
