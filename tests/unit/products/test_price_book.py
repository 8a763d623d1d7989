"""What the price book makes of documents."""

from datetime import UTC, datetime
from typing import Any

from handlers.usage.prices import price_book
from stores.mt.price_book import costs_of, wallets_of

AT = datetime(2026, 3, 1, tzinfo=UTC)


def upstream(number: int, cost_micro: int, **fields: Any) -> dict[str, Any]:
    return {
        "_id": number,
        "source_id": 1,
        "source_code": "S",
        "item": "A",
        "service": "Demo",
        "created_at": AT,
        "updated_at": AT,
        "costs": [{"since": AT, "cost_micro": cost_micro}],
        **fields,
    }


def cost_of(*documents: dict[str, Any], config_id: int | None = None) -> int | None:
    return price_book(costs=costs_of(documents)).cost_at("S", "A", AT, config_id)


def test_of_several_configurations_the_first_by_priority_says_what_a_call_costs() -> None:
    assert cost_of(upstream(1, 10, priority=2), upstream(2, 20, priority=1), upstream(3, 30, priority=2)) == 20


def test_a_call_by_a_configuration_costs_what_that_one_says_whatever_its_priority() -> None:
    configurations = upstream(1, 10, priority=2), upstream(2, 20, priority=1)

    assert [cost_of(*configurations, config_id=number) for number in (1, 2, None)] == [10, 20, 20]
    assert cost_of(*configurations, upstream(3, 30, priority=3, deleted_at=AT), config_id=3) == 30


def test_a_configuration_of_another_source_or_product_or_without_a_cost_is_none_that_was_called() -> None:
    others = upstream(2, 20, source_code="T"), upstream(3, 30, item="B"), upstream(4, 40, costs=[], priority=5)

    assert [cost_of(upstream(1, 10), *others, config_id=number) for number in (2, 3, 4, 5)] == [10] * 4


def test_a_deleted_configuration_costs_only_where_there_is_no_other() -> None:
    gone = upstream(1, 10, priority=0, deleted_at=AT)

    assert cost_of(gone, upstream(2, 20, priority=5)) == 20
    assert cost_of(gone) == 10


def test_a_configuration_without_a_cost_says_nothing() -> None:
    assert cost_of(upstream(1, 10, priority=5), upstream(2, 20, priority=0, costs=[])) == 10


def test_costs_are_in_force_by_their_times_in_whatever_order_they_were_written() -> None:
    later = {"since": AT.replace(month=4), "cost_micro": 7}
    first = {"since": AT.replace(month=2), "cost_micro": 5}

    assert cost_of(upstream(1, 0, costs=[later, first])) == 5


def test_a_wallet_that_nobody_opened_is_nobodys_and_a_deleted_one_pays_nothing() -> None:
    own = {"_id": "1", "wallet_id": 1, "merchant_id": 9, "is_default": True, "app_codes": ["x"]}
    gone = {**own, "_id": "2", "wallet_id": 2, "deleted_at": AT}

    (wallet,) = wallets_of([own, gone, {"_id": "3", "balance_micro": 5}])

    assert (wallet.wallet_id, wallet.is_default, wallet.app_codes) == (1, True, ("x",))
