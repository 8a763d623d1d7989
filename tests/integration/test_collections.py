"""Indexes: made once, missed by name, and used by the queries they are for."""

from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from stores.accounts import AccountFilter, SettingsChange, find_account, page_of_accounts, write_settings
from stores.collections import COLLECTIONS, ensure_indexes, missing_indexes
from stores.mongo import Database

NOW = datetime(2026, 5, 1, tzinfo=UTC)


async def test_what_is_missing_is_named_and_made_once(database: Database) -> None:
    declared = [f"{collection}.{index.name}" for collection, indexes in COLLECTIONS.items() for index in indexes]
    assert len(set(declared)) == len(declared)

    assert await missing_indexes(database) == declared
    assert await ensure_indexes(database) == declared
    assert await missing_indexes(database) == []
    assert await ensure_indexes(database) == []

    await database["accounts"].drop_index("ban.v.until_1")
    assert await missing_indexes(database) == ["accounts.ban.v.until_1"]


async def test_what_was_only_seen_is_forgotten_after_thirty_days(database: Database) -> None:
    await ensure_indexes(database)

    for collection in ("seen_events", "qr_requests", "linker_requests"):
        indexes = await database[collection].index_information()
        assert indexes["recorded_at_1"]["expireAfterSeconds"] == 30 * 24 * 3600


async def test_settings_touch_neither_the_fence_nor_what_is_folded(database: Database) -> None:
    folded = {"fence": {"accounts~x-0": 7}, "logins": 3, "online": {"at": NOW, "seq": 2, "v": {"online": True}}}
    await database["accounts"].insert_one({"_id": "u1", **folded})

    changes = [SettingsChange("u1", {"status": 0}), SettingsChange("u2", {"sale_no": "S"})]
    await write_settings(database, changes, NOW)

    written = await database["accounts"].find_one({"_id": "u1"})
    assert written == {"_id": "u1", **folded, "settings": {"status": 0, "updated_at": NOW, "created_at": NOW}}
    made = await database["accounts"].find_one({"_id": "u2"})
    assert made.keys() == {"_id", "settings"}


class Raced:
    """The accounts, made by somebody else in the middle of each first write."""

    def __init__(self, database: Database) -> None:
        self._accounts = database["accounts"]

    def __getitem__(self, _name: str) -> "Raced":
        return self

    async def update_one(self, query: dict[str, str], *args: object, **kwargs: object) -> None:
        if await self._accounts.find_one(query) is None:
            await self._accounts.insert_one({**query, "logins": 1})
            raise DuplicateKeyError("E11000")
        await self._accounts.update_one(query, *args, **kwargs)


async def test_settings_are_written_where_the_folder_made_the_account_at_that_moment(database: Database) -> None:
    await write_settings(Raced(database), [SettingsChange("u1", {"status": 0})], NOW)

    written = await database["accounts"].find_one({"_id": "u1"})
    assert (written["logins"], written["settings"]["status"]) == (1, 0)


async def test_numbers_of_64_bits_come_back_as_plain_integers(database: Database) -> None:
    ban = {"at": NOW, "seq": 2**40, "v": {"status": 2, "until": None}}
    profile = {"classify_id": {"at": NOW, "seq": 2, "v": 2**40}}
    await database["accounts"].insert_one({"_id": "u1", "ban": ban, "profile": profile})

    account = await find_account(database, "u1")

    assert account is not None
    assert account.ban is not None
    assert type(account.ban.seq) is int
    assert type(account.profile["classify_id"]) is int
    total, [found] = await page_of_accounts(database, AccountFilter(classify_ids=(2**40,)), NOW, skip=0, limit=5)
    assert (total, found) == (1, account)
