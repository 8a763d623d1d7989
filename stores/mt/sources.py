"""Sources of data, and the upstream configurations by which products are got from them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
from pymongo.errors import DuplicateKeyError

from handlers.products.prices import EVER, effect_time
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.product_codes import CODE_TAKEN, IN_USE
from stores.mongo import Database, translated
from stores.mt.numbers import next_number
from stores.mt.pages import find_by
from stores.mt.revisions import bump

SOURCES = "mt_sources"
UPSTREAMS = "mt_upstreams"


class Source(msgspec.Struct, rename={"id": "_id"}, kw_only=True):
    id: int
    code: str
    name: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


class Cost(msgspec.Struct, frozen=True):
    """What a call to an upstream costs us from a moment on, in micro-units."""

    since: datetime
    cost_micro: int


class Upstream(msgspec.Struct, rename={"id": "_id"}, kw_only=True):
    id: int
    source_id: int
    source_code: str
    item: str
    service: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    priority: int = 0
    costs: tuple[Cost, ...] = ()
    """Ascending; a change appends."""
    cost_detail: str | None = None
    scene: str = ""
    req_key: str | None = None
    secret: str | None = None
    """Encrypted with the vault."""
    req_url: str | None = None
    extra: str | None = None


# ---- sources --------------------------------------------------------------------------------------------------------


async def find_source(database: Database, number: int) -> Source:
    """Refuses not_found. Raises StoreAway."""
    return await _source(database, {"_id": number}, f"source {number}")


async def find_source_by_code(database: Database, code: str) -> Source | None:
    """Raises StoreAway."""
    with translated():
        found = await database[SOURCES].find_one({"code": code, "deleted_at": None})
    return None if found is None else msgspec.convert(found, Source)


async def sources_of(database: Database, numbers: Collection[int]) -> dict[int, Source]:
    """Those that there are or were, by id. Raises StoreAway."""
    found = await find_by(database, SOURCES, "_id", numbers)
    return {document["_id"]: msgspec.convert(document, Source) for document in found}


async def add_source(database: Database, code: str, name: str, at: datetime) -> int:
    """The id of the new source, or of a deleted one that comes again. Refuses CODE_TAKEN. Raises StoreAway."""
    source = Source(id=await next_number(database, SOURCES), code=code, name=name, created_at=at, updated_at=at)
    try:
        with translated():
            await database[SOURCES].insert_one(_document(source))
    except DuplicateKeyError:
        return await _revive(database, code, name, at)
    return source.id


async def _revive(database: Database, code: str, name: str, at: datetime) -> int:
    with translated():
        revived = await database[SOURCES].find_one_and_update(
            {"code": code, "deleted_at": {"$gt": EVER}}, {"$set": {"name": name, "updated_at": at, "deleted_at": None}}
        )
    if revived is None:
        raise MtRefused(CODE_TAKEN, f"there is a source {code} already")
    return int(revived["_id"])


async def rename_source(database: Database, number: int, name: str, at: datetime) -> None:
    """Refuses not_found. Raises StoreAway."""
    with translated():
        changed = await database[SOURCES].update_one(
            {"_id": number, "deleted_at": None}, {"$set": {"name": name, "updated_at": at}}
        )
    if changed.matched_count == 0:
        raise not_found(f"source {number}")


async def delete_source(database: Database, number: int, at: datetime) -> None:
    """Refuses not_found, and IN_USE while products are got from it. Raises StoreAway."""
    await find_source(database, number)
    with translated():
        used = await database[UPSTREAMS].count_documents({"source_id": number, "deleted_at": None})
        if used:
            raise MtRefused(IN_USE, f"source {number} has {used} upstream configurations: delete them first")
        await database[SOURCES].update_one({"_id": number}, {"$set": {"deleted_at": at, "updated_at": at}})


# ---- upstream configurations ----------------------------------------------------------------------------------------


async def find_upstream(database: Database, number: int) -> Upstream:
    """Refuses not_found. Raises StoreAway."""
    with translated():
        found = await database[UPSTREAMS].find_one({"_id": number, "deleted_at": None})
    if found is None:
        raise not_found(f"upstream configuration {number}")
    return msgspec.convert(found, Upstream)


async def upstreams_of(database: Database, numbers: Collection[int]) -> dict[int, Upstream]:
    """Those that are there, by id. Raises StoreAway."""
    found = await find_by(database, UPSTREAMS, "_id", numbers, {"deleted_at": None})
    return {document["_id"]: msgspec.convert(document, Upstream) for document in found}


async def upstreams_with(database: Database, item: str) -> int:
    """How many configurations a product has. Raises StoreAway."""
    with translated():
        return await database[UPSTREAMS].count_documents({"item": item, "deleted_at": None})


async def same_upstream(database: Database, source_id: int, item: str, service: str, scene: str) -> Upstream | None:
    """The configuration of that source, product, class and scene: what it is known by in another environment."""
    match = {"source_id": source_id, "item": item, "service": service, "scene": scene, "deleted_at": None}
    with translated():
        found = await database[UPSTREAMS].find_one(match)
    return None if found is None else msgspec.convert(found, Upstream)


async def add_upstream(
    database: Database, source: Source, item: str, fields: Mapping[str, Any], cost_micro: int | None, at: datetime
) -> int:
    """The id of the new configuration. Its first cost holds since ever. Raises StoreAway."""
    upstream = msgspec.convert(
        {
            **fields,
            "_id": await next_number(database, UPSTREAMS),
            "source_id": source.id,
            "source_code": source.code,
            "item": item,
            "costs": [] if cost_micro is None else [{"since": EVER, "cost_micro": cost_micro}],
            "created_at": at,
            "updated_at": at,
        },
        Upstream,
    )
    with translated():
        await database[UPSTREAMS].insert_one(_document(upstream))
    await bump(database)
    return upstream.id


async def edit_upstream(
    database: Database, upstream: Upstream, fields: Mapping[str, Any], cost_micro: int | None, at: datetime
) -> None:
    """Set some fields; another cost is appended and holds from a second on. Refuses not_found. Raises StoreAway."""
    change: dict[str, Any] = {"$set": {**fields, "updated_at": at}}
    if cost_micro is not None and (not upstream.costs or upstream.costs[-1].cost_micro != cost_micro):
        since = effect_time(None, at) if upstream.costs else EVER
        change["$push"] = {"costs": {"since": since, "cost_micro": cost_micro}}
    with translated():
        changed = await database[UPSTREAMS].update_one({"_id": upstream.id, "deleted_at": None}, change)
    if changed.matched_count == 0:
        raise not_found(f"upstream configuration {upstream.id}")
    await bump(database)


async def delete_upstream(database: Database, number: int, at: datetime) -> None:
    """Refuses not_found. What it cost stays known: calls that were made are still to be rated. Raises StoreAway."""
    with translated():
        changed = await database[UPSTREAMS].update_one(
            {"_id": number, "deleted_at": None}, {"$set": {"deleted_at": at, "updated_at": at}}
        )
    if changed.matched_count == 0:
        raise not_found(f"upstream configuration {number}")
    await bump(database)


async def _source(database: Database, match: Mapping[str, Any], what: str) -> Source:
    with translated():
        found = await database[SOURCES].find_one({**match, "deleted_at": None})
    if found is None:
        raise not_found(what)
    return msgspec.convert(found, Source)


def _document(struct: Source | Upstream) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(struct, builtin_types=(datetime,))
    return document
