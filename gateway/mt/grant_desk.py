"""What happens to grants, whoever asks: customers apply, operators grant and audit, salesmen will.

Each call is checked whole before anything is written: what is refused has changed nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from gateway.mt.terms import micro, wish_of
from handlers.products.moves import GrantState, Move, moved
from handlers.products.prices import EVER, Terms, granted, in_force, upcoming, withdrawn
from handlers.products.terms import Wish, agreed, check_floor, check_sub_items
from schemas.errors import Refused
from schemas.mt.access import Principal, Role, Scope
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.common import price_of
from schemas.mt.grants import GrantFields, SourcePriority, TermsFields
from schemas.mt.grants import Royalty as RoyaltyInput
from schemas.mt.product_codes import FREE_USED, GRANT_STATE, OFF_SHELF
from stores.mongo import Database
from stores.mt.assignments import Wanted
from stores.mt.depts import Dept
from stores.mt.grants import Change, Grant, Royalty, change_grant, find_grants, held_by, open_grant, used_free
from stores.mt.products import Product, find_product, products_of
from stores.mt.schedule import adjust_prices, cancel_idle, take_back_changes
from stores.mt.sources import upstreams_of

PRICED = (GrantState.OPEN, GrantState.DISABLED)


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A grant that is to be opened: of which product, on what terms, with what else."""

    product: Product
    terms: Terms
    fields: Mapping[str, Any]


