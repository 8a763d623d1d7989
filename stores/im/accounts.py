"""Accounts and their profiles: one document an account, written and read in the call.

`{_id: APP/USER, app, user, slot, imported_at, gone_at, profile: {TAG: VALUE}, heard: {TAG: TIME}}`. A deleted account
keeps its document, with `gone_at` and no profile; imported again it is a fresh one.
An admin of an app is an account of it, imported or not.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from schemas.im.apps import App
from schemas.im.ids import key_of
from stores.collections import IM_ACCOUNTS
from stores.im.slots import slot_of
from stores.mongo import IDS_PER_FIND, Database, Document, duplicates_in, translated
from stores.shared_find import SharedFind

Profile = Mapping[str, Any]

_ALIVE = {"gone_at": {"$exists": False}}
_GONE = {"gone_at": {"$exists": True}}


async def existing(database: Database, app: App, user_ids: Iterable[str]) -> set[str]:
    """Those that are accounts of the app, its admins among them. Asks the store once per hundred."""
    return await existing_among(database, app.id, app.admins, user_ids)


async def existing_among(
    database: Database, app_id: str, app_admins: frozenset[str], user_ids: Iterable[str]
) -> set[str]:
    """The same, where no more of an app is known than its admins."""
    asked = set(user_ids)
    admins = asked & app_admins
    return admins | {row["user"] async for row in _alive(database, app_id, asked - admins)}


class Accounts:
    """`existing`, for many calls at once."""

    def __init__(self, database: Database) -> None:
        self._documents = SharedFind(database, IM_ACCOUNTS, ("user", "gone_at"))

    async def existing(self, app: App, user_ids: Iterable[str]) -> set[str]:
        """Those that are accounts of the app, its admins among them."""
        asked = set(user_ids)
        admins = asked & app.admins
        found = await self._documents.by_id(key_of(app.id, user) for user in asked - admins)
        return admins | {row["user"] for row in found.values() if "gone_at" not in row}


async def profiles(database: Database, app: App, user_ids: Iterable[str]) -> dict[str, Profile]:
    """The profile of each that is an account of the app: the fields that are set."""
    asked = set(user_ids)
    known: dict[str, Profile] = {admin: {} for admin in asked & app.admins}
    return known | {row["user"]: row.get("profile", {}) async for row in _alive(database, app.id, asked, "profile")}


async def _alive(database: Database, app_id: str, user_ids: Iterable[str], *fields: str) -> AsyncIterator[Document]:
    """User and these fields of each that is imported and not gone."""
    projection = dict.fromkeys(("user", "gone_at", *fields), 1)
    keys = [key_of(app_id, user) for user in user_ids]
    for start in range(0, len(keys), IDS_PER_FIND):
        some = {"_id": {"$in": keys[start : start + IDS_PER_FIND]}}
        with translated():
            rows = await database[IM_ACCOUNTS].find(some, projection).to_list()
        for row in rows:
            if "gone_at" not in row:
                yield row


async def import_accounts(database: Database, app: App, accounts: Mapping[str, Profile], now: datetime) -> None:
    """Make accounts of those that are none; set the fields that are given. A repeat does no harm."""
    alive = {row["user"] async for row in _alive(database, app.id, accounts)}
    writes = [
        _set_profile(app, user, profile, now) if user in alive else _revive(app, user, profile, now)
        for user, profile in accounts.items()
        if profile or user not in alive
    ]
    if not writes:
        return
    try:
        with translated():
            await database[IM_ACCOUNTS].bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        duplicates_in(IM_ACCOUNTS, error)
        # Another call imported some of them at the same moment. Now they are there, and what is given is set.
        await import_accounts(database, app, accounts, now)


def _revive(app: App, user: str, profile: Profile, now: datetime) -> UpdateOne:
    account = {
        "app": app.id,
        "user": user,
        "slot": slot_of(user),
        "imported_at": now,
        "profile": dict(profile),
        "heard": dict.fromkeys(profile, now),
    }
    return UpdateOne({"_id": key_of(app.id, user), **_GONE}, {"$set": account, "$unset": {"gone_at": ""}}, upsert=True)


def _set_profile(app: App, user: str, profile: Profile, now: datetime) -> UpdateOne:
    return UpdateOne({"_id": key_of(app.id, user), **_ALIVE}, _setting(profile, now))


def _setting(profile: Profile, now: datetime) -> Document:
    """With the time, so that a callback about what was before does not put it back (`stores.im.callbacks`)."""
    values = {f"profile.{tag}": value for tag, value in profile.items()}
    return {"$set": values | {f"heard.{tag}": now for tag in profile}}


async def set_profile(database: Database, app: App, user: str, profile: Profile, now: datetime) -> bool:
    """Set these fields of the profile, all of them or none. Whether there is such an account."""
    alive = {"_id": key_of(app.id, user), **_ALIVE}
    with translated():
        written = await database[IM_ACCOUNTS].update_one(alive, _setting(profile, now))
    if written.matched_count:
        return True
    if user in app.admins:
        await import_accounts(database, app, {user: profile}, now)
        return True
    return False


async def delete_accounts(
    database: Database, app: App, user_ids: Sequence[str], now: datetime
) -> tuple[set[str], dict[str, datetime]]:
    """Mark accounts as gone, their profiles with them.

    Returns those that are gone by this call, and of all that are gone since when: a call that
    is repeated, for its end was not heard of, must be able to do again what follows from it.
    """
    deleted = set()
    for user in user_ids:
        with translated():
            written = await database[IM_ACCOUNTS].update_one(
                {"_id": key_of(app.id, user), **_ALIVE}, {"$set": {"gone_at": now}, "$unset": {"profile": ""}}
            )
        if written.modified_count:
            deleted.add(user)
    keys = [key_of(app.id, user) for user in user_ids]
    with translated():
        rows = await database[IM_ACCOUNTS].find({"_id": {"$in": keys}}, {"user": 1, "gone_at": 1}).to_list()
    return deleted, {row["user"]: row["gone_at"] for row in rows if "gone_at" in row}
