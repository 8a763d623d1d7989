"""Terms of a grant: what is left out comes from the product, and none is below the lowest price."""

import pytest

from handlers.products.prices import ChargeType, FeeType, Terms
from handlers.products.terms import Offer, Wish, agreed, check_floor, check_sub_items
from schemas.errors import Refused
from schemas.mt.codes import MtRefused
from schemas.mt.product_codes import BELOW_FLOOR

OFFER = Offer(item="A", fee_type=FeeType.HIT, price_micro=500, floor_micro=300)
BUNDLE = Offer(item="B", price_micro=900, is_fusion=True, sub_items=("A", "C"))


def test_terms_that_are_left_out_are_the_products() -> None:
    assert agreed(Wish(), OFFER) == Terms(500, FeeType.HIT, ChargeType.FLAT, {})


def test_terms_that_are_left_out_stay_as_they_were_agreed() -> None:
    so_far = Terms(400, FeeType.QUERY, ChargeType.SUB_ITEMS, {"A": 7})

    assert agreed(Wish(fee_micro=450), BUNDLE, so_far) == Terms(450, FeeType.QUERY, ChargeType.SUB_ITEMS, {"A": 7})


def test_only_a_bundle_is_charged_by_its_parts() -> None:
    assert agreed(Wish(charge_type=ChargeType.SUB_ITEMS), BUNDLE).charge_type == ChargeType.SUB_ITEMS
    with pytest.raises(Refused, match="no bundle"):
        agreed(Wish(charge_type=ChargeType.SUB_ITEMS), OFFER)


def test_a_price_below_the_lowest_is_refused_and_one_at_it_is_not() -> None:
    check_floor(Terms(300), "A", {"A": 300})
    with pytest.raises(MtRefused, match=r"A: 0\.000299 is below the lowest price, 0\.0003") as refused:
        check_floor(Terms(299), "A", {"A": 300})
    assert refused.value.code == BELOW_FLOOR


def test_a_bundle_charged_by_parts_is_held_against_the_floors_of_the_parts() -> None:
    by_parts = Terms(0, FeeType.QUERY, ChargeType.SUB_ITEMS, {"A": 300, "C": 10})

    check_floor(by_parts, "B", {"A": 300, "B": 900})
    with pytest.raises(MtRefused, match="C: "):
        check_floor(by_parts, "B", {"A": 300, "C": 11})


def test_a_flat_price_of_a_bundle_is_held_against_its_own_floor() -> None:
    with pytest.raises(MtRefused, match="B: "):
        check_floor(Terms(899, FeeType.QUERY, ChargeType.FLAT, {"A": 1_000}), "B", {"B": 900})


def test_a_breakdown_names_parts_of_the_bundle_only() -> None:
    check_sub_items(Terms(1, fee_detail={"A": 1}), ("A", "C"))
    with pytest.raises(Refused, match="X is no part"):
        check_sub_items(Terms(1, fee_detail={"X": 1}), ("A", "C"))
