"""What a call costs: by query and by hit, bundles, the cache, prices through time, sources."""

from datetime import timedelta

import msgspec
import pytest

from handlers.products.prices import NOTICE, ChargeType, FeeType, Price, Terms, granted, withdrawn
from handlers.usage.prices import Account, CacheHits, Cost, Product, SourceCosts, Wallet
from handlers.usage.rating import Part, SourceCost, State, Upstream, as_free, free_limit, rate
from tests.unit.usage.calls import EVER, MERCHANT, NOON, a_book, a_call, a_grant

BY_QUERY, BY_HIT = Terms(300), Terms(300, FeeType.HIT)
BY_PARTS = Terms(900, FeeType.QUERY, ChargeType.SUB_ITEMS, {"a": 10, "b": 20})
BY_HIT_PARTS = msgspec.structs.replace(BY_PARTS, fee_type=FeeType.HIT)
A_HIT, A_MISS, B_HIT, C_HIT = Part("a", True), Part("a", False), Part("b", True), Part("c", True)


@pytest.mark.parametrize(
    ("terms", "call", "state", "fee_micro"),
    [
        (BY_QUERY, a_call(), State.CHARGED, 300),
        (BY_QUERY, a_call(success=False), State.CHARGED, 300),
        (BY_HIT, a_call(), State.CHARGED, 300),
        (BY_HIT, a_call(success=False), State.UNCHARGED, 0),
        (Terms(0), a_call(), State.CHARGED, 0),
        # A bundle: 10 + 20; by hit the misses are left out.
        (BY_PARTS, a_call(parts=(A_HIT, B_HIT)), State.CHARGED, 30),
        (BY_PARTS, a_call(parts=(A_MISS, B_HIT)), State.CHARGED, 30),
        (BY_HIT_PARTS, a_call(parts=(A_MISS, B_HIT)), State.CHARGED, 20),
        (BY_HIT_PARTS, a_call(parts=(A_MISS,)), State.UNCHARGED, 0),
        (BY_HIT_PARTS, a_call(parts=(A_HIT,), success=False), State.UNCHARGED, 0),
        (Terms(900, charge_type=ChargeType.FLAT, fee_detail={"a": 10}), a_call(parts=(A_HIT,)), State.CHARGED, 900),
    ],
)
def test_the_fee_is_that_of_the_terms(terms: Terms, call, state: State, fee_micro: int) -> None:
    rated = rate(call, a_book(a_grant("id", terms)))

    assert (rated.state, rated.fee_micro, rated.reason) == (state, fee_micro, None)
    assert rated.wallet_id == (7 if state is State.CHARGED else None)


def test_a_part_without_a_fee_of_its_own_costs_what_the_accounts_grant_of_it_says() -> None:
    book = a_book(a_grant("id", BY_PARTS), a_grant("c", Terms(5)))

    assert rate(a_call(parts=(A_HIT, C_HIT)), book).fee_micro == 15


@pytest.mark.parametrize(
    ("book", "call", "reason"),
    [
        (a_book(a_grant("id", BY_QUERY), accounts=[]), a_call(), "no_account"),
        (a_book(), a_call(), "no_price"),
        (a_book(a_grant("id")), a_call(), "no_price"),
        (a_book(a_grant("id", BY_PARTS)), a_call(), "no_sub_items"),
        (a_book(a_grant("id", BY_PARTS)), a_call(parts=(A_HIT, C_HIT)), "no_sub_price"),
        (a_book(a_grant("id", BY_QUERY), wallets=[]), a_call(), "no_wallet"),
    ],
)
def test_a_call_whose_price_is_not_known_is_unrated_and_says_why(book, call, reason: str) -> None:
    rated = rate(call, book)

    assert (rated.state, rated.reason, rated.fee_micro, rated.wallet_id) == (State.UNRATED, reason, 0, None)


def test_a_late_call_has_the_price_from_before_the_grant_was_deleted() -> None:
    history = withdrawn(granted((), BY_QUERY, EVER), NOON)
    book = a_book(msgspec.structs.replace(a_grant("id"), history=history))

    assert rate(a_call(), book).fee_micro == 300
    assert rate(a_call(at=NOON + NOTICE), book).reason == "no_price"


def test_a_customer_without_a_wallet_may_make_calls_that_cost_nothing() -> None:
    assert rate(a_call(success=False), a_book(a_grant("id", BY_HIT), wallets=[])).state is State.UNCHARGED


