"""Contacts, and the accounts by which they are known in other systems.

A contact has at most one binding per source, and an account belongs to at most one
contact: the document's id and a unique index hold that, whoever calls at once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from pymongo.errors import DuplicateKeyError

from handlers.contacts import CONTACTS
from stores.collections import CONTACT_BINDINGS
from stores.mongo import IDS_PER_FIND, Database, Document, translated


class AlreadyBound(Exception):
    """The contact has a binding of this source, or the account is another contact's."""


class ContactBinding(msgspec.Struct, frozen=True, kw_only=True):
    contact_id: str
    account_source: str
    open_id: str
    app_id: str = ""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    contact_id: str
    agent_id: str = ""
    account: str = ""
    remark: str = ""
    template_id: str = "0"


async def contacts_of(database: Database, contact_ids: Sequence[str]) -> dict[str, Contact]:
    """Those of them that are known and not removed. Raises StoreAway."""
    found: dict[str, Contact] = {}
    for start in range(0, len(contact_ids), IDS_PER_FIND):
        some = {"$in": list(contact_ids[start : start + IDS_PER_FIND])}
        with translated():
            async for document in database[CONTACTS].find({"_id": some}):
                state = document["state"]["v"]
                if not state["removed"]:
                    found[document["_id"]] = msgspec.convert({**state, "contact_id": document["_id"]}, Contact)
    return found


async def add_binding(database: Database, binding: ContactBinding, now: datetime) -> None:
    """Raises AlreadyBound, StoreAway."""
    document = {"_id": _key(binding.contact_id, binding.account_source), **msgspec.structs.asdict(binding)}
    await _write(database[CONTACT_BINDINGS].insert_one({**document, "bound_at": now}))


async def change_binding(
    database: Database, contact_id: str, account_source: str, *, open_id: str | None, app_id: str | None
) -> ContactBinding | None:
    """The binding as it is then; None where there is none. Raises AlreadyBound, StoreAway."""
    key = {"_id": _key(contact_id, account_source)}
    fields = {name: value for name, value in (("open_id", open_id), ("app_id", app_id)) if value is not None}
    if fields:
        await _write(database[CONTACT_BINDINGS].update_one(key, {"$set": fields}))
    with translated():
        found = await database[CONTACT_BINDINGS].find_one(key)
    return None if found is None else _binding(found)


async def remove_binding(database: Database, contact_id: str, account_source: str) -> bool:
    """Whether there was one. Raises StoreAway."""
    with translated():
        removed = await database[CONTACT_BINDINGS].delete_one({"_id": _key(contact_id, account_source)})
    return removed.deleted_count > 0


async def find_bindings(
    database: Database, account_source: str, *, contact_id: str | None, open_id: str | None
) -> list[ContactBinding]:
    """At most one, by either id or by both. Raises StoreAway."""
    asked: Document = {"account_source": account_source}
    if contact_id is not None:
        asked["_id"] = _key(contact_id, account_source)
    if open_id is not None:
        asked["open_id"] = open_id
    with translated():
        return [_binding(document) async for document in database[CONTACT_BINDINGS].find(asked)]


async def bindings_of(database: Database, contacts: Sequence[str]) -> dict[str, list[ContactBinding]]:
    """Each contact's bindings; contacts that have none are left out. Raises StoreAway."""
    found: dict[str, list[ContactBinding]] = {}
    for start in range(0, len(contacts), IDS_PER_FIND):
        some = {"$in": list(contacts[start : start + IDS_PER_FIND])}
        with translated():
            async for document in database[CONTACT_BINDINGS].find({"contact_id": some}):
                found.setdefault(document["contact_id"], []).append(_binding(document))
    return found


async def _write(operation: Any) -> None:
    with translated():
        try:
            await operation
        except DuplicateKeyError as error:
            raise AlreadyBound from error


def _key(contact_id: str, account_source: str) -> str:
    return f"{contact_id}/{account_source}"


def _binding(document: Document) -> ContactBinding:
    return msgspec.convert(document, ContactBinding)
