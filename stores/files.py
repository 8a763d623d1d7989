"""Files that jobs make: written as a stream, read as a stream, gone when their time is over.

A file is known by an id that its maker derives from what it is of, so that making it
again replaces it. Its bytes lie in GridFS under an id of their own for each writing;
the document of the file points to them once they are all there. So nobody reads half a
file, two that write at once do not mix, and what was cut off is found by what the
document says was begun.
"""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import msgspec
from bson import ObjectId
from gridfs import AsyncGridFSBucket, NoFile
from gridfs.errors import CorruptGridFile

from stores.collections import FILE_CONTENTS, FILES
from stores.mongo import Database, Document, translated

CHUNK_BYTES = 256 * 1024
ABANDONED = timedelta(days=1)
"""A writing that has gone on for so long was cut off."""
SWEPT_AT_ONCE = 100


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file; `version` names the bytes it has now."""

    id: str
    name: str
    content_type: str
    size: int
    sha256: str
    created_at: datetime
    expires_at: datetime
    version: str


class FileGone(Exception):
    """Its bytes were replaced or cleared away while they were read."""


class Files:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._files = database[FILES]
        # Read and deleted by the driver's bucket, but not written: its writer holds 48 MB of each file back.
        self._bucket = AsyncGridFSBucket(database, bucket_name=FILE_CONTENTS)
        self._contents, self._chunks = database[f"{FILE_CONTENTS}.files"], database[f"{FILE_CONTENTS}.chunks"]

    async def write(
        self,
        file_id: str,
        chunks: AsyncIterable[bytes],
        *,
        name: str,
        content_type: str,
        now: datetime,
        expires_at: datetime,
    ) -> StoredFile:
        """Keep these bytes under the id, in place of those that were there. Holds a chunk of 256 KiB at a time.

        What `chunks` raises passes through, and leaves the file as it was.
        """
        version = ObjectId()
        await self._note(file_id, version, now)
        digest, size, numbers = hashlib.sha256(), 0, count()
        async for chunk in _of_size(chunks, CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            with translated():
                await self._chunks.insert_one({"files_id": version, "n": next(numbers), "data": chunk})
        with translated():
            await self._contents.insert_one(
                {"_id": version, "length": size, "chunkSize": CHUNK_BYTES, "uploadDate": now, "filename": file_id}
            )
        made: Document = {
            "name": name,
            "content_type": content_type,
            "size": size,
            "sha256": digest.hexdigest(),
            "created_at": now,
            "expires_at": expires_at,
            "version": version,
        }
        with translated():
            there = await self._files.find_one({"_id": file_id}, {"version": 1})
        if replaced := (there or {}).get("version"):
            # Noted before it is replaced: a crash between the two leaves nothing that nobody knows of.
            await self._note(file_id, replaced, now)
        with translated():
            await self._files.update_one(
                {"_id": file_id}, {"$set": made, "$pull": {"begun": {"version": version}}}, upsert=True
            )
        if replaced:
            await self._drop(replaced)
            with translated():
                await self._files.update_one({"_id": file_id}, {"$pull": {"begun": {"version": replaced}}})
        return _file({"_id": file_id, **made})

    async def _note(self, file_id: str, version: ObjectId, now: datetime) -> None:
        """These bytes are to go one day, unless the file points to them."""
        begun = {"version": version, "at": now}
        with translated():
            await self._files.update_one({"_id": file_id}, {"$addToSet": {"begun": begun}}, upsert=True)

    async def find(self, file_id: str, now: datetime) -> StoredFile | None:
        """None where there is none, or its time is over."""
        with translated():
            document = await self._files.find_one({"_id": file_id})
        if document is None or "version" not in document or document["expires_at"] <= now:
            return None
        return _file(document)

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Its bytes, a chunk at a time. Raises FileGone."""
        try:
            with translated():
                download = await self._bucket.open_download_stream(ObjectId(file.version))
            while True:
                with translated():
                    chunk = await download.readchunk()
                if not chunk:
                    return
                yield chunk
        except (NoFile, CorruptGridFile):
            raise FileGone(file.id) from None

    async def delete(self, file_id: str) -> None:
        """Safe to repeat."""
        with translated():
            document = await self._files.find_one_and_delete({"_id": file_id})
        for version in _versions(document or {}):
            await self._drop(version)

    async def sweep(self, now: datetime) -> int:
        """Clear away files whose time is over, and writings that were cut off; returns how many files went.

        May be cut off at any point, and called again for the rest.
        """
        with translated():
            expired = await self._files.find({"expires_at": {"$lte": now}}).limit(SWEPT_AT_ONCE).to_list()
        gone = 0
        for document in expired:
            await self._drop(document["version"])
            with translated():
                # Only as it was seen: somebody may just have written it anew.
                which = {"_id": document["_id"], "version": document["version"]}
                gone += (await self._files.delete_one({**which, "begun": []})).deleted_count
                await self._files.update_one(which, {"$unset": {"expires_at": "", "version": ""}})
        await self._sweep_abandoned(now - ABANDONED)
        return gone

    async def _sweep_abandoned(self, before: datetime) -> None:
        with translated():
            found = await self._files.find({"begun.at": {"$lt": before}}).limit(SWEPT_AT_ONCE).to_list()
        for document in found:
            for begun in document["begun"]:
                if begun["at"] < before and begun["version"] != document.get("version"):
                    await self._drop(begun["version"])
            with translated():
                await self._files.update_one({"_id": document["_id"]}, {"$pull": {"begun": {"at": {"$lt": before}}}})
                await self._files.delete_one({"_id": document["_id"], "version": {"$exists": False}, "begun": []})

    async def _drop(self, version: ObjectId) -> None:
        """The bytes of one writing, whole or not."""
        try:
            with translated():
                await self._bucket.delete(version)
        except NoFile:
            # Never closed, or gone already; its chunks go with it all the same.
            pass


async def _of_size(pieces: AsyncIterable[bytes], size: int) -> AsyncIterator[bytes]:
    """The same bytes in pieces of this size, the last one smaller."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)


def _versions(document: Document) -> list[Any]:
    versions = [begun["version"] for begun in document.get("begun", [])]
    return [*versions, document["version"]] if "version" in document else versions


def _file(document: Document) -> StoredFile:
    return msgspec.convert({**document, "id": document["_id"], "version": str(document["version"])}, StoredFile)
