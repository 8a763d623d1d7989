"""Grants: which products an account may call, and its prices through time.

A grant is one document, changed by comparing its `version`: what two writers decide at
once is decided one after the other, each on what the other left. A grant that is deleted
stays, for calls that come late; granted again, it goes on with its history.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from pymongo.errors import DuplicateKeyError

from handlers.products.moves import GrantState
from handlers.products.prices import ChargeType, FeeType, History, Price, Terms
from schemas.errors import StoreAway
from schemas.mt.access import Scope
from schemas.mt.codes import not_found
from stores.mongo import Database, translated
from stores.mt.numbers import next_number
from stores.mt.pages import find_by
from stores.mt.revisions import bump

GRANTS = "grants"
ATTEMPTS = 20
"""So often a change is decided anew because another came between."""


class StoredPrice(msgspec.Struct, frozen=True, rename={"since": "from"}, kw_only=True):
    """A price as a document has it: flat, the change that set it beside its terms."""

    since: datetime
    gone: bool = False
    """There is no price from then on."""
    fee_micro: int = 0
    fee_type: int = FeeType.QUERY
    charge_type: int = ChargeType.FLAT
    fee_detail: dict[str, int] = msgspec.field(default_factory=dict)
    adjustment_id: int | None = None
    taken_back: bool = False


class Royalty(msgspec.Struct, frozen=True, kw_only=True):
    """A promoter's commission; amounts in micro-units, rates in millionths."""

    spreader_id: int
    royalty_type: str
    price_micro: int | None = None
    rate_millionths: int | None = None
    effect_month: str | None = None
    assigned_at: datetime


class Grant(msgspec.Struct, frozen=True, rename={"id": "_id"}, kw_only=True):
    id: int
    dept_id: int
    merchant_id: int | None
    item: str
    state: int
    version: int = 0
    prices: tuple[StoredPrice, ...] = ()
    sub_items: tuple[str, ...] = ()
    """Of a bundle: the sub-products that belong to it here."""
    free_count: int = 0
    cache_days: int | None = None
    apply_remark: str | None = None
    audit_remark: str | None = None
    audited_at: datetime | None = None
    org_code: str | None = None
    risk_threshold: float | None = None
    used_version: str | None = None
    is_hidden: bool = False
    royalties: tuple[Royalty, ...] = ()
    created_by: int = 0
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def history(self) -> History:
        return tuple(price_of_document(price) for price in self.prices)

    @property
    def known_state(self) -> GrantState | None:
        """None where it is deleted."""
        return GrantState(self.state) if self.deleted_at is None else None

    def priced(self, history: History) -> "Grant":
        """The grant with another history."""
        return msgspec.structs.replace(self, prices=tuple(document_of_price(price) for price in history))


def price_of_document(price: StoredPrice) -> Price:
    terms = Terms(price.fee_micro, price.fee_type, price.charge_type, price.fee_detail)
    return Price(price.since, terms, price.adjustment_id, price.taken_back, price.gone)


def document_of_price(price: Price) -> StoredPrice:
    return StoredPrice(
        since=price.since,
        gone=price.gone,
        fee_micro=price.terms.fee_micro,
        fee_type=price.terms.fee_type,
        charge_type=price.terms.charge_type,
        fee_detail=dict(price.terms.fee_detail),
        adjustment_id=price.change,
        taken_back=price.taken_back,
    )


Change = Callable[[Grant], Grant]
"""What becomes of a grant; raises what refuses the change. It may be asked more than once."""


async def find_grants(database: Database, numbers: Collection[int], scope: Scope) -> dict[int, Grant]:
    """By id. Refuses not_found unless all of them are there, for this caller. Raises StoreAway."""
    found = [to_grant(document) for document in await find_by(database, GRANTS, "_id", numbers)]
    grants = {grant.id: grant for grant in found if grant.deleted_at is None and scope.admits(grant.merchant_id)}
    if missing := sorted(set(numbers) - grants.keys()):
        raise not_found(f"grant {', '.join(map(str, missing))}")
    return grants


