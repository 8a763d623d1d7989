"""Inboxes as people read them, and whether their counts are what the entries say."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from handlers.inboxes import ENTRIES, INBOXES
from stores.cursors import Cursor
from stores.mongo import IDS_PER_FIND, Database, Document, translated

T = TypeVar("T")

MAX_PAGE = 500
PAGE_BYTES = 4 * 1024 * 1024
"""A page ends early past so much text: an entry alone may have a quarter of a MiB."""
COUNTED_AT_ONCE = 16
"""Inboxes of an audit: most of the time of a count goes by on the way to the store."""


class Inbox(msgspec.Struct, frozen=True, kw_only=True):
    """As it was folded last."""

    recipient: str
    unread: int = 0
    read_up_to: datetime | None = None
    last_entry_at: datetime | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    at: datetime
    """When the push was asked for."""
    push: str
    kind: str
    urgency: str
    title: str | None = None
    body: str | None = None
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    read: bool


class Page(msgspec.Struct, frozen=True):
    entries: list[Entry]
    next: Cursor | None
    """Where to go on; None where there is no more."""


async def find_inbox(database: Database, recipient: str) -> Inbox:
    """An empty one where there is none. Raises StoreAway."""
    with translated():
        document = await database[INBOXES].find_one({"_id": recipient})
    return _inbox(document or {"_id": recipient})


async def entry_page(database: Database, inbox: Inbox, after: Cursor | None, limit: int) -> Page:
    """Entries from behind `after`, newest first by (at, id). Raises StoreAway."""
    found: list[Entry] = []
    size = 0
    async for entry in _newest_first(database, inbox, after, limit):
        found.append(entry)
        size += len(msgspec.json.encode(entry))
        if len(found) == limit or size >= PAGE_BYTES:
            return Page(found, Cursor(entry.at, entry.id))
    return Page(found, None)


async def _newest_first(database: Database, inbox: Inbox, after: Cursor | None, limit: int) -> AsyncIterator[Entry]:
    """In two questions, for MongoDB answers each in the order of the index."""
    chosen: list[Document] = [{"recipient": inbox.recipient}]
    if after is not None:
        chosen = [
            {"recipient": inbox.recipient, "at": after.at, "_id": {"$lt": after.id}},
            {"recipient": inbox.recipient, "at": {"$lt": after.at}},
        ]
    for which in chosen:
        with translated():
            async for document in database[ENTRIES].find(which).sort([("at", -1), ("_id", -1)]).limit(limit):
                read = inbox.read_up_to is not None and document["at"] <= inbox.read_up_to
                yield msgspec.convert({**document, "id": document["_id"], "read": read}, Entry)


async def time_of_entry(database: Database, recipient: str, entry_id: str) -> datetime | None:
    """None where the inbox has no such entry. Raises StoreAway."""
    with translated():
        document = await database[ENTRIES].find_one({"_id": entry_id, "recipient": recipient}, {"at": 1})
    return None if document is None else document["at"]


async def count_unread(database: Database, recipient: str, read_up_to: datetime | None) -> int:
    """By the entries. Raises StoreAway."""
    unread: Document = {"recipient": recipient}
    if read_up_to is not None:
        unread["at"] = {"$gt": read_up_to}
    with translated():
        return await database[ENTRIES].count_documents(unread)


# ---- audit ----------------------------------------------------------------------------------------------------------


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """An inbox whose count is not what its entries say."""

    recipient: str
    unread: int
    """What is written down."""
    counted: int
    read_up_to: datetime | None


class Audit(msgspec.Struct, frozen=True):
    inboxes: int
    differences: list[Difference]


async def audit_inboxes(database: Database) -> Audit:
    """Count every inbox anew. Raises StoreAway.

    An inbox that is being written may differ for a moment, so what differs is to be
    looked at again (`still_different`).
    """
    audited, differences = 0, list[Difference]()
    async for some in _chunks(_all(database), COUNTED_AT_ONCE):
        audited += len(some)
        differences += await _different(database, some)
    return Audit(audited, differences)


async def still_different(database: Database, differences: Sequence[Difference]) -> list[Difference]:
    """Those that differ yet, as they do now. Raises StoreAway."""
    inboxes = [await find_inbox(database, difference.recipient) for difference in differences]
    return await _different(database, inboxes)


async def _different(database: Database, inboxes: Sequence[Inbox]) -> list[Difference]:
    counts = await asyncio.gather(*(count_unread(database, inbox.recipient, inbox.read_up_to) for inbox in inboxes))
    return [
        Difference(recipient=inbox.recipient, unread=inbox.unread, counted=counted, read_up_to=inbox.read_up_to)
        for inbox, counted in zip(inboxes, counts, strict=True)
        if counted != inbox.unread
    ]


async def _all(database: Database) -> AsyncIterator[Inbox]:
    """Every inbox; empty ones for recipients of entries that have none."""
    with translated():
        async for document in database[INBOXES].find():
            yield _inbox(document)
        recipients = await database[ENTRIES].aggregate([{"$group": {"_id": "$recipient"}}])
        async for some in _chunks(recipients, IDS_PER_FIND):
            ids = [document["_id"] for document in some]
            there = {document["_id"] async for document in database[INBOXES].find({"_id": {"$in": ids}}, {"_id": 1})}
            for recipient in ids:
                if recipient not in there:
                    yield _inbox({"_id": recipient})


async def _chunks(members: AsyncIterator[T], size: int) -> AsyncIterator[list[T]]:
    some: list[T] = []
    async for member in members:
        some.append(member)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


def _inbox(document: Document) -> Inbox:
    return msgspec.convert({**document, "recipient": document["_id"]}, Inbox)
