"""Call records on MongoDB.

What must never be undone is read by the majority, what must not miss anything acknowledged
is not: as in `stores.mongo`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import InsertOne
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from handlers.usage.records import STORED_FIELDS, USAGE_RECORDS, Stored, stored_of
from schemas.errors import StoreAway
from stores.mongo import IDS_PER_FIND, Database, Document, duplicates_in, translated
from stores.usage.store import Given, NewRecord, Revision

_WANTED = dict.fromkeys(STORED_FIELDS, 1)


class UsageRecords:
    """The operations of `stores.usage.store.UsageStore` on a MongoDB database."""

    def __init__(self, database: Database, parallel_writes: int) -> None:
        # Only the primary has all that was acknowledged.
        self._database = database.with_options(read_preference=ReadPreference.PRIMARY)
        self._turns = asyncio.Semaphore(parallel_writes)

    async def insert(self, records: Sequence[NewRecord]) -> dict[str, Stored | None]:
        recorded_at = datetime.now(UTC)
        inserts = [
            InsertOne(
                {
                    "_id": record.seq_no,
                    "origin": {"fence": record.origin.fence, "offset": record.origin.offset},
                    "recorded_at": recorded_at,
                    **record.body,
                }
            )
            for record in records
        ]
        refused = [records[index] for index in await self._bulk(inserts)]
        if not refused:
            return {}
        there = await self._stored([record.seq_no for record in refused], "majority")
        missing = [record for record in refused if record.seq_no not in there]
        for record in missing:
            await self._check_given_away(record)
        return {**there, **{record.seq_no: None for record in missing}}

    async def stored(self, seq_nos: Sequence[str]) -> dict[str, Stored]:
        return await self._stored(seq_nos, "local")

    async def settled(self, seq_nos: Sequence[str]) -> dict[str, Stored]:
        return await self._stored(seq_nos, "majority")

    async def document(self, seq_no: str) -> Mapping[str, Any] | None:
        with translated():
            found: Document | None = await self._records("local").find_one({"_id": seq_no})
        return found

    async def given(self, grants: Sequence[str]) -> dict[str, Given]:
        return {grant: await self._given(grant) for grant in grants}

    async def revise(self, revision: Revision) -> bool:
        update: Document = {
            "$set": {**revision.sets, "revision": revision.number + 1},
            "$push": {"changes": dict(revision.change)},
        }
        if revision.unsets:
            update["$unset"] = dict.fromkeys(revision.unsets, "")
        as_it_was = revision.number or {"$exists": False}
        try:
            with translated():
                result = await self._database[USAGE_RECORDS].update_one(
                    {"_id": revision.seq_no, "revision": as_it_was}, update
                )
        except DuplicateKeyError:
            return False
        return result.matched_count > 0

    async def _given(self, grant: str) -> Given:
        given = await self._given_as(grant, "local")
        if given != await self._given_as(grant, "majority"):
            raise StoreAway(f"{USAGE_RECORDS}: a free call was given just now, which may be taken back")
        return given

    async def _given_as(self, grant: str, concern: str) -> Given:
        records = self._records(concern)
        of_grant = {"free.grant": grant, "free.no": {"$exists": True}}
        summed = [{"$match": of_grant}, {"$group": {"_id": None, "n": {"$sum": 1}, "highest": {"$max": "$free.no"}}}]
        with translated():
            found = await (await records.aggregate(summed)).to_list()
            if not found:
                return Given()
            highest, count = int(found[0]["highest"]), int(found[0]["n"])
            if count == highest:
                return Given(highest)
            numbers = await records.find(of_grant, {"_id": 0, "free.no": 1}).to_list()
        given = {number["free"]["no"] for number in numbers}
        highest = max(given)
        return Given(highest, [number for number in range(1, highest) if number not in given])

    async def _check_given_away(self, record: NewRecord) -> None:
        """Raise StoreAway unless it was its free call that was there already."""
        if "free" in record.body and await self.document(record.seq_no) is None:
            return
        # A new primary does not know yet what the majority has. Never to be taken for fresh.
        raise StoreAway(f"{USAGE_RECORDS}: a record was there and is not found")

    async def _stored(self, seq_nos: Sequence[str], concern: str) -> dict[str, Stored]:
        found: dict[str, Stored] = {}
        for start in range(0, len(seq_nos), IDS_PER_FIND):
            some = list(seq_nos[start : start + IDS_PER_FIND])
            with translated():
                documents = await self._records(concern).find({"_id": {"$in": some}}, _WANTED).to_list()
            found.update((document["_id"], stored_of(document)) for document in documents)
        return found

    def _records(self, concern: str) -> Any:
        return self._database.get_collection(USAGE_RECORDS, read_concern=ReadConcern(concern))

    async def _bulk(self, inserts: Sequence[InsertOne[Document]]) -> list[int]:
        """Unordered; the indexes that met a duplicate key."""
        try:
            with translated():
                async with self._turns:
                    await self._database[USAGE_RECORDS].bulk_write(inserts, ordered=False)
        except BulkWriteError as error:
            return duplicates_in(USAGE_RECORDS, error)
        return []
