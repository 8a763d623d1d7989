"""What calls add to totals, and what is taken off when they change."""

from datetime import UTC, datetime

from handlers.effects import Inc, Set
from handlers.products.prices import Terms
from handlers.usage.rating import State, Upstream, as_free, rate
from handlers.usage.totals import Total, Totals, quoted
from schemas.mt.common import Zone
from tests.unit.usage.calls import a_book, a_call, a_grant
from workers.rate_batch import closing

BOOK = a_book(a_grant("id", Terms(300)))
NORTH = Upstream("north", "id", billable=True, cost_micro=40)


def totals() -> Totals:
    return Totals(lambda day: closing(day, Zone("Asia/Shanghai")))


def figures(of: Totals) -> dict[str, dict[str, int]]:
    """By `_id`, without what is nothing."""
    return {
        f"{name} {total.key}": {field: by for field, by in zip(total.fields, total.sums, strict=True) if by}
        for name, some in of.documents()
        for total in some
    }


def test_a_call_counts_by_hour_day_and_month_by_source_and_in_its_wallet() -> None:
    added = totals()
    added.post(5, rate(a_call(tag="a/b", source="north", upstream=(NORTH,)), BOOK))

    customer = {"count": 1, "success": 1, "charged": 1, "fee_micro": 300, "cost_micro": 40}
    assert figures(added) == {
        "cust_hourly 1/id/a%2Fb/2026-03-01 12": customer,
        "cust_daily 1/id/a%2Fb/2026-03-01": customer,
        "cust_monthly 1/id/a%2Fb/2026-03": customer,
        "source_daily north/id/a%2Fb/2026-03-01": customer,
        "source_monthly north/id/a%2Fb/2026-03": customer,
        "wallets 7": {"balance_micro": -300},
        "ledger usage/7/2026-03-01": {"count": 1, "amount_micro": 300},
    }


def test_a_free_call_counts_as_such_and_moves_no_money() -> None:
    added = totals()
    added.post(5, as_free(rate(a_call(), BOOK), 1))

    assert figures(added)["cust_daily 1/id//2026-03-01"] == {"count": 1, "success": 1, "free": 1}
    assert figures(added)["free_usage 1/id"] == {"used": 1}
    assert not any(key.startswith(("wallets", "ledger")) for key in figures(added))


def test_fee_and_hit_go_to_the_source_that_answered_and_once() -> None:
    upstream = (Upstream("south", "id", billable=True, cost_micro=1), NORTH, NORTH)
    added = totals()
    added.post(5, rate(a_call(source="north", upstream=upstream), BOOK))

    days = figures(added)
    assert days["source_daily south/id//2026-03-01"] == {"count": 1, "charged": 1, "cost_micro": 1}
    assert days["source_daily north/id//2026-03-01"]["fee_micro"] == 300
    assert days["source_daily north/id//2026-03-01"]["count"] == 2
    assert days["source_daily north/id//2026-03-01"]["success"] == 1


def test_what_a_changed_call_had_added_is_taken_off() -> None:
    before = rate(a_call(), BOOK)
    unrated = rate(a_call(tag="other"), a_book())
    added = totals()
    added.post(1, before)
    added.repost(2, before, unrated)

    left = {key: of for key, of in figures(added).items() if of and key.startswith(("cust_daily", "wallets", "ledger"))}
    assert left == {"cust_daily 1/id/other/2026-03-01": {"count": 1, "success": 1, "unrated": 1}}
    assert unrated.state is State.UNRATED


def test_a_batch_is_one_update_a_document_and_says_what_the_document_is_about() -> None:
    added = totals()
    for offset in range(3, 6):
        added.post(offset, rate(a_call(), BOOK))

    [entry] = dict(added.documents())["ledger"]
    assert (entry.first, entry.last) == (3, 5)
    merged = entry.merged()
    assert merged["amount_micro"] == Inc(900)
    assert merged["at"] == Set(datetime(2026, 3, 1, 15, 59, 59, 999_000, tzinfo=UTC))
    assert (merged["debit"], merged["credit"]) == (Set("wallet/7"), Set("revenue/usage"))


def test_what_a_fence_says_is_in_is_left_out_of_the_rest() -> None:
    total = Total("key", ("count",), {}, [(3, (1,)), (3, (1,)), (5, (1,))])

    assert total.after(3) == Total("key", ("count",), {}, [(5, (1,))])
    assert total.after(5) is None


def test_a_slash_in_a_tag_is_no_division_of_the_key() -> None:
    assert quoted("a/b") != quoted("a%2Fb")
