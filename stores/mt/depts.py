"""Developer accounts, as far as grants have to do with them: whose they are, and what they are called."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from schemas.mt.access import Scope
from schemas.mt.codes import not_found
from stores.mongo import Database, translated
from stores.mt.pages import find_by
from stores.mt.price_book import ACCOUNTS

PRODUCTION = "prod"


class Dept(msgspec.Struct, frozen=True, rename={"id": "_id"}, kw_only=True):
    id: int
    merchant_id: int
    name: str | None = None
    app_id: str | None = None
    env: str = PRODUCTION
    status: int | None = None
    user_id: int | None = None
    emails: tuple[str, ...] = ()
    white_ips: tuple[str, ...] = ()
    created_at: datetime | None = None


async def find_dept(database: Database, number: int, scope: Scope) -> Dept:
    """Refuses not_found. Raises StoreAway, as all of them do."""
    found = (await depts_of(database, [number])).get(number)
    if found is None or not scope.admits(found.merchant_id):
        raise not_found(f"account {number}")
    return found


async def first_dept(database: Database, scope: Scope) -> Dept:
    """Whom a customer means who names no account: the oldest one in production, or of all. Refuses not_found."""
    accounts = await depts_within(database, scope)
    if not accounts:
        raise not_found("an account of the customer")
    return next((account for account in accounts if account.env == PRODUCTION), accounts[0])


async def depts_of(database: Database, numbers: Collection[int]) -> dict[int, Dept]:
    """Those that are there, by id."""
    found = [msgspec.convert(document, Dept) for document in await find_by(database, ACCOUNTS, "_id", numbers)]
    return {dept.id: dept for dept in found}


async def depts_within(database: Database, scope: Scope) -> list[Dept]:
    """Of some customers, the oldest first."""
    with translated():
        found = await database[ACCOUNTS].find(scope.match()).sort("_id", 1).to_list()
    return [msgspec.convert(document, Dept) for document in found]


async def depts_signed(database: Database, contract_states: Collection[int]) -> set[int]:
    """The accounts whose framework agreement is in one of these states."""
    with translated():
        return set(await database[ACCOUNTS].distinct("_id", {"contract_state": {"$in": sorted(contract_states)}}))
