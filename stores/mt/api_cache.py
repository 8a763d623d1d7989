"""Cached answers of products, by the person they are about: looked at and mended by operators.

The key is the product and a digest of the person, as the platform makes it: so who knows a
person finds the entry, and the entry does not say who it is about. Values are encrypted.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from schemas.mt.records import MD5
from stores.mongo import Database, translated
from stores.vault import Vault

API_CACHE = "mt_api_cache"
SHOWN = 100


class Person(msgspec.Struct, frozen=True):
    name: str | None = None
    id_card: str | None = None
    mobile: str | None = None
    scene: str | None = None

    @property
    def named(self) -> bool:
        return any((self.name, self.id_card, self.mobile))


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    item: str
    value: str
    expires_at: datetime


def digest_of(person: Person, encryption_type: int) -> str:
    """The middle part of a key: MD5 (2) or SHA256 (3) of the person's fields, joined by bars."""
    text = "|".join(part or "" for part in (person.name, person.id_card, person.mobile, person.scene))
    # MD5 names things here and protects nothing: it is what the platform's keys are made with.
    make = hashlib.md5 if encryption_type == MD5 else hashlib.sha256
    return make(text.encode(), usedforsecurity=False).hexdigest()


def key_of(item: str, digest: str) -> str:
    return f"{item}:{digest}"


class ApiCache:
    """Everything may raise StoreAway; Refused not_configured where there are no keys to encrypt with."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._entries = database[API_CACHE]
        self._vault = vault

    async def put(self, item: str, digest: str, value: str, lasting: timedelta, now: datetime) -> None:
        """In place of what the key has."""
        document = {
            "item": item,
            "digest": digest,
            "value": self._vault.encrypt(value),
            "expires_at": now + lasting,
            "updated_at": now,
        }
        with translated():
            await self._entries.replace_one({"_id": key_of(item, digest)}, document, upsert=True)

    async def find(self, key: str, now: datetime) -> Entry | None:
        """One that has not expired, with its value."""
        with translated():
            document = await self._entries.find_one({"_id": key, "expires_at": {"$gt": now}})
        if document is None:
            return None
        value = self._vault.decrypt(document["value"])
        return Entry(key=document["_id"], item=document["item"], value=value, expires_at=document["expires_at"])

    async def matching(self, item: str | None, digest: str | None, now: datetime) -> Sequence[Entry]:
        """Those of a product, of a person, or of both, without their values; at most SHOWN, which expire last."""
        match = {name: value for name, value in (("item", item), ("digest", digest)) if value is not None}
        with translated():
            found = self._entries.find({**match, "expires_at": {"$gt": now}}, {"value": 0})
            documents = await found.sort([("expires_at", -1)]).limit(SHOWN).to_list()
        return [
            Entry(key=document["_id"], item=document["item"], value="", expires_at=document["expires_at"])
            for document in documents
        ]

    async def change(self, key: str, value: str | None, lasting: timedelta | None, now: datetime) -> bool:
        """Whether there was one to change."""
        changed: dict[str, object] = {"updated_at": now}
        if value is not None:
            changed["value"] = self._vault.encrypt(value)
        if lasting is not None:
            changed["expires_at"] = now + lasting
        with translated():
            result = await self._entries.update_one({"_id": key, "expires_at": {"$gt": now}}, {"$set": changed})
        return bool(result.matched_count)

    async def delete(self, key: str) -> bool:
        """Whether there was one."""
        with translated():
            return bool((await self._entries.delete_one({"_id": key})).deleted_count)
