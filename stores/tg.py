"""Telegram: the links that bind, and whose each chat is.

A chat's document has two writers of one register, `binding`: the folder, and the
gateway where a customer unbinds by the API. Both go by the register's order, so it
does not matter who writes first.

Customer ids are unique over companies: a recipient `customer/ID` names no company.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

import msgspec
from pymongo import ReturnDocument

from handlers.effects import Latest
from handlers.tg import CHATS, right_after, unbinding, whole_second
from schemas.events import Event
from schemas.push import Language
from schemas.tg import LinkTrouble, TelegramUnbound, UnboundReason
from stores.collections import TG_LINKS
from stores.mongo import IDS_PER_FIND, Database, Document, translated

SOURCE = "tg-binding"
MAX_LISTED = 10_000
"""Rows of a list that has no paging."""


class Customer(msgspec.Struct, frozen=True):
    id: str
    company: str


class BoundChat(msgspec.Struct, frozen=True, kw_only=True):
    """A chat that is somebody's now."""

    chat_id: str
    customer: str
    company: str
    language: Language
    bound_at: datetime
    first_name: str | None
    last_name: str | None
    username: str | None


# ---- links ----------------------------------------------------------------------------------------------------------


class Link(msgspec.Struct, frozen=True):
    """A link that is good, and taken. `id` is the hash of its token."""

    id: str
    customer: Customer
    language: Language | None


class NoLink(msgspec.Struct, frozen=True):
    trouble: LinkTrouble
    language: Language | None = None


async def create_link(
    database: Database, token: str, customer: Customer, language: Language | None, expires_at: datetime
) -> None:
    """Keep what the token stands for, and of the token itself its hash alone."""
    with translated():
        await database[TG_LINKS].insert_one(
            {
                "_id": _hashed(token),
                "customer": customer.id,
                "company": customer.company,
                "language": language,
                "expires_at": expires_at,
                "used_by": None,
            }
        )


async def take_link(database: Database, token: str, update_id: int, now: datetime) -> Link | NoLink:
    """The link, for this update and no other: the first one that asks has it, and has it again when it is resent."""
    link_id = _hashed(token)
    links = database[TG_LINKS]
    with translated():
        taken = await links.find_one_and_update(
            {"_id": link_id, "used_by": None, "expires_at": {"$gt": now}},
            {"$set": {"used_by": update_id, "used_at": now}},
            return_document=ReturnDocument.AFTER,
        )
        found = taken or await links.find_one({"_id": link_id})
    if found is None:
        return NoLink("unknown")
    if found["used_by"] == update_id:
        return Link(link_id, Customer(found["customer"], found["company"]), found["language"])
    return NoLink("expired" if found["used_by"] is None else "used", found["language"])


def _hashed(token: str) -> str:
    # Plain SHA-256 is enough: there are 256 bits of randomness to guess, not a password.
    return sha256(token.encode()).hexdigest()


# ---- chats ----------------------------------------------------------------------------------------------------------


async def list_chats(database: Database, customer: Customer) -> list[BoundChat]:
    """By chat id, the first MAX_LISTED."""
    with translated():
        rows = await database[CHATS].find(_bound_to(customer)).sort("_id", 1).limit(MAX_LISTED).to_list()
    return [_chat(row) for row in rows]


async def page_of_chats(
    database: Database, customer: Customer, *, skip: int, limit: int
) -> tuple[int, list[BoundChat]]:
    """How many there are in all, and those of one page, by chat id."""
    query = _bound_to(customer)
    with translated():
        total = await database[CHATS].count_documents(query)
        rows = await database[CHATS].find(query).sort("_id", 1).skip(skip).limit(limit).to_list()
    return total, [_chat(row) for row in rows]


async def chats_of(database: Database, customers: Sequence[str]) -> dict[str, list[BoundChat]]:
    """The chats bound now to each of these customers, by chat id; an empty list for who has none."""
    found: dict[str, list[BoundChat]] = {customer: [] for customer in customers}
    wanted = list(found)
    for start in range(0, len(wanted), IDS_PER_FIND):
        some = wanted[start : start + IDS_PER_FIND]
        with translated():
            rows = await database[CHATS].find({"binding.v.customer": {"$in": some}}).sort("_id", 1).to_list()
        for row in rows:
            chat = _chat(row)
            found[chat.customer].append(chat)
    return found


async def unbind_chat(database: Database, chat_id: str, customer: Customer, now: datetime) -> Event | None:
    """Take the chat from this customer; returns the fact to publish, None where the chat is not theirs.

    Repeated, it changes nothing and returns the same fact, for the first may not have
    reached Kafka. A binding that is later than `now` by the register's order, and not
    folded yet, will win.
    """
    while (binding := await _binding(database, chat_id)) is not None:
        owner = binding["v"]
        if owner.get("unbound_by") == customer.id:
            return unbound_event(chat_id, binding["at"], "unbound", seq=binding["seq"], customer=customer.id)
        if (owner.get("customer"), owner.get("company")) != (customer.id, customer.company):
            return None
        at, seq = right_after(binding["at"], binding["seq"], now)
        if await _unbind(database, chat_id, binding, unbinding(at, seq, "unbound", customer.id)):
            return unbound_event(chat_id, at, "unbound", seq=seq, customer=customer.id)
    return None


def unbound_event(
    chat_id: str, at: datetime, reason: UnboundReason, *, seq: int = 0, customer: str | None = None
) -> Event:
    """The fact that a chat is nobody's since then, under the same id when it is made again.

    For a chat that turned out to be gone, `at` is when the attempt began: whatever
    Telegram itself tells of that second comes after it.
    """
    at = whole_second(at)
    unbound = TelegramUnbound(chat_id=chat_id, reason=reason, seq=seq, customer=customer)
    return Event(
        id=f"unbound/{chat_id}/{int(at.timestamp())}/{seq}",
        source=SOURCE,
        type="telegram.unbound",
        subject=chat_id,
        time=at,
        data=msgspec.json.encode(unbound),
    )


async def _binding(database: Database, chat_id: str) -> Document | None:
    with translated():
        found = await database[CHATS].find_one({"_id": chat_id}, {"binding": 1})
    return found.get("binding") if found else None


async def _unbind(database: Database, chat_id: str, seen: Document, unbound: Latest) -> bool:
    """False: the binding is not the one seen any more, and stays."""
    with translated():
        result = await database[CHATS].update_one(
            {"_id": chat_id, "binding.at": seen["at"], "binding.seq": seen["seq"]},
            {"$max": {"binding": unbound.register}},
        )
    return result.matched_count == 1


def _bound_to(customer: Customer) -> Document:
    return {"binding.v.customer": customer.id, "binding.v.company": customer.company}


def _chat(document: Document) -> BoundChat:
    binding, person = document["binding"], document["person"]["v"]
    return BoundChat(
        chat_id=document["_id"],
        customer=binding["v"]["customer"],
        company=binding["v"]["company"],
        language=binding["v"]["language"],
        bound_at=binding["at"],
        first_name=person["first_name"],
        last_name=person["last_name"],
        username=person["username"],
    )
