"""Contacts of customers: who is told of error alerts and of low balances.

A contact is a recipient of pushes like any other: `recipient_of` names it, its webhook and
mobile are endpoints that the recipient owns, its e-mail address stands in its preferences.
So a push to the recipient reaches it by all its ways, and nobody else needs its addresses.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from schemas.mt.access import Scope
from stores.mongo import Database, translated
from stores.mt.pages import find_by

ALERT_CONTACTS = "alert_contacts"
ALERT_RULES = "alert_rules"
WALLETS = "wallets"


class AlertContact(msgspec.Struct, rename={"id": "_id"}, frozen=True, kw_only=True):
    """As it is kept. What is masked is what people are shown; the whole is encrypted beside it."""

    id: int
    merchant_id: int
    linkman: str = ""
    mobile: str | None = None
    """Masked."""
    mobile_secret: str | None = None
    email: str | None = None
    webhook: str | None = None
    """Masked: such addresses carry keys."""
    is_default: bool = False
    webhook_endpoint: str | None = None
    mobile_endpoint: str | None = None
    created_at: datetime
    updated_at: datetime


def recipient_of(contact_id: int) -> str:
    """Whom to push to, so that it reaches the contact by all its ways."""
    return f"user/alert-contact-{contact_id}"


async def contacts_of(database: Database, scope: Scope, merchant_id: int | None = None) -> list[AlertContact]:
    """Those of a customer (of all in scope), oldest first. Raises StoreAway."""
    match = scope.match() if merchant_id is None else {**scope.match(), "merchant_id": merchant_id}
    with translated():
        found = await database[ALERT_CONTACTS].find(match).sort([("merchant_id", 1), ("_id", 1)]).to_list()
    return [msgspec.convert(each, AlertContact) for each in found]


async def find_contact(database: Database, scope: Scope, contact_id: int) -> AlertContact | None:
    """None where there is none in scope. Raises StoreAway."""
    with translated():
        found = await database[ALERT_CONTACTS].find_one({"_id": contact_id, **scope.match()})
    return None if found is None else msgspec.convert(found, AlertContact)


async def contacts_by_ids(database: Database, ids: Iterable[int], merchant_id: int | None = None) -> list[AlertContact]:
    """Those that there are, by id; of one customer where `merchant_id` is given. Raises StoreAway."""
    match = {} if merchant_id is None else {"merchant_id": merchant_id}
    found = await find_by(database, ALERT_CONTACTS, "_id", ids, match)
    return sorted((msgspec.convert(each, AlertContact) for each in found), key=lambda contact: contact.id)


async def unknown_contacts(database: Database, ids: Sequence[int], merchant_id: int) -> list[int]:
    """Which of them the customer does not have. Raises StoreAway."""
    known = {contact.id for contact in await contacts_by_ids(database, ids, merchant_id)}
    return [contact_id for contact_id in dict.fromkeys(ids) if contact_id not in known]


async def count_contacts(database: Database, merchant_id: int) -> int:
    with translated():
        return await database[ALERT_CONTACTS].count_documents({"merchant_id": merchant_id})


async def keep_contact(database: Database, contact: AlertContact) -> None:
    """In place of what was there; the default one of its customer where it says so. Raises StoreAway."""
    document: dict[str, Any] = msgspec.to_builtins(contact, builtin_types=(datetime,))
    with translated():
        await database[ALERT_CONTACTS].replace_one({"_id": contact.id}, document, upsert=True)
        if contact.is_default:
            others = {"merchant_id": contact.merchant_id, "is_default": True, "_id": {"$ne": contact.id}}
            await database[ALERT_CONTACTS].update_many(others, {"$set": {"is_default": False}})


async def uses_of(database: Database, contact: AlertContact) -> Mapping[str, list[list[int]]]:
    """The lists of contacts that it stands in: by product of its alerts, by name of its wallets. Raises StoreAway."""
    match = {"merchant_id": contact.merchant_id, "contacts": contact.id}
    with translated():
        rules = await database[ALERT_RULES].find(match, {"item": 1, "contacts": 1}).to_list()
        wallets = await database[WALLETS].find(match, {"account_name": 1, "contacts": 1}).to_list()
    uses: dict[str, list[list[int]]] = {}
    for rule in rules:
        uses.setdefault(f"the alert of {rule['item']}", []).append(rule["contacts"])
    for wallet in wallets:
        uses.setdefault(f"the wallet {wallet.get('account_name') or wallet['_id']}", []).append(wallet["contacts"])
    return uses


async def drop_contact(database: Database, contact: AlertContact) -> None:
    """Delete it, and take it out of the alerts and wallets that name it. Raises StoreAway; a repeat does no harm."""
    named = {"merchant_id": contact.merchant_id, "contacts": contact.id}
    with translated():
        await database[ALERT_CONTACTS].delete_one({"_id": contact.id})
        await database[ALERT_RULES].update_many(named, {"$pull": {"contacts": contact.id}})
        await database[WALLETS].update_many(named, {"$pull": {"contacts": contact.id}})
