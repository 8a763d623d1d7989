"""Rules of error alerts: how many failures of a product within which time are told to whom."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from pymongo import UpdateOne

from schemas.mt.access import Scope
from stores.mongo import Database, translated
from stores.mt.alert_contacts import ALERT_RULES
from stores.mt.revisions import REVISIONS

REVISION = "alert_rules"


class AlertRule(msgspec.Struct, rename={"id": "_id"}, frozen=True, kw_only=True):
    id: str
    merchant_id: int
    item: str
    period_seconds: int
    error_count: int
    contacts: tuple[int, ...]
    since: datetime
    """When it was set: what was before it is not told."""
    set_by: int


def rule_id(merchant_id: int, item: str) -> str:
    return f"{merchant_id}/{item}"


async def keep_rules(database: Database, rules: Sequence[AlertRule]) -> None:
    """In place of those that are there for the same customer and product. Raises StoreAway."""
    writes = []
    for rule in rules:
        document = msgspec.to_builtins(rule, builtin_types=(datetime,))
        writes.append(UpdateOne({"_id": document.pop("_id")}, {"$set": document}, upsert=True))
    with translated():
        await database[ALERT_RULES].bulk_write(writes, ordered=False)
    await _bump(database)


async def drop_rules(database: Database, merchant_id: int, items: Sequence[str]) -> int:
    """How many there were. Raises StoreAway."""
    ids = [rule_id(merchant_id, item) for item in items]
    with translated():
        gone = (await database[ALERT_RULES].delete_many({"_id": {"$in": ids}})).deleted_count
    await _bump(database)
    return gone


async def rules_of(database: Database, scope: Scope) -> list[AlertRule]:
    """By customer and product. Raises StoreAway."""
    with translated():
        found = await database[ALERT_RULES].find(scope.match()).sort([("merchant_id", 1), ("item", 1)]).to_list()
    return [msgspec.convert(each, AlertRule) for each in found]


async def rules_revision(database: Database) -> int:
    """Another one after every change; 0 before the first. Raises StoreAway."""
    with translated():
        found = await database[REVISIONS].find_one({"_id": REVISION})
    return 0 if found is None else int(found["revision"])


async def _bump(database: Database) -> None:
    """After the write, or a reader looks too early."""
    with translated():
        await database[REVISIONS].update_one({"_id": REVISION}, {"$inc": {"revision": 1}}, upsert=True)
