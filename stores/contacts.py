"""Contacts as they were told of, and which account each has in another system.

One document for each contact and system that it was ever bound in, so a contact has at
most one account there; `holds` names that account while it is bound, and is unique, so
an account is at most one contact's. Every change is one conditional write of one
document and counts `seq` up by one, so that of two at once each sees what the other left.

The account of a contact that was removed is free for another: it gives way when asked for.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import get_args

import msgspec
from msgspec import UNSET, UnsetType
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from handlers.contacts import CONTACTS
from handlers.directory import pair_key
from schemas.cloudevents import to_millisecond
from schemas.contact import AccountSource
from stores.collections import CONTACT_BINDINGS
from stores.mongo import IDS_PER_FIND, Database, Document, translated

SOURCES: tuple[AccountSource, ...] = get_args(AccountSource)


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One that is known, and was not removed."""

    id: str
    agent_id: str
    account: str
    remark: str
    template_id: str


class ContactBinding(msgspec.Struct, frozen=True, kw_only=True):
    """A contact's account in another system."""

    contact: str
    account_source: AccountSource
    open_id: str
    app_id: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a contact has in one system since the last change of it."""

    contact: str
    account_source: AccountSource
    binding: ContactBinding | None
    agent: str
    """Who changed it."""
    seq: int
    at: datetime


class Change(msgspec.Struct, frozen=True):
    """Whether it was done, and what there is to tell of it: again, where this repeats a call."""

    done: bool
    told: tuple[Standing, ...] = ()


# ---- contacts -------------------------------------------------------------------------------------------------------


async def known_contacts(database: Database, ids: Iterable[str]) -> dict[str, Contact]:
    """Those that are known and not removed. Raises StoreAway."""
    known: dict[str, Contact] = {}
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), IDS_PER_FIND):
        with translated():
            documents = await database[CONTACTS].find({"_id": {"$in": wanted[start : start + IDS_PER_FIND]}}).to_list()
        for document in documents:
            state = document["state"]["v"]
            if not state["removed"]:
                known[document["_id"]] = msgspec.convert({**state, "id": document["_id"]}, Contact)
    return known


# ---- bindings -------------------------------------------------------------------------------------------------------


async def bindings_of(database: Database, contacts: Sequence[str]) -> dict[str, list[ContactBinding]]:
    """By what each contact can be reached now; an empty list for one that has nothing. Raises StoreAway."""
    found: dict[str, list[ContactBinding]] = {contact: [] for contact in contacts}
    known = await known_contacts(database, found)
    keys = [pair_key(contact, source) for contact in known for source in SOURCES]
    for start in range(0, len(keys), IDS_PER_FIND):
        some = {"_id": {"$in": keys[start : start + IDS_PER_FIND]}}
        with translated():
            documents = await database[CONTACT_BINDINGS].find(some).sort("_id", 1).to_list()
        for document in documents:
            if (binding := _standing(document).binding) is not None:
                found[binding.contact].append(binding)
    return found


async def standing_of(database: Database, contact: str, source: AccountSource) -> Standing | None:
    """None: it was never bound there. Raises StoreAway."""
    with translated():
        document = await database[CONTACT_BINDINGS].find_one({"_id": pair_key(contact, source)})
    return None if document is None else _standing(document)


async def holder_of(database: Database, source: AccountSource, open_id: str) -> Standing | None:
    """Who is bound to this account, be it one that was removed meanwhile. Raises StoreAway."""
    with translated():
        document = await database[CONTACT_BINDINGS].find_one({"holds": pair_key(source, open_id)})
    return None if document is None else _standing(document)


async def bind(database: Database, wanted: ContactBinding, agent: str, now: datetime) -> Change:
    """Bind a contact that has no account there yet to one that is nobody's. Raises StoreAway."""
    nothing_yet = {"_id": pair_key(wanted.contact, wanted.account_source), "holds": {"$exists": False}}
    released: tuple[Standing, ...] = ()
    while True:
        try:
            bound = await _change(database, nothing_yet, _binding_to(wanted, agent, now), upsert=True)
        except DuplicateKeyError:
            present = await standing_of(database, wanted.contact, wanted.account_source)
            if present is not None and present.binding is not None:
                return Change(False, (present,) if present.binding == wanted else ())
            given_way = await _give_way(database, wanted, agent, now)
            if given_way is None:
                return Change(False)
            released += given_way
        else:
            if bound is not None:
                return Change(True, (*released, bound))


async def rebind(
    database: Database,
    contact: str,
    source: AccountSource,
    open_id: str | UnsetType,
    app_id: str | UnsetType,
    agent: str,
    now: datetime,
) -> Change | None:
    """Change what a contact is bound to; None where it is bound to nothing there. Not done: the account is another's.

    What is UNSET stays. Raises StoreAway.
    """
    released: tuple[Standing, ...] = ()
    while True:
        present = await standing_of(database, contact, source)
        if present is None or present.binding is None:
            return None
        wanted = msgspec.structs.replace(
            present.binding,
            open_id=present.binding.open_id if open_id is UNSET else open_id,
            app_id=present.binding.app_id if app_id is UNSET else app_id,
        )
        if wanted == present.binding:
            return Change(True, (*released, present))
        try:
            changed = await _change(database, _as_seen(present), _binding_to(wanted, agent, now))
        except DuplicateKeyError:
            given_way = await _give_way(database, wanted, agent, now)
            if given_way is None:
                return Change(False)
            released += given_way
        else:
            if changed is not None:
                return Change(True, (*released, changed))


async def unbind(database: Database, contact: str, source: AccountSource, agent: str, now: datetime) -> Change:
    """Not done: there was nothing to take away. Raises StoreAway."""
    while True:
        present = await standing_of(database, contact, source)
        if present is None:
            return Change(False)
        if present.binding is None:
            return Change(False, (present,))
        if (changed := await _change(database, _as_seen(present), _binding_to(None, agent, now))) is not None:
            return Change(True, (changed,))


async def _give_way(
    database: Database, wanted: ContactBinding, agent: str, now: datetime
) -> tuple[Standing, ...] | None:
    """Free an account that only a removed contact holds; None where it is another's."""
    holder = await holder_of(database, wanted.account_source, wanted.open_id)
    if holder is None:
        return ()  # Given up meanwhile.
    if await known_contacts(database, [holder.contact]):
        return None
    released = await _change(database, _as_seen(holder), _binding_to(None, agent, now))
    return () if released is None else (released,)


async def _change(database: Database, which: Document, change: Document, *, upsert: bool = False) -> Standing | None:
    """None: there is none of these, or no more. Raises DuplicateKeyError."""
    with translated():
        document = await database[CONTACT_BINDINGS].find_one_and_update(
            which, change, upsert=upsert, return_document=ReturnDocument.AFTER
        )
    return None if document is None else _standing(document)


def _as_seen(standing: Standing) -> Document:
    return {"_id": pair_key(standing.contact, standing.account_source), "seq": standing.seq}


def _binding_to(binding: ContactBinding | None, agent: str, now: datetime) -> Document:
    changed = {"agent": agent, "at": to_millisecond(now)}
    if binding is None:
        return {"$set": changed, "$unset": {"holds": "", "open_id": "", "app_id": ""}, "$inc": {"seq": 1}}
    held = {"holds": pair_key(binding.account_source, binding.open_id), **msgspec.structs.asdict(binding)}
    return {"$set": {**held, **changed}, "$inc": {"seq": 1}}


def _standing(document: Document) -> Standing:
    bound = "holds" in document
    return msgspec.convert({**document, "binding": document if bound else None}, Standing)