class GrantDesk:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ---- what is asked for ------------------------------------------------------------------------------------------

    async def terms(
        self, product: Product, wish: Wish, so_far: Terms | None = None, parts: Sequence[str] | None = None
    ) -> Terms:
        """The terms a wish comes to. Refuses bad_field and BELOW_FLOOR. `parts` of a bundle, if not the product's."""
        terms = agreed(wish, product.offer, so_far)
        check_sub_items(terms, product.sub_items if parts is None else parts)
        priced = {product.code: product, **await products_of(self._database, terms.fee_detail)}
        check_floor(terms, product.code, {code: one.floor_price_micro for code, one in priced.items()})
        return terms

    async def opening(
        self, product: Product, fields: TermsFields, extra: Mapping[str, Any], parts: Sequence[str] | None = None
    ) -> Opening:
        """Refuses OFF_SHELF, bad_field and BELOW_FLOOR."""
        check_on_shelf(product)
        sub_items = tuple(product.sub_items if parts is None else parts)
        terms = await self.terms(product, wish_of(fields), None, sub_items)
        return Opening(product=product, terms=terms, fields={**extra, "sub_items": sub_items})

    # ---- grants are opened ------------------------------------------------------------------------------------------

    async def check_move(self, move: Move, dept: Dept, items: Sequence[str]) -> None:
        """Refuses GRANT_STATE where one of the account's grants cannot come to it, and a product named twice."""
        if len(set(items)) < len(items):
            raise Refused("bad_field", "a product is named twice")
        known = await held_by(self._database, dept.id, items)
        for item in items:
            moved(move, known[item].known_state if item in known else None, _what(dept.id, item))

    async def open(self, dept: Dept, openings: Sequence[Opening], by: int, at: datetime) -> None:
        """Grant products to an account, all of them or (refused) none."""
        await self.check_move(Move.ACCREDIT, dept, [opening.product.code for opening in openings])
        for opening in openings:
            blank = _blank(dept, opening.product.code, by, at)
            await open_grant(self._database, blank, opened(Move.ACCREDIT, opening.terms, opening.fields, at), at)

    async def apply(self, dept: Dept, products: Sequence[Product], remark: str | None, by: int, at: datetime) -> None:
        """Ask for products; they wait for audit."""
        await self.check_move(Move.APPLY, dept, [product.code for product in products])
        for product in products:

            def waiting(grant: Grant, product: Product = product) -> Grant:
                return msgspec.structs.replace(
                    grant,
                    state=moved(Move.APPLY, grant.known_state, _what(grant.dept_id, grant.item)),
                    apply_remark=remark,
                    audit_remark=None,
                    audited_at=None,
                    sub_items=product.sub_items,
                    deleted_at=None,
                    created_at=at,
                )

            await open_grant(self._database, _blank(dept, product.code, by, at), waiting, at)

    # ---- grants are changed -----------------------------------------------------------------------------------------

    async def of_account(self, dept_id: int, numbers: Sequence[int], scope: Scope) -> list[Grant]:
        """Refuses not_found for a grant that is not the account's."""
        grants = await find_grants(self._database, numbers, scope)
        for grant in grants.values():
            if grant.dept_id != dept_id:
                raise not_found(f"grant {grant.id} of account {dept_id}")
        return list(grants.values())

    async def move(self, move: Move, grants: Sequence[Grant], at: datetime) -> None:
        """Enable or disable, all of them or (refused) none."""
        for grant in grants:
            moved(move, grant.known_state, _what(grant.dept_id, grant.item))
        for grant in grants:
            await change_grant(self._database, grant.id, lambda grant: _moved(grant, move), at)

    async def delete(self, grants: Sequence[Grant], at: datetime) -> None:
        """What is planned for them is cancelled; from now on calls have no price."""
        for grant in grants:
            planned = [price.change for price in upcoming(grant.history, at) if price.change is not None]
            gone = await change_grant(self._database, grant.id, lambda grant: _deleted(grant, at), at)
            await take_back_changes(self._database, gone.id, planned, at)
            await cancel_idle(self._database, planned, at)

    async def set_free(self, counts: Mapping[int, int], who: Principal, scope: Scope, at: datetime) -> None:
        """Set how many calls are free in all. Refuses FREE_USED for fewer than were used."""
        grants = await find_grants(self._database, list(counts), scope)
        products = await products_of(self._database, [grant.item for grant in grants.values()])
        for number, grant in grants.items():
            await self._check_free_used(grant, counts[number])
            check_free(products.get(grant.item), counts[number], who)
        for number, count in counts.items():
            await self.set_fields(number, {"free_count": count}, at)

    async def set_fields(self, number: int, fields: Mapping[str, Any], at: datetime) -> None:
        await change_grant(self._database, number, lambda grant: msgspec.structs.replace(grant, **fields), at)

    async def adjust(
        self, wishes: Sequence[tuple[Grant, Wish]], planned: datetime | None, by: int, at: datetime
    ) -> None:
        """Change prices at a time or (None) at once. Refuses GRANT_STATE, bad_field and BELOW_FLOOR."""
        products = await products_of(self._database, [grant.item for grant, _ in wishes])
        changes = []
        for grant, wish in wishes:
            if grant.state not in PRICED or grant.item not in products:
                raise MtRefused(GRANT_STATE, f"{_what(grant.dept_id, grant.item)} is not open: it has no price yet")
            if wish.is_empty:
                raise Refused("bad_field", f"grant {grant.id}: say what its price is to be")
            so_far = in_force(grant.history, planned or at)
            base = None if so_far is None else so_far.terms
            terms = await self.terms(products[grant.item], wish, base, grant.sub_items)
            changes.append((grant, terms))
        await adjust_prices(self._database, changes, planned, by, at)

    async def edit(
        self, grant: Grant, body: GrantFields, who: Principal, at: datetime, *, approve: bool, audit: bool = False
    ) -> None:
        """Set fields; another price is an adjustment at once. `approve` opens one that waits, with its price.

        `audit`: only one that waits can be approved. Refuses GRANT_STATE, bad_field, BELOW_FLOOR and FREE_USED.
        """
        wish, fields = wish_of(body), fields_of(body, at)
        product = await find_product(self._database, grant.item)
        check_free(product, body.free_count, who)
        if approve and (audit or grant.state == GrantState.WAITING):
            moved(Move.APPROVE, grant.known_state, _what(grant.dept_id, grant.item))
            terms = await self.terms(product, wish, None, grant.sub_items)
            opening = opened(Move.APPROVE, terms, {**fields, "audited_at": at}, at)
            await change_grant(self._database, grant.id, opening, at)
            return
        await self._check_free_used(grant, body.free_count)
        if not wish.is_empty and await self._differs(grant, product, wish, at):
            await self.adjust([(grant, wish)], None, who.user_id, at)
        await self.set_fields(grant.id, fields, at)

    async def check_approval(self, grant: Grant, body: GrantFields, who: Principal) -> None:
        """Refuses what `edit` would refuse to approve."""
        product = await find_product(self._database, grant.item)
        check_free(product, body.free_count, who)
        moved(Move.APPROVE, grant.known_state, _what(grant.dept_id, grant.item))
        await self.terms(product, wish_of(body), None, grant.sub_items)

    async def _differs(self, grant: Grant, product: Product, wish: Wish, at: datetime) -> bool:
        """Whether a wish is another price than the one in force: forms send all their fields."""
        price = in_force(grant.history, at)
        return price is None or await self.terms(product, wish, price.terms, grant.sub_items) != price.terms

    async def _check_free_used(self, grant: Grant, count: int | None) -> None:
        if count is None:
            return
        spent = (await used_free(self._database, [grant])).get((grant.dept_id, grant.item), 0)
        if count < spent:
            raise MtRefused(FREE_USED, f"{_what(grant.dept_id, grant.item)}: {spent} free calls were used already")

    async def wanted_sources(self, item: str, priorities: Sequence[SourcePriority]) -> list[Wanted]:
        """Refuses not_found for what is no upstream configuration of the product."""
        upstreams = await upstreams_of(self._database, [one.source_id for one in priorities])
        for one in priorities:
            if one.source_id not in upstreams or upstreams[one.source_id].item != item:
                raise not_found(f"upstream configuration {one.source_id} of {item}")
        return [Wanted(one.source_id, one.priority, one.id) for one in priorities]


