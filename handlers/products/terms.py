"""Terms of a grant as callers write them: filled from the product, and none below the lowest sales price."""

from collections.abc import Collection, Mapping

import msgspec

from handlers.products.prices import ChargeType, FeeType, Terms
from schemas.errors import Refused
from schemas.mt.codes import MtRefused
from schemas.mt.common import yuan
from schemas.mt.product_codes import BELOW_FLOOR


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a product costs where nothing else is agreed. Amounts in micro-units."""

    item: str
    fee_type: int = FeeType.QUERY
    price_micro: int = 0
    floor_micro: int = 0
    is_fusion: bool = False
    sub_items: tuple[str, ...] = ()


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The terms that a caller names; what is None is left to the terms so far, or to the product."""

    fee_micro: int | None = None
    fee_type: int | None = None
    charge_type: int | None = None
    fee_detail: Mapping[str, int] | None = None

    @property
    def is_empty(self) -> bool:
        return self == Wish()


def agreed(wish: Wish, offer: Offer, so_far: Terms | None = None) -> Terms:
    """The terms a wish comes to.

    A bundle without a word on it is priced flat. By sub-products only a bundle can be
    priced; then each that has no fee of its own in the breakdown costs what its own grant says.
    """
    base = so_far or Terms(offer.price_micro, offer.fee_type)
    terms = Terms(
        base.fee_micro if wish.fee_micro is None else wish.fee_micro,
        base.fee_type if wish.fee_type is None else wish.fee_type,
        base.charge_type if wish.charge_type is None else wish.charge_type,
        base.fee_detail if wish.fee_detail is None else dict(wish.fee_detail),
    )
    if not offer.is_fusion and terms.charge_type == ChargeType.SUB_ITEMS:
        raise Refused("bad_field", f"chargeType: {offer.item} is no bundle, it has no sub-products to charge by")
    return terms


def check_floor(terms: Terms, item: str, floors: Mapping[str, int]) -> None:
    """Refuses BELOW_FLOOR for terms with a price below the lowest sales price of what it is paid for.

    `floors` by product code, in micro-units. A bundle that is charged by sub-products has
    no price of its own: each of its breakdown's is held against the sub-product's floor.
    """
    fees = terms.fee_detail if terms.charge_type == ChargeType.SUB_ITEMS else {item: terms.fee_micro}
    for code, fee_micro in fees.items():
        floor = floors.get(code, 0)
        if fee_micro < floor:
            raise MtRefused(BELOW_FLOOR, f"{code}: {yuan(fee_micro)} is below the lowest price, {yuan(floor)}")


def check_sub_items(terms: Terms, sub_items: Collection[str]) -> None:
    """Refuses bad_field for a breakdown that names what is no part of the bundle."""
    unknown = sorted(terms.fee_detail.keys() - set(sub_items))
    if unknown:
        raise Refused("bad_field", f"feeDetail: {', '.join(unknown)} is no part of the bundle")
