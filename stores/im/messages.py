"""Messages as they are asked for; `handlers.im.messages` says what the documents hold."""

from datetime import datetime
from typing import Any

import msgspec

from handlers.im.conversations import MESSAGES
from schemas.im.message import MessageKey, edge_of, message_id_of, second_of
from stores.mongo import Database, Document, translated

FIRST_SPAN_SECONDS = 60
SPANS_GROW = 32
"""A minute, half an hour, a day, a month, years."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is now."""

    sender: str
    receiver: str
    key: str
    order: str
    body: list[dict[str, Any]]
    custom_data: str | None
    withdrawn: bool
    peer_read: bool
    extensible: bool


_FIELDS = dict.fromkeys(Stored.__struct_fields__, 1)


async def find_message(database: Database, app: str, sender: str, receiver: str, key: MessageKey) -> Stored | None:
    """By direction and key."""
    with translated():
        row = await database[MESSAGES].find_one({"_id": message_id_of(app, sender, receiver, key)}, _FIELDS)
    return None if row is None else _stored(row)


async def history(
    database: Database, side: str, first: str, before: str, cleared_up_to: datetime | None, limit: int, now: datetime
) -> list[Stored]:
    """What a side has from one place in its order to another, newest first; nothing that was cleared.

    Looked for in spans of time that grow: the embedded store reads all of what is asked for before it takes the
    newest, and a conversation may be long. Where little is said, that is a few finds more.
    """
    found: list[Stored] = []
    end, span = before, FIRST_SPAN_SECONDS
    # Nothing, or little, is later than now: a time far ahead must not use up the spans.
    newest = min(second_of(before), int(now.timestamp()) + 1)
    while end > first and len(found) < limit:
        start = max(first, edge_of(newest - span))
        found += await _between(database, side, start, end, cleared_up_to, limit - len(found))
        end, span = start, span * SPANS_GROW
    return found


async def _between(
    database: Database, side: str, first: str, before: str, cleared_up_to: datetime | None, limit: int
) -> list[Stored]:
    matching: Document = {"timelines": side, "order": {"$gte": first, "$lt": before}}
    stages: list[Document] = [{"$match": matching}, {"$sort": {"order": -1}}]
    if cleared_up_to is not None:
        # In a stage of its own: `at` is not in the index, and the embedded store would walk the collection.
        stages.append({"$match": {"at": {"$gt": cleared_up_to}}})
    stages += [{"$limit": limit}, {"$project": _FIELDS}]
    with translated():
        rows = await (await database[MESSAGES].aggregate(stages)).to_list()
    return [_stored(row) for row in rows]


def _stored(row: Document) -> Stored:
    return Stored(**{name: row[name] for name in Stored.__struct_fields__})
