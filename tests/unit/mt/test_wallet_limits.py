"""What a wallet's limits mean, and what the entries of the ledger move."""

from datetime import UTC, datetime
from typing import Any

import pytest

from handlers import ledger
from handlers.ledger import Entry, accounts
from handlers.wallet_watch import Alarm, Kind, Sweep, Watched, next_sweep, sweep_under_way, turned

AT = datetime(2026, 3, 1, tzinfo=UTC)


def a_wallet(**fields: Any) -> Watched:
    return Watched(**{"wallet_id": 7, "merchant_id": 1, **fields})


@pytest.mark.parametrize(
    ("fields", "balance_micro", "passed"),
    [
        ({}, 0, set()),
        ({}, -1, {Kind.OVERDRAWN}),
        ({"overdraft_state": 10, "overdraft_quota_micro": 5}, -5, set()),
        ({"overdraft_state": 10, "overdraft_quota_micro": 5}, -6, {Kind.OVERDRAWN}),
        ({"overdraft_state": 20}, -(10**15), set()),
        ({"overdraft_state": 20, "overdraft_quota_micro": 5}, -6, {Kind.OVERDRAWN}),
        ({"forewarn_threshold_micro": 10}, 10, set()),
        ({"forewarn_threshold_micro": 10}, 9, {Kind.LOW}),
        ({"forewarn_threshold_micro": 0}, -1, {Kind.LOW, Kind.OVERDRAWN}),
        ({"state": -1}, 0, {Kind.LOCKED}),
        ({"overdraft_state": -1}, 0, {Kind.LOCKED}),
        # Nobody is told of a wallet that is nobody's, or another one's by now.
        ({"merchant_id": None, "state": -1}, -1, set()),
        ({"merged_into": 8, "state": -1}, -1, set()),
    ],
)
def test_what_a_balance_has_passed(fields: dict[str, Any], balance_micro: int, passed: set[Kind]) -> None:
    wallet = a_wallet(**fields, balance_micro=balance_micro)
    assert {kind for kind in Kind if wallet.passed(kind)} == passed


def test_an_episode_begins_and_ends_once() -> None:
    low = a_wallet(forewarn_threshold_micro=10, balance_micro=9)
    begun = turned(low, AT)["low"]
    assert (begun.episode, begun.open, begun.told) == (1, True, False)

    again = a_wallet(forewarn_threshold_micro=10, balance_micro=8, alarms={"low": begun})
    assert turned(again, AT) == {}
    over = turned(a_wallet(forewarn_threshold_micro=10, balance_micro=10, alarms={"low": begun}), AT)["low"]
    assert (over.episode, over.open, over.told) == (1, False, False)
    anew = turned(a_wallet(forewarn_threshold_micro=10, balance_micro=9, alarms={"low": over}), AT)["low"]
    assert (anew.episode, anew.open) == (2, True)


def test_a_move_waits_for_the_one_before() -> None:
    first = next_sweep(a_wallet(merged_into=8, balance_micro=-4), AT)
    assert first == Sweep(1, -4, 8, AT)
    under_way = a_wallet(merged_into=8, balance_micro=-6, sweep=first)
    assert next_sweep(under_way, AT) is None
    told = sweep_under_way(under_way)
    assert told is not None
    assert (told.id, told.subject) == ("sweep/7/1", "7")
    done = a_wallet(merged_into=8, balance_micro=-2, sweep=first, swept=1)
    assert sweep_under_way(done) is None
    assert next_sweep(done, AT) == Sweep(2, -2, 8, AT)
    assert next_sweep(a_wallet(merged_into=8, balance_micro=0, sweep=first, swept=1), AT) is None
    assert next_sweep(a_wallet(balance_micro=5), AT) is None


def documents(*entries: Entry) -> list[dict[str, Any]]:
    return [{"_id": entry.id, **entry.body} for entry in entries]


@pytest.mark.parametrize("amount", [5, -5])
def test_a_move_changes_both_wallets_and_leaves_nothing_between(amount: int) -> None:
    moved = ledger.sweep(7, 8, 1, amount, AT)
    assert accounts(documents(*moved)) == {"wallet/7": -amount, "wallet/8": amount, ledger.TRANSFERS: 0}
    assert [entry.balance_micro for entry in moved] == [-amount, amount]


def test_money_comes_from_outside_and_goes_back_there() -> None:
    entries = [
        ledger.recharge("a/1", 7, 10, AT, method="payment"),
        ledger.refund("r", 7, 3, AT, of_recharge=True),
        ledger.refund("s", 7, 1, AT, of_recharge=False),
    ]
    standing = accounts(documents(*entries))
    assert standing == {"cash/payment": -7, "wallet/7": 8, "revenue/usage": -1}
    assert entries[0].id == "recharge/a%2F1"


def test_the_alarm_of_a_new_wallet_is_at_rest() -> None:
    assert (Alarm().open, Alarm().told) == (False, True)
