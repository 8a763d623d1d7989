"""Grants at the edge: fee breakdowns, parts of a bundle, who is told of a product's change."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from gateway.mt.frame import Asked
from gateway.mt.operations.grants import grant_with_parts
from gateway.mt.product_notices import ALL, LISTED, NOBODY, notices
from gateway.mt.terms import detail_text, parse_detail, wish_of
from gateway.system import Call
from handlers.products.terms import Wish
from schemas.errors import Refused
from schemas.mt.codes import NOT_FOUND, MtRefused
from schemas.mt.grants import TermsFields
from schemas.mt.product_codes import NOT_A_BUNDLE
from stores.mt.depts import Dept
from stores.mt.grants import Grant
from stores.mt.schedule import Noticed, ProductChange

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_breakdown_is_read_to_the_micro_unit_and_written_as_it_was() -> None:
    text = '{"A":0.000001,"B":12}'

    assert parse_detail(text) == {"A": 1, "B": 12_000_000}
    assert detail_text(parse_detail(text)) == text
    assert detail_text({}) is None


@pytest.mark.parametrize("text", ["[1]", '{"A": "x"}', '{"A": -1}', '{"A": 0.0000001}', '{"a.b": 1}', '{"$a": 1}', "{"])
def test_what_is_no_breakdown_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="feeDetail"):
        parse_detail(text)


def test_an_empty_breakdown_says_nothing() -> None:
    assert wish_of(TermsFields(fee_detail="")).is_empty
    assert wish_of(TermsFields(fee=Decimal("1.5"), charge_type=20)) == Wish(fee_micro=1_500_000, charge_type=20)


# ---- parts of a bundle ----------------------------------------------------------------------------------------------


def bundle(*parts: str) -> Grant:
    return Grant(id=1, dept_id=1, merchant_id=1, item="B", state=10, sub_items=parts, created_at=AT, updated_at=AT)


def test_parts_are_added_once_and_taken_out() -> None:
    assert grant_with_parts(bundle("A"), ["C", "A"], add=True).sub_items == ("A", "C")
    assert grant_with_parts(bundle("A", "C"), ["A"], add=False).sub_items == ("C",)


def test_a_part_that_is_not_there_cannot_be_taken_out_nor_the_last_one() -> None:
    with pytest.raises(MtRefused) as unknown:
        grant_with_parts(bundle("A", "C"), ["X"], add=False)
    with pytest.raises(MtRefused) as last:
        grant_with_parts(bundle("A"), ["A"], add=False)
    assert (unknown.value.code, last.value.code) == (NOT_FOUND, NOT_A_BUNDLE)


# ---- who is told ----------------------------------------------------------------------------------------------------

HOLDERS = [
    Dept(id=1, merchant_id=1, emails=("one@example.com", "both@example.com")),
    Dept(id=2, merchant_id=2, emails=("both@example.com",)),
]


def told(scope: int, *noticed: Noticed, methods: tuple[str, ...] = ()) -> list[str]:
    change = ProductChange(
        product_id=1, item="A", to_state=-1, notice_scope=scope, notice_methods=methods, noticed=noticed
    )
    call = Call("POST", "/", {}, {}, b"", AT, "trace-1", "00-1")
    asked = cast("Any", Asked)(call, None, None)
    return [event.subject for event in notices(change, "A", "2026-03-01 00:00:00", HOLDERS, asked)]


def test_all_that_hold_the_product_are_told_each_address_once() -> None:
    assert told(ALL) == ["email/both@example.com", "email/one@example.com"]


def test_of_the_listed_each_is_told_at_the_address_listed_or_its_own() -> None:
    assert told(LISTED, Noticed(2), Noticed(3, email="three@example.com")) == [
        "email/both@example.com",
        "email/three@example.com",
    ]


def test_nobody_is_told_where_nobody_is_to_be_or_not_by_mail() -> None:
    assert told(NOBODY) == []
    assert told(ALL, methods=("SMS",)) == []
    assert told(ALL, methods=("SMS", "EMAIL")) != []
