"""The store on MongoDB: effects become update operators, driver errors become ours.

Writes are acknowledged by the majority and journaled: an offset is committed on
the strength of them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.int64 import Int64
from pymongo import AsyncMongoClient, InsertOne, UpdateOne, WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    ExecutionTimeout,
    PyMongoError,
    WaitQueueTimeoutError,
    WriteConcernError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from config.settings import MongoSettings
from handlers.effects import AddToSet, FieldEffect, Inc, IncAbove, Latest, Max, Min, Recount, Set
from schemas.errors import StoreAway
from schemas.events import Origin
from stores.store import Counted, FactDocument, Fenced

Document = dict[str, Any]
Database = AsyncDatabase[Document]
DUPLICATE_KEY = 11000
IDS_PER_FIND = 100
"""The embedded store's time for a list of ids grows with its square: 5,000 at once took 15 s, in hundreds 0.7 s."""


class _PlainInteger(TypeDecoder):
    """64-bit integers as `int`: the driver's own subclass of it is refused by the JSON encoder."""

    bson_type = Int64

    def transform_bson(self, value: int) -> int:
        return int(value)


CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=UTC, type_registry=TypeRegistry([_PlainInteger()]))


class MongoStore:
    """The operations of `stores.store.Store` on a MongoDB database.

    What must never be undone is read by the majority. What must not miss anything
    acknowledged is not: a new primary has it, but may not know yet that the majority has.
    """

    def __init__(self, database: Database, parallel_writes: int) -> None:
        # Only the primary has all that was acknowledged.
        self._database = database.with_options(read_preference=ReadPreference.PRIMARY)
        self._turns = asyncio.Semaphore(parallel_writes)

    async def insert_facts(self, collection: str, facts: Sequence[FactDocument]) -> dict[str, Origin]:
        recorded_at = datetime.now(UTC)
        inserts = [
            InsertOne(
                {
                    "_id": fact.id,
                    "origin": {"fence": fact.origin.fence, "offset": fact.origin.offset},
                    "recorded_at": recorded_at,
                    **fact.body,
                }
            )
            for fact in facts
        ]
        duplicates = await self._bulk(collection, inserts)
        if not duplicates:
            return {}
        ids = [facts[index].id for index in duplicates]
        # By the majority: a fact that a failover could take back must not pass for stored.
        origins = await self._origins(collection, ids, "majority")
        if len(origins) < len(ids):
            # Expired meanwhile, or a new primary does not know yet what the majority has. Never to be taken for fresh.
            raise StoreAway(f"{collection}: {len(ids) - len(origins)} facts were there and are not found")
        return origins

    async def upsert_fenced(self, collection: str, updates: Sequence[Fenced]) -> list[int]:
        return await self._bulk(
            collection,
            [UpdateOne(fence_filter(update), to_operators(update), upsert=True) for update in updates],
        )

    async def update_fenced(self, collection: str, updates: Sequence[Fenced]) -> None:
        await self._bulk(collection, [UpdateOne(fence_filter(update), to_operators(update)) for update in updates])

    async def fences(self, collection: str, keys: Sequence[str], fence: str) -> dict[str, int]:
        found = await self._found(collection, keys, [f"fence.{fence}"], "majority")
        return {document["_id"]: document["fence"][fence] for document in found if fence in document.get("fence", {})}

    async def values(self, collection: str, keys: Sequence[str], fields: Sequence[str]) -> dict[str, Document]:
        return {
            document["_id"]: {path: value for path in fields if (value := _at(document, path)) is not None}
            for document in await self._found(collection, keys, fields, "majority")
        }

    async def origins(self, collection: str, ids: Sequence[str]) -> dict[str, Origin]:
        return await self._origins(collection, ids, "local")

    async def _origins(self, collection: str, ids: Sequence[str], concern: str) -> dict[str, Origin]:
        found = await self._found(collection, ids, ["origin"], concern)
        return {document["_id"]: Origin(**document["origin"]) for document in found}

    async def count_facts(self, collection: str, asked: Sequence[Counted]) -> list[int]:
        facts = self._database.get_collection(collection, read_concern=ReadConcern("local"))

        async def count(counted: Counted) -> int:
            async with self._turns:
                found = await (await facts.aggregate(counting(counted))).to_list()
            return int(found[0]["n"]) if found else 0

        with translated():
            return await asyncio.gather(*(count(counted) for counted in asked))

    async def _found(self, collection: str, ids: Sequence[str], fields: Sequence[str], concern: str) -> list[Document]:
        """Some fields of each document that is there."""
        documents = self._database.get_collection(collection, read_concern=ReadConcern(concern))
        wanted = dict.fromkeys(fields, 1)
        found: list[Document] = []
        for start in range(0, len(ids), IDS_PER_FIND):
            some = list(ids[start : start + IDS_PER_FIND])
            with translated():
                found += await documents.find({"_id": {"$in": some}}, wanted).to_list()
        return found

    async def _bulk(self, collection: str, writes: Sequence[InsertOne[Document] | UpdateOne]) -> list[int]:
        """Unordered; returns the indexes that met a duplicate key, ascending."""
        try:
            with translated():
                async with self._turns:
                    await self._database[collection].bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            return duplicates_in(collection, error)
        return []


