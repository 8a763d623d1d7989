"""Conversations as they are asked for; `handlers.im.conversations` says what the documents hold."""

from collections.abc import Iterable

from handlers.im.conversations import CONVERSATIONS
from schemas.im.ids import key_of
from schemas.im.message import side_of
from stores.mongo import Database, Document, translated


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


async def unread_from(database: Database, app: str, user: str, peer: str) -> int:
    return (await unread_of(database, app, user, (peer,)))[peer]
