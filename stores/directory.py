"""Customers, seats, chats, transfers, keywords, affiliations, as the chat API asks for them."""

from typing import Any

import msgspec

from handlers.directory import AFFILIATIONS, CHATS, CUSTOMERS, KEYWORDS, SEATS, TRANSFERS
from stores.mongo import Database, Document, translated


class Seat(msgspec.Struct, frozen=True):
    user_id: str
    name: str | None


async def find_customer(database: Database, *, name: str | None, avatar: str | None) -> str | None:
    """Id of the customer of that name and avatar (of one of them, where the other is not given)."""
    return await _first_id(database, CUSTOMERS, {"name": name, "avatar": avatar})


async def find_seat(database: Database, *, phone: str | None, name: str | None) -> str | None:
    """User id of the seat of that phone and name (of one of them, where the other is not given)."""
    return await _first_id(database, SEATS, {"phone": phone, "name": name})


async def customers_of_external_user(database: Database, external_user_id: str) -> list[str]:
    query = {"state.v.external_user_id": external_user_id, "state.v.deleted": False}
    with translated():
        return [row["_id"] async for row in database[CUSTOMERS].find(query, {"_id": 1}).sort("_id", 1)]


async def seats_chatting(database: Database, customer_ids: list[str]) -> list[Seat]:
    """By user id, each once; the name is the seat's, where the seat is known."""
    with translated():
        chats = database[CHATS].find({"customer_id": {"$in": customer_ids}, "state.v.chatting": True})
        user_ids = sorted({chat["user_id"] async for chat in chats})
        seats = {seat["_id"]: seat async for seat in database[SEATS].find({"_id": {"$in": user_ids}})}
    return [Seat(user_id, _name(seats.get(user_id))) for user_id in user_ids]


async def count_seats(database: Database) -> tuple[int, int]:
    """All seats, and those online."""
    with translated():
        return (
            await database[SEATS].count_documents({"state.v.deleted": False}),
            await database[SEATS].count_documents({"state.v.deleted": False, "state.v.online": True}),
        )


async def count_transfers(database: Database, user_id: str) -> int:
    """Transfers in progress."""
    with translated():
        return await database[TRANSFERS].count_documents({"state.v.user_id": user_id, "state.v.in_progress": True})


async def active_keywords(database: Database) -> list[str]:
    """By rank, then by themselves."""
    with translated():
        rows = database[KEYWORDS].find({"state.v.active": True}).sort([("state.v.rank", 1), ("_id", 1)])
        return [row["_id"] async for row in rows]


async def affiliation_name(database: Database, ascription: str) -> str | None:
    with translated():
        return _name(await database[AFFILIATIONS].find_one({"_id": ascription}))


async def _first_id(database: Database, collection: str, wanted: dict[str, Any]) -> str | None:
    conditions = {f"state.v.{field}": value for field, value in wanted.items() if value}
    with translated():
        found = await database[collection].find_one({**conditions, "state.v.deleted": False}, sort=[("_id", 1)])
    return found["_id"] if found else None


def _name(document: Document | None) -> str | None:
    return document["state"]["v"]["name"] if document else None
