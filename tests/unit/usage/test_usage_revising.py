"""Corrections of records, and calls that are rated again."""

from typing import Any

import pytest

from handlers.products.prices import FeeType, Terms
from handlers.usage.rating import Rated, State, as_free, rate
from handlers.usage.revising import corrected, rated_again
from schemas.usage import UsageCorrected
from tests.unit.usage.calls import a_book, a_call, a_grant

BOOK = a_book(a_grant("id", Terms(300, FeeType.HIT)))
HIT, MISS = a_call(), a_call(success=False)
CHARGED, UNCHARGED = rate(HIT, BOOK), rate(MISS, BOOK)
FREE = as_free(CHARGED, 2)
UNRATED = rate(HIT, a_book())


@pytest.mark.parametrize(
    ("rated", "said", "state", "fee_micro"),
    [
        (CHARGED, {"is_fee": 0}, State.UNCHARGED, 0),
        (CHARGED, {"fee_micro": 50}, State.CHARGED, 50),
        (CHARGED, {"is_fee": 1, "fee_micro": 50}, State.CHARGED, 50),
        (CHARGED, {"is_fee": 1}, State.CHARGED, 300),
        (CHARGED, {"tag": "other"}, State.CHARGED, 300),
        (CHARGED, {"success": 0}, State.UNCHARGED, 0),
        (UNCHARGED, {"success": 1}, State.CHARGED, 300),
        (UNCHARGED, {"fee_micro": 50}, State.CHARGED, 50),
        (FREE, {"is_fee": 0}, State.UNCHARGED, 0),
        (FREE, {"is_fee": 1}, State.CHARGED, 300),
        (FREE, {"tag": "other"}, State.FREE, 0),
        (UNRATED, {"fee_micro": 50}, State.CHARGED, 50),
        (UNRATED, {"is_fee": 1}, State.CHARGED, 300),
    ],
)
def test_what_the_operator_says_of_the_fee_counts(
    rated: Rated, said: dict[str, Any], state: State, fee_micro: int
) -> None:
    call = HIT if rated.success else MISS
    after = corrected(rated, call, UsageCorrected(seq_no="s", dept_id=1, by=5, **said), BOOK)

    assert (after.state, after.fee_micro) == (state, fee_micro)
    assert after.wallet_id == (7 if state is State.CHARGED else None)
    assert after.free_no == rated.free_no
    assert (after.tag, after.success) == (said.get("tag", ""), bool(said.get("success", rated.success)))


def test_a_free_call_stays_free_without_a_wallet() -> None:
    book = a_book(a_grant("id", Terms(300)), wallets=[])

    after = corrected(FREE, HIT, UsageCorrected(seq_no="s", dept_id=1, by=5, success=0), book)

    assert (after.state, after.reason, after.free_no, after.success) == (State.FREE, None, 2, False)


def test_a_corrected_fee_stays_with_the_wallet_that_has_paid() -> None:
    moved = a_book(a_grant("id", Terms(300)), wallets=[])

    assert corrected(CHARGED, HIT, UsageCorrected(seq_no="s", dept_id=1, by=5, fee_micro=1), moved).wallet_id == 7


def test_rated_again_a_call_comes_to_what_it_would_have_cost_and_one_with_a_price_stays() -> None:
    assert rated_again(UNRATED, HIT, BOOK) == CHARGED
    assert rated_again(CHARGED, HIT, a_book(a_grant("id", Terms(999)))) == CHARGED