def _at(document: Document, path: str) -> Any:
    """The value at a path; None if there is none, or null."""
    place: Any = document
    for name in path.split("."):
        place = place.get(name) if isinstance(place, dict) else None
    return place


def duplicates_in(collection: str, error: BulkWriteError) -> list[int]:
    """Raises RuntimeError for any other kind: without the documents, which the driver's error carries along."""
    for other in error.details["writeErrors"]:
        if other["code"] != DUPLICATE_KEY:
            raise RuntimeError(f"{collection}: error {other['code']}: {other['errmsg'][:200]}") from None
    if concern := error.details.get("writeConcernErrors"):
        raise StoreAway(f"{collection}: {concern[0]}") from None
    return sorted(duplicate["index"] for duplicate in error.details["writeErrors"])


def fence_filter(update: Fenced) -> Document:
    # Not >= first, rather than < first: it must hold where the field is missing too.
    # And first, not last: a redelivery may cut the batch elsewhere.
    below: Document = {"_id": update.key, f"fence.{update.fence}": {"$not": {"$gte": update.first}}}
    if update.seen is None:
        return below
    return {**below, "fence": dict(update.seen) if update.seen else {"$exists": False}}


def to_operators(update: Fenced) -> Document:
    operators: Document = {"$set": {f"fence.{update.fence}": update.last}}
    for field, effect in update.change.items():
        operator, operand = _operator(effect)
        operators.setdefault(operator, {})[field] = operand
    return operators


def _operator(effect: FieldEffect) -> tuple[str, Any]:
    match effect:
        case Inc(by):
            return "$inc", by
        case Set(value):
            return "$set", value
        case Max(value):
            return "$max", value
        case Min(value):
            return "$min", value
        case AddToSet(members):
            return "$addToSet", {"$each": list(members)}
        case Latest():
            # Documents compare field by field in order, so {at, seq, v} is a last-writer register.
            return "$max", effect.register
        case Recount() | IncAbove():
            raise TypeError(f"{effect!r} has not been counted")


def counting(counted: Counted) -> list[Document]:
    """A pipeline that gives `{n}`, or nothing where nothing matches."""
    matching: Document = dict(counted.match)
    if counted.field is not None and counted.bound is not None:
        matching[counted.field] = {"$gt": counted.bound}
    within = [{"origin.fence": fence, "origin.offset": {"$lte": last}} for fence, last in counted.within.items()]
    # Two stages, though one would say the same: beside a field that is in no index, and beside
    # any $or or $nor, the embedded store walks the whole collection. MongoDB makes one of them.
    return [{"$match": matching}, {"$match": {"$or": within}}, {"$count": "n"}]


@contextmanager
def translated() -> Iterator[None]:
    """The one place where a driver's error becomes StoreAway; what is left is a bug or a BulkWriteError."""
    try:
        yield
    except (ConnectionFailure, AutoReconnect, ExecutionTimeout, WaitQueueTimeoutError, WriteConcernError) as error:
        raise StoreAway(_brief(error)) from error
    except PyMongoError as error:
        if error.has_error_label("RetryableWriteError") or error.has_error_label("TransientTransactionError"):
            raise StoreAway(_brief(error)) from error
        raise


def _brief(error: PyMongoError) -> str:
    """What the driver says, without the dump of settings and topology that follows it."""
    return f"{type(error).__name__}: {str(error).partition(' (configured timeouts')[0][:200]}"


@asynccontextmanager
async def open_database(settings: MongoSettings) -> AsyncIterator[Database]:
    """The database, not yet contacted: operations raise StoreAway while it is away and work once it is back."""
    milliseconds = int(settings.timeout_seconds * 1000)
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        settings.uri.get_secret_value(),
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        appname="fanfold",
    )
    try:
        yield client.get_database(
            settings.database, codec_options=CODEC, write_concern=WriteConcern(w="majority", j=True)
        )
    finally:
        await client.close()
