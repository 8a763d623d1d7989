"""Conversations as they are asked for; `handlers.im.conversations` says what the documents hold."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

import msgspec

from handlers.im.conversations import CONVERSATIONS, MESSAGES
from schemas.cloudevents import to_millisecond
from schemas.im.ids import key_of
from schemas.im.message import MessageKey, message_id_of, side_of
from stores.mongo import Database, Document, translated

PAGE = 500


async def unread_total(database: Database, app: str, user: str) -> int:
    """Over all conversations of a user."""
    unread = {"owner": key_of(app, user), "unread": {"$gt": 0}}
    summing: list[Document] = [{"$match": unread}, {"$group": {"_id": None, "n": {"$sum": "$unread"}}}]
    with translated():
        found = await (await database[CONVERSATIONS].aggregate(summing)).to_list()
    return int(found[0]["n"]) if found else 0


async def unread_of(database: Database, app: str, user: str, peers: Iterable[str]) -> dict[str, int]:
    """From each of a few peers."""
    sides = {side_of(app, user, peer): peer for peer in peers}
    with translated():
        rows = await database[CONVERSATIONS].find({"_id": {"$in": list(sides)}}, {"unread": 1}).to_list()
    return dict.fromkeys(sides.values(), 0) | {sides[row["_id"]]: row.get("unread", 0) for row in rows}


async def unread_after(database: Database, app: str, user: str, peer: str, up_to: datetime) -> int:
    """Over all conversations of a user, once what the peer has sent up to then is read."""
    total, side = await unread_total(database, app, user), side_of(app, user, peer)
    with translated():
        row = await database[CONVERSATIONS].find_one({"_id": side}, {"unread": 1, "read_up_to": 1})
    if row is None:
        return total
    bound = max(to_millisecond(up_to), row.get("read_up_to") or up_to)
    with translated():
        left = await database[MESSAGES].count_documents({"unread_in": side, "at": {"$gt": bound}})
    return max(0, total - int(row.get("unread", 0))) + int(left)


async def is_unread(database: Database, app: str, sender: str, receiver: str, key: MessageKey) -> bool:
    """Whether a message counts among those that the receiver has not read."""
    side = side_of(app, receiver, sender)
    with translated():
        message = await database[MESSAGES].find_one(
            {"_id": message_id_of(app, sender, receiver, key)}, {"unread_in": 1, "at": 1}
        )
    if message is None or message.get("unread_in") != side:
        return False
    with translated():
        row = await database[CONVERSATIONS].find_one({"_id": side}, {"read_up_to": 1})
    read_up_to = None if row is None else row.get("read_up_to")
    return read_up_to is None or bool(message["at"] > read_up_to)


async def cleared_up_to(database: Database, app: str, owner: str, peer: str) -> datetime | None:
    """Up to when the owner's history is gone; None where it never was cleared."""
    with translated():
        row = await database[CONVERSATIONS].find_one({"_id": side_of(app, owner, peer)}, {"cleared_up_to": 1})
    return None if row is None else row.get("cleared_up_to")


async def peers_of(
    database: Database, app: str, owner: str, since: datetime, page: int = PAGE
) -> AsyncIterator[list[str]]:
    """With whom a user has conversations, a page at a time; without those whose history is gone up to `since`.

    By id, which changes with nothing: what is folded meanwhile moves none past the reader.
    """
    first, end = (key_of(app, owner) + edge for edge in ("/", "0"))  # 0 is next to the slash
    fields = {"peer": 1, "cleared_up_to": 1}
    while True:
        with translated():
            found = database[CONVERSATIONS].find({"_id": {"$gt": first, "$lt": end}}, fields)
            rows = await found.sort([("_id", 1)]).limit(page).to_list()
        if not rows:
            return
        yield [row["peer"] for row in rows if row.get("cleared_up_to") is None or row["cleared_up_to"] < since]
        first = rows[-1]["_id"]


class Listed(msgspec.Struct, frozen=True):
    """A conversation on its owner's list."""

    peer: str
    order: str
    pinned: bool
    last_at: datetime
    """When the last message was sent that shows in the list."""
    cleared_up_to: datetime | None

    @property
    def empty(self) -> bool:
        """Its last message came, but is gone from the history: an old one that was imported after that."""
        return self.cleared_up_to is not None and self.last_at <= self.cleared_up_to


async def conversations_of(
    database: Database, app: str, owner: str, *, pinned: bool, after: str, limit: int | None
) -> list[Listed]:
    """On the owner's list, pinned or not, behind a place in its order."""
    matching = {"owner": key_of(app, owner), "listed": True, "pinned": pinned, "order": {"$gt": after}}
    fields = dict.fromkeys(("peer", "order", "pinned", "last", "cleared_up_to"), 1)
    with translated():
        found = database[CONVERSATIONS].find(matching, fields).sort([("order", 1)]).limit(limit or 0)
        rows = await found.to_list()
    return [
        Listed(row["peer"], row["order"], row["pinned"], row["last"]["v"]["at"], row.get("cleared_up_to"))
        for row in rows
    ]
