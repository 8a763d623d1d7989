"""Which upstream configurations serve an account's calls of a product, in order of priority."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from schemas.mt.access import Scope
from schemas.mt.codes import not_found
from stores.mongo import Database, translated
from stores.mt.grants import Grant
from stores.mt.numbers import next_number
from stores.mt.pages import find_by

ASSIGNMENTS = "source_assignments"


class Assignment(msgspec.Struct, frozen=True, rename={"id": "_id"}, kw_only=True):
    id: int
    dept_id: int
    merchant_id: int | None
    item: str
    upstream_id: int
    priority: int
    created_at: datetime
    updated_at: datetime


class Wanted(msgspec.Struct, frozen=True):
    """An upstream and its priority; `id` where it is assigned already."""

    upstream_id: int
    priority: int
    id: int | None = None


async def assigned(database: Database, dept_id: int, item: str) -> list[Assignment]:
    """By priority. Raises StoreAway, as all of them do."""
    with translated():
        found = await database[ASSIGNMENTS].find({"dept_id": dept_id, "item": item}).to_list()
    return sorted((msgspec.convert(document, Assignment) for document in found), key=lambda one: (one.priority, one.id))


async def with_assignments(database: Database, grants: Collection[Grant]) -> set[tuple[int, str]]:
    """The accounts and products, of these, that have upstreams of their own."""
    found = await find_by(database, ASSIGNMENTS, "dept_id", [grant.dept_id for grant in grants])
    return {(document["dept_id"], document["item"]) for document in found}


async def assign(database: Database, grant: Grant, wanted: Sequence[Wanted], at: datetime) -> None:
    """Assign each, or change its priority. Those that are not named stay as they are."""
    for one in wanted:
        with translated():
            changed = await database[ASSIGNMENTS].update_one(
                {"dept_id": grant.dept_id, "item": grant.item, "upstream_id": one.upstream_id},
                {"$set": {"priority": one.priority, "updated_at": at}},
            )
        if changed.matched_count == 0:
            await _insert(database, grant, one, at)


async def _insert(database: Database, grant: Grant, one: Wanted, at: datetime) -> None:
    number = await next_number(database, ASSIGNMENTS)
    with translated():
        # Upserted: of two that assign the same at once, the index lets one pass and the other finds it.
        await database[ASSIGNMENTS].update_one(
            {"dept_id": grant.dept_id, "item": grant.item, "upstream_id": one.upstream_id},
            {
                "$set": {"priority": one.priority, "updated_at": at},
                "$setOnInsert": {"_id": number, "merchant_id": grant.merchant_id, "created_at": at},
            },
            upsert=True,
        )


async def unassign(database: Database, number: int, scope: Scope) -> None:
    """Refuses not_found."""
    with translated():
        gone = await database[ASSIGNMENTS].delete_one({"_id": number, **scope.match()})
    if gone.deleted_count == 0:
        raise not_found(f"assignment {number}")
