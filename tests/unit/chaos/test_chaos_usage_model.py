"""The naive model that a run of chaos is held against, for usage; totals are also held against the code's own."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handlers.usage.records import rated_of
from handlers.usage.totals import FIGURES, WALLETS, Totals
from tests.chaos.usage_ledger import Pricing
from tests.chaos.usage_model import PriceOf, differing, fees_at, free_calls, prices_of, standing, totals_of

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
EVER = datetime(2000, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def a_record(**fields: Any) -> dict[str, Any]:
    """A charged call at noon of the first of March in Shanghai, that asked no source."""
    known: dict[str, Any] = {
        "dept_id": 1,
        "item": "id",
        "tag": "a/b",
        "hour": "2026-03-01 12",
        "success": True,
        "cached": False,
        "state": "charged",
        "fee_micro": 300,
        "wallet_id": 7,
        "upstream": [],
    }
    return {**known, **fields}


def a_source(source: str, cost_micro: int = 5, *, is_fee: bool = True) -> dict[str, Any]:
    return {"source": source, "item": "id", "is_fee": is_fee, "cost_micro": cost_micro}


def a_price(since: datetime, fee_micro: int) -> dict[str, Any]:
    return {"from": since, "fee_micro": fee_micro}


def test_a_call_counts_in_its_hour_day_and_month_and_in_its_wallets_day() -> None:
    totals = totals_of([a_record(), a_record(success=False, state="uncharged", fee_micro=0, wallet_id=None)])

    assert totals["cust_hourly"]["1/id/a%2Fb/2026-03-01 12"]["count"] == 2
    assert totals["cust_daily"]["1/id/a%2Fb/2026-03-01"]["success"] == 1
    assert totals["cust_monthly"]["1/id/a%2Fb/2026-03"]["fee_micro"] == 300
    assert totals["ledger"] == {"usage/7/2026-03-01": Counter({"count": 1, "amount_micro": 300})}


def test_the_fee_is_that_of_the_source_that_answered_and_once() -> None:
    asked = [a_source("south", is_fee=False), a_source("north"), a_source("north")]
    totals = totals_of([a_record(source="north", upstream=asked)])

    assert totals["source_daily"]["south/id/a%2Fb/2026-03-01"]["fee_micro"] == 0
    north = totals["source_monthly"]["north/id/a%2Fb/2026-03"]
    assert (north["count"], north["charged"], north["fee_micro"], north["cost_micro"]) == (2, 2, 300, 10)


records = st.builds(
    a_record,
    dept_id=st.integers(1, 2),
    tag=st.sampled_from(["", "a/b", "%"]),
    hour=st.sampled_from(["2026-02-28 23", "2026-03-01 00", "2026-03-01 12"]),
    success=st.booleans(),
    cached=st.booleans(),
    state=st.sampled_from(["charged", "free", "uncharged", "unrated"]),
    fee_micro=st.integers(0, 3),
    wallet_id=st.integers(7, 8),
    source=st.sampled_from(["north", "south", None]),
    upstream=st.lists(st.builds(a_source, st.sampled_from(["north", "south"]), is_fee=st.booleans()), max_size=3),
)


@given(st.lists(records, max_size=8))
def test_it_comes_to_what_the_code_comes_to(some: list[dict[str, Any]]) -> None:
    theirs = Totals(lambda day: day)
    for offset, record in enumerate(some):
        theirs.post(offset, rated_of(record))
    written = {
        name: {total.key: dict(zip(total.fields, total.sums, strict=True)) for total in documents}
        for name, documents in theirs.documents()
    }
    assert differing(totals_of(some), written, {name: FIGURES[name] for name in FIGURES if name != WALLETS}) == []


def test_a_figure_that_is_not_as_expected_is_told_and_so_is_a_total_that_is_missing_or_invented() -> None:
    expected = totals_of([a_record()])
    stored = {"ledger": {"usage/7/2026-03-01": {"count": 1, "amount_micro": 301}, "usage/8/2026-03-01": {"count": 1}}}

    found = differing(expected, stored, {"ledger": ("count", "amount_micro"), "cust_monthly": ("count",)})

    assert found == [
        "ledger/usage/7/2026-03-01: amount_micro is 301, should be 300",
        "ledger/usage/8/2026-03-01: count is 1, should be 0",
        "cust_monthly/1/id/a%2Fb/2026-03: count is 0, should be 1",
    ]


def test_what_leaves_one_account_reaches_the_other() -> None:
    entries = [
        {"debit": "cash/manual", "credit": "wallet/7", "amount_micro": 10},
        {"debit": "wallet/7", "credit": "revenue/usage", "amount_micro": 4},
    ]
    assert standing(entries) == {"cash/manual": -10, "wallet/7": 6, "revenue/usage": 4}


def test_a_call_costs_the_price_of_its_time_once_whoever_changed_it_was_answered() -> None:
    asked = [Pricing((1, "id"), 200, answered_at=NOON + 5 * SECOND)]
    prices = prices_of([a_price(NOON + SECOND, 200), a_price(EVER, 100)], asked)

    assert fees_at(prices, NOON) == {100}
    assert fees_at(prices, NOON + 2 * SECOND) == {100, 200}
    assert fees_at(prices, NOON + 5 * SECOND) == {200}


def test_a_planned_price_that_was_answered_before_holds_at_once() -> None:
    prices = prices_of([a_price(EVER, 100), a_price(NOON, 200)], [Pricing((1, "id"), 200, answered_at=NOON - SECOND)])

    assert fees_at(prices, NOON - SECOND) == {100}
    assert fees_at(prices, NOON) == {200}


def test_a_price_that_nobody_was_told_of_is_open_for_a_while() -> None:
    prices = prices_of([a_price(EVER, 100), a_price(NOON, 200)], [Pricing((1, "id"), 200)])

    assert fees_at(prices, NOON + SECOND) == {100, 200}
    assert fees_at(prices, NOON + timedelta(minutes=1)) == {200}


def test_of_several_prices_just_being_changed_any_may_have_been_seen() -> None:
    prices = [
        PriceOf(EVER, EVER, 100),
        PriceOf(NOON, NOON + 9 * SECOND, 200),
        PriceOf(NOON + SECOND, NOON + 9 * SECOND, 300),
    ]
    assert fees_at(prices, NOON + 2 * SECOND) == {100, 200, 300}


def test_free_calls_go_to_the_first_and_no_further_than_the_grant() -> None:
    assert free_calls(["b", "a", "c"], 2) == {"b": 1, "a": 2}
    assert free_calls(["b"], 2) == {"b": 1}