def test_whether_an_answer_from_the_cache_is_charged_is_what_the_product_said_at_the_calls_own_time() -> None:
    evening = NOON + timedelta(hours=6)
    said = (CacheHits(NOON, charged=False), CacheHits(evening, charged=True))
    book = a_book(a_grant("id", BY_QUERY), products=[Product(code="id", cache_hits=said)])

    times = (NOON - timedelta(milliseconds=1), NOON, evening - timedelta(milliseconds=1), evening)
    states = [rate(a_call(cached=True, at=at), book).state for at in times]
    assert states == [State.CHARGED, State.UNCHARGED, State.UNCHARGED, State.CHARGED]
    assert rate(a_call(at=NOON), book).state is State.CHARGED


def test_the_price_is_the_one_of_the_calls_own_time() -> None:
    grant = msgspec.structs.replace(a_grant("id"), history=(Price(EVER, Terms(1)), Price(NOON, Terms(2))))
    book = a_book(grant)

    before = rate(a_call(at=NOON - timedelta(milliseconds=1)), book)
    assert (before.fee_micro, rate(a_call(at=NOON), book).fee_micro) == (1, 2)


def test_the_wallet_reserved_for_the_accounts_app_pays_else_the_default_one() -> None:
    wallets = [
        Wallet(wallet_id=7, merchant_id=MERCHANT, is_default=True),
        Wallet(wallet_id=8, merchant_id=MERCHANT, app_codes=("app",)),
        Wallet(wallet_id=9, merchant_id=MERCHANT + 1, app_codes=("app",), is_default=True),
    ]
    others = [Account(dept_id=1, merchant_id=MERCHANT, app_id="other")]

    assert rate(a_call(), a_book(a_grant("id", BY_QUERY), wallets=wallets)).wallet_id == 8
    assert rate(a_call(), a_book(a_grant("id", BY_QUERY), wallets=wallets, accounts=others)).wallet_id == 7


def test_only_what_would_be_charged_may_be_free() -> None:
    book = a_book(a_grant("id", BY_HIT, free_count=3))
    hit, miss = rate(a_call(), book), rate(a_call(success=False), book)

    assert (free_limit(hit, book), free_limit(miss, book)) == (3, 0)
    free = as_free(hit, 2)
    assert (free.state, free.fee_micro, free.wallet_id, free.free_no) == (State.FREE, 0, None, 2)


def test_a_free_call_needs_no_wallet() -> None:
    book = a_book(a_grant("id", BY_QUERY, free_count=3), wallets=[])
    waiting = rate(a_call(), book)

    assert free_limit(waiting, book) == 3
    free = as_free(waiting, 1)
    assert (free.state, free.reason, free.free_no) == (State.FREE, None, 1)


def test_a_source_costs_what_was_reported_else_what_it_cost_at_that_time() -> None:
    costs = [
        SourceCosts(source="north", item="id", costs=(Cost(EVER, 3), Cost(NOON, 4))),
        SourceCosts(source="south", costs=(Cost(NOON, 9),)),
    ]
    book = a_book(a_grant("id", BY_QUERY), costs=costs)
    upstream = (
        Upstream("north", "id", billable=True),
        Upstream("north", "id", billable=True, cost_micro=1),
        Upstream("north", "id", billable=False),
        Upstream("south", "any", billable=True),
        Upstream("west", "id", billable=True),
    )

    rated = rate(a_call(upstream=upstream), book)

    assert [(cost.cost_micro, cost.known) for cost in rated.costs] == [
        (4, True),
        (1, True),
        (0, True),
        (9, True),
        (0, False),
    ]
    assert rated.cost_micro == 14
    earlier = rate(a_call(upstream=upstream[3:4], at=NOON - timedelta(seconds=1)), book)
    assert earlier.costs == (SourceCost("south", "any", billable=True, known=False),)


def test_a_call_of_a_source_costs_what_the_configuration_says_by_which_it_was_called() -> None:
    costs = [
        SourceCosts(source="north", item="id", costs=(Cost(EVER, 3),)),
        SourceCosts(source="north", item="id", costs=(Cost(EVER, 8),), config_id=5),
    ]
    upstream = tuple(Upstream("north", "id", billable=True, config_id=number) for number in (None, 5, 6))

    rated = rate(a_call(upstream=upstream), a_book(a_grant("id", BY_QUERY), costs=costs))

    assert [cost.cost_micro for cost in rated.costs] == [3, 8, 3]


def test_the_source_that_answered_was_called_even_if_nobody_reports_it_but_not_by_the_cache() -> None:
    book = a_book(a_grant("id", BY_QUERY))

    assert [cost.source for cost in rate(a_call(source="north"), book).costs] == ["north"]
    assert rate(a_call(source="north", cached=True), book).costs == ()


def test_a_call_that_has_no_price_has_its_cost() -> None:
    upstream = (Upstream("north", "id", billable=True, cost_micro=5),)

    assert rate(a_call(upstream=upstream), a_book()).cost_micro == 5