async def find_grant(database: Database, number: int, scope: Scope) -> Grant:
    """Refuses not_found. Raises StoreAway."""
    return (await find_grants(database, [number], scope))[number]


async def any_grant(database: Database, number: int) -> Grant | None:
    """A grant, be it deleted. Raises StoreAway."""
    with translated():
        found = await database[GRANTS].find_one({"_id": number})
    return None if found is None else to_grant(found)


async def held_by(database: Database, dept_id: int, items: Collection[str] | None = None) -> dict[str, Grant]:
    """An account's grants by product code, of some products or of all; deleted ones too. Raises StoreAway."""
    if items is not None:
        found = await find_by(database, GRANTS, "item", items, {"dept_id": dept_id})
    else:
        with translated():
            found = await database[GRANTS].find({"dept_id": dept_id}).to_list()
    return {document["item"]: to_grant(document) for document in found}


async def holders_of(database: Database, item: str, states: Sequence[int]) -> list[Grant]:
    """The grants of a product in these states. Raises StoreAway."""
    with translated():
        found = await database[GRANTS].find({"item": item, "deleted_at": None}).to_list()
    return [grant for grant in map(to_grant, found) if grant.state in states]


async def items_granted(database: Database, scope: Scope, states: Sequence[int]) -> set[str]:
    """The products that some customers' accounts hold in these states. Raises StoreAway."""
    match = {**scope.match(), "state": {"$in": list(states)}, "deleted_at": None}
    with translated():
        return set(await database[GRANTS].distinct("item", match))


async def each_grant(database: Database, match: Mapping[str, Any]) -> AsyncGenerator[Grant, None]:
    """All that match, the newest first, from a cursor. Raises StoreAway."""
    with translated():
        async with database[GRANTS].find(dict(match)).sort("_id", -1) as found:
            async for document in found:
                yield to_grant(document)


async def open_grant(database: Database, blank: Grant, change: Change, at: datetime) -> Grant:
    """Change the grant of an account and product, made from `blank` where there is none. Raises StoreAway.

    `blank` is taken for a deleted grant: `change` decides from which state it comes. Its id is set here.
    """
    known = await held_by(database, blank.dept_id, [blank.item])
    if blank.item in known:
        return await change_grant(database, known[blank.item].id, change, at)
    new = msgspec.structs.replace(change(blank), id=await next_number(database, GRANTS), updated_at=at)
    try:
        with translated():
            await database[GRANTS].insert_one(_document(new))
    except DuplicateKeyError:  # another made it meanwhile
        return await open_grant(database, blank, change, at)
    await bump(database)
    return new


async def change_grant(database: Database, number: int, change: Change, at: datetime) -> Grant:
    """The grant as it is afterwards. A change that changes nothing writes nothing. Raises StoreAway."""
    for _ in range(ATTEMPTS):
        grant = await any_grant(database, number)
        if grant is None:
            raise not_found(f"grant {number}")
        wanted = change(grant)
        if wanted == grant:
            return grant
        wanted = msgspec.structs.replace(wanted, version=grant.version + 1, updated_at=at)
        with translated():
            done = await database[GRANTS].replace_one({"_id": number, "version": grant.version}, _document(wanted))
        if done.matched_count:
            await bump(database)
            return wanted
    raise StoreAway(f"grant {number}: {ATTEMPTS} changes came between")


async def used_free(database: Database, grants: Collection[Grant]) -> Mapping[tuple[int, str], int]:
    """Free calls that were used, by account and product. Raises StoreAway."""
    names = {f"{grant.dept_id}/{grant.item}": (grant.dept_id, grant.item) for grant in grants}
    found = await find_by(database, FREE_USAGE, "_id", names)
    return {names[document["_id"]]: int(document.get("used", 0)) for document in found}


FREE_USAGE = "free_usage"


def to_grant(document: dict[str, Any]) -> Grant:
    return msgspec.convert(document, Grant)


def _document(grant: Grant) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(grant, builtin_types=(datetime,))
    return document