# ---- what becomes of a grant ----------------------------------------------------------------------------------------


def opened(move: Move, terms: Terms, fields: Mapping[str, Any], at: datetime) -> Change:
    """A grant that is open from now on; its first price holds since ever."""

    def change(grant: Grant) -> Grant:
        state = moved(move, grant.known_state, _what(grant.dept_id, grant.item))
        priced = grant.priced(granted(grant.history, terms, at))
        return msgspec.structs.replace(priced, state=int(state), deleted_at=None, **fields)

    return change


def rejected(reason: str | None, at: datetime) -> Change:
    def change(grant: Grant) -> Grant:
        return msgspec.structs.replace(_moved(grant, Move.REJECT), audit_remark=reason, audited_at=at)

    return change


def _moved(grant: Grant, move: Move) -> Grant:
    state = moved(move, grant.known_state, _what(grant.dept_id, grant.item))
    return msgspec.structs.replace(grant, state=int(state))


def _deleted(grant: Grant, at: datetime) -> Grant:
    if grant.deleted_at is not None:
        return grant
    history = withdrawn(grant.history, at) if grant.history else ()
    return msgspec.structs.replace(grant.priced(history), deleted_at=at)


def _blank(dept: Dept, item: str, by: int, at: datetime) -> Grant:
    """A grant that is not there yet."""
    return Grant(
        id=0,
        dept_id=dept.id,
        merchant_id=dept.merchant_id,
        item=item,
        state=GrantState.WAITING,
        created_by=by,
        created_at=at,
        updated_at=at,
        deleted_at=EVER,
    )


def _what(dept_id: int, item: str) -> str:
    return f"{item} of account {dept_id}"


# ---- what is checked ------------------------------------------------------------------------------------------------


def check_on_shelf(product: Product, online: bool = False) -> None:
    """Refuses OFF_SHELF. `online`: for a customer, who may apply for some products only."""
    if product.state != 10 or not product.is_open:
        raise MtRefused(OFF_SHELF, f"{product.code} is not on the shelf")
    if online and not product.applicable:
        raise MtRefused(OFF_SHELF, f"{product.code} cannot be applied for online")


def check_item(grant: Grant, item: str) -> None:
    """Refuses bad_field where a grant is of another product: it cannot be changed."""
    if grant.item != item:
        raise Refused("bad_field", f"itemCode: grant {grant.id} is of {grant.item}")


def check_free(product: Product | None, count: int | None, who: Principal) -> None:
    """Refuses bad_field for more free calls than a salesman may give."""
    most = None if product is None else product.max_free_count
    if who.role is Role.SALESMAN and count is not None and most is not None and count > most:
        raise Refused("bad_field", f"freeCount: at most {most} may be given")


def fields_of(fields: GrantFields, at: datetime) -> dict[str, Any]:
    """What a caller sets of a grant besides its price; the rest is left as it is."""
    given = {
        "free_count": fields.free_count,
        "apply_remark": fields.apply_remark,
        "org_code": fields.org_code,
        "risk_threshold": fields.risk_threshold,
        "used_version": fields.used_version,
        "is_hidden": fields.is_hidden,
        "royalties": royalties_of(fields.spreader_royalties, at),
    }
    return {name: value for name, value in given.items() if value is not None}


def royalties_of(royalties: Sequence[RoyaltyInput] | None, at: datetime) -> tuple[Royalty, ...] | None:
    """Refuses bad_field for an amount or a rate that is none."""
    if royalties is None:
        return None
    return tuple(
        Royalty(
            spreader_id=royalty.spreader_id,
            royalty_type=royalty.royalty_type,
            price_micro=micro(royalty.royalty_price, "royaltyPrice"),
            rate_millionths=_rate(royalty),
            effect_month=royalty.effect_month,
            assigned_at=at,
        )
        for royalty in royalties
    )


def _rate(royalty: RoyaltyInput) -> int | None:
    if royalty.royalty_rate is None:
        return None
    if royalty.royalty_rate > 1:
        raise Refused("bad_field", "royaltyRate: from 0 to 1 is expected")
    return price_of(royalty.royalty_rate, "royaltyRate")
