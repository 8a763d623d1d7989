"""/mt/crm/api/*Cache*: cached answers of products, found by the person they are about."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from schemas.errors import Refused
from schemas.mt.codes import MtRefused
from schemas.mt.record_codes import CACHE_NOT_FOUND
from schemas.mt.records import AddCacheRequest, CacheEntry, CacheKeyRequest, CacheQuery, EditCacheRequest
from stores.mt.api_cache import ApiCache, Entry, Person, digest_of
from stores.mt.names import product_names
from stores.mt.products import find_product


class Cache:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._cache = ApiCache(tools.database, tools.vault)

    async def matching(self, asked: Asked) -> Reply:
        """By product, by person, or by both; values are shown one by one only."""
        query: CacheQuery = asked.body
        person = Person(query.name, query.id_card, query.mobile)
        if not person.named and query.check_item is None:
            raise Refused("bad_field", "checkItem, or who it is about: name, idCard, mobile")
        digest = digest_of(person, query.encryption_type) if person.named else None
        entries = await self._cache.matching(query.check_item, digest, asked.at)
        names = await product_names(self._database, {entry.item for entry in entries})
        return Reply([_row(entry, names, asked.at) for entry in entries])

    async def detail(self, asked: Asked) -> Reply:
        body: CacheKeyRequest = asked.body
        entry = await self._cache.find(body.cache_key, asked.at)
        if entry is None:
            raise _not_found()
        row = _row(entry, await product_names(self._database, {entry.item}), asked.at)
        row.cache_value = entry.value
        return Reply(row)

    async def add(self, asked: Asked) -> Reply:
        """In place of what is there for the same product and person."""
        body: AddCacheRequest = asked.body
        person = Person(body.name, body.id_card, body.mobile, body.scene)
        if not person.named:
            raise Refused("bad_field", "who it is about is missing: name, idCard or mobile")
        await find_product(self._database, body.check_item)
        lasting = timedelta(seconds=body.expire_seconds)
        digest = digest_of(person, body.encryption_type)
        await self._cache.put(body.check_item, digest, body.cache_value, lasting, asked.at)
        return Reply()

    async def edit(self, asked: Asked) -> Reply:
        """An empty value changes only the expiry."""
        body: EditCacheRequest = asked.body
        if not body.cache_value and body.expire_seconds is None:
            raise Refused("bad_field", "cacheValue or expireSeconds is expected")
        lasting = None if body.expire_seconds is None else timedelta(seconds=body.expire_seconds)
        if not await self._cache.change(body.cache_key, body.cache_value or None, lasting, asked.at):
            raise _not_found()
        return Reply()

    async def delete(self, asked: Asked) -> Reply:
        body: CacheKeyRequest = asked.body
        if not await self._cache.delete(body.cache_key):
            raise _not_found()
        return Reply()


def _not_found() -> MtRefused:
    return MtRefused(CACHE_NOT_FOUND, "there is no such cache entry, or it has expired")


def _row(entry: Entry, names: dict[str, str], now: datetime) -> CacheEntry:
    left = entry.expires_at - now
    return CacheEntry(
        check_item=entry.item,
        item_name=names.get(entry.item),
        cache_key=entry.key,
        expire_seconds=int(left.total_seconds()),
        expire_seconds_desc=left_text(left),
    )


def left_text(left: timedelta) -> str:
    """`2 d 03:04:05`."""
    hours, rest = divmod(left.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{left.days} d {hours:02}:{minutes:02}:{seconds:02}"


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = Cache(tools)
    return (
        MtOperation("crmApiCacheList", "POST", "/mt/crm/api/cacheList", own.matching, CacheQuery),
        MtOperation("crmApiCacheDetail", "POST", "/mt/crm/api/cacheDetail", own.detail, CacheKeyRequest),
        MtOperation("crmApiAddCache", "POST", "/mt/crm/api/addCache", own.add, AddCacheRequest),
        MtOperation("crmApiEditCache", "POST", "/mt/crm/api/editCache", own.edit, EditCacheRequest),
        MtOperation("crmApiDeleteCache", "POST", "/mt/crm/api/deleteCache", own.delete, CacheKeyRequest),
    )
