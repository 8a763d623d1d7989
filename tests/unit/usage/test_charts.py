"""What the home pages show: spans of days and months, trends, tops and growth."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.usage.charts import ProductSum, growth, statistics, trend
from handlers.usage.periods import Days, days_between, month_before, months_between, preset
from schemas.mt.common import yuan
from schemas.mt.statistics import LAST_MONTH, THIS_MONTH, TODAY, TOP_PRODUCTS, YESTERDAY


def test_a_month_that_is_not_over_is_compared_with_as_many_days_of_the_one_before() -> None:
    compared = preset(THIS_MONTH, date(2026, 11, 21))
    assert compared.span == Days(date(2026, 11, 1), date(2026, 11, 21))
    assert compared.before == Days(date(2026, 10, 1), date(2026, 10, 21))


def test_the_end_of_a_long_month_is_compared_with_the_whole_of_a_short_one() -> None:
    assert preset(THIS_MONTH, date(2026, 3, 31)).before == Days(date(2026, 2, 1), date(2026, 2, 28))


@pytest.mark.parametrize(
    ("date_type", "span", "before"),
    [
        (TODAY, ("2026-01-01", "2026-01-01"), ("2025-12-31", "2025-12-31")),
        (YESTERDAY, ("2025-12-31", "2025-12-31"), ("2025-12-30", "2025-12-30")),
        (LAST_MONTH, ("2025-12-01", "2025-12-31"), ("2025-11-01", "2025-11-30")),
    ],
)
def test_presets_cross_the_turn_of_the_year(date_type: int, span: tuple[str, str], before: tuple[str, str]) -> None:
    compared = preset(date_type, date(2026, 1, 1))
    assert (compared.span, compared.before) == (_days(*span), _days(*before))


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_the_month_before_ends_the_day_before_this_one_begins(day: date) -> None:
    before = month_before(day)
    assert before.first.day == 1
    assert (day.replace(day=1) - before.last).days == 1
    assert (before.first.year, before.first.month) == (before.last.year, before.last.month)


def test_months_are_listed_over_the_turn_of_the_year() -> None:
    assert months_between("2025-11", "2026-02") == ["2025-11", "2025-12", "2026-01", "2026-02"]


@pytest.mark.parametrize(("start", "end"), [("2026-01-01", "2026-02-01"), ("2026-01-02", "2026-01-01"), ("x", "y")])
def test_too_many_days_reversed_ones_and_none_are_refused(start: str, end: str) -> None:
    with pytest.raises(ValueError, match="Date"):
        days_between(start, end)


@pytest.mark.parametrize(("start", "end"), [("2020-01", "2023-01"), ("2026-02", "2026-01"), ("2026-13", "2026-14")])
def test_too_many_months_reversed_ones_and_none_are_refused(start: str, end: str) -> None:
    with pytest.raises(ValueError, match="Date"):
        months_between(start, end)


def test_growth_is_in_percent_and_unsaid_from_nothing() -> None:
    assert growth(150, 100) == Decimal("50.00")
    assert growth(0, 3) == Decimal("-100.00")
    assert growth(1, 3) == Decimal("-66.67")
    assert growth(5, 0) is None


SUMS = st.lists(
    st.builds(
        ProductSum,
        st.sampled_from(["2026-01-01", "2026-01-02"]),
        st.sampled_from([f"P{number}" for number in range(14)]),
        st.sampled_from(["", "night"]),
        st.integers(1, 1000),
        st.integers(0, 10**9),
    ),
    unique_by=lambda each: (each.date, each.item, each.tag),
)


@given(SUMS)
def test_dates_products_and_totals_add_up_to_the_same(sums: list[ProductSum]) -> None:
    shown = statistics(sums, ["2026-01-01", "2026-01-02"], {})
    count, fee = sum(each.count for each in sums), yuan(sum(each.fee_micro for each in sums))
    assert (shown.total_count, shown.total_fee) == (count, fee)
    assert sum(row.count for row in shown.item_counts) == sum(row.count for row in shown.item_fees) == count
    assert sum(row.total_count for row in shown.dates) == count
    assert sum((row.total_fee for row in shown.dates), Decimal()) == fee
    assert shown.check_items == sorted({each.item for each in sums})


@given(SUMS)
def test_a_date_shows_its_most_called_products_only_and_counts_them_all(sums: list[ProductSum]) -> None:
    for row in trend(sums, ["2026-01-01"], {}):
        counts = [item.count for item in row.items]
        assert counts == sorted(counts, reverse=True)
        assert len(counts) <= TOP_PRODUCTS
        assert row.item_count == len({each.item for each in sums if each.date == row.date})


def test_a_date_without_calls_is_shown_with_none() -> None:
    (row,) = trend([], ["2026-01-01"], {})
    assert (row.date, row.items, row.total_count, row.total_fee) == ("2026-01-01", [], 0, 0)


def test_the_tag_is_in_a_products_name() -> None:
    (row,) = trend([ProductSum("d", "P1", "night", 1, 0)], ["d"], {"P1": "Number check"})
    assert [item.check_item_name for item in row.items] == ["Number check(night)"]


def _days(first: str, last: str) -> Days:
    return Days(date.fromisoformat(first), date.fromisoformat(last))
