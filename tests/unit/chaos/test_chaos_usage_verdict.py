"""The verdict on usage: silent over a run that went well, and told of each thing that did not."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from schemas.cloudevents import encode_headers
from schemas.events import Event, LogId, Record
from tests.chaos.usage_ledger import Call, Correction, ManualRecharge, Merge, Movement, Pricing, UsageLedger
from tests.chaos.usage_model import totals_of
from tests.chaos.usage_verdict import judge_usage

AT = datetime(2026, 3, 1, 4, tzinfo=UTC)
"""Noon in Shanghai."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
USAGE, FAILURES = LogId("usage", "c", 0), LogId("failures", "c", 0)
DEPT, MERCHANT, DEFAULT, OWN = 20010, 2001, 1, 2


def a_call(seq_no: str, item: str, *, success: bool = True) -> Call:
    return Call(seq_no, DEPT, item, "", AT, success, False, None, None, acknowledged=True)


def a_record(kind: str, payload: dict[str, Any], log: LogId, offset: int) -> Record:
    event = Event(str(offset), "gateway", kind, str(DEPT), AT, msgspec.json.encode(payload))
    return Record(log.topic, log.partition, offset, 0, b"key", event.data, encode_headers(event))


def reported(call: Call, offset: int) -> Record:
    payload = {
        "seqNo": call.seq_no,
        "deptId": call.dept_id,
        "checkItem": call.item,
        "success": int(call.success),
        "createDate": call.at.isoformat(),
    }
    return a_record("usage.recorded", payload, USAGE, offset)


def stored(call: Call, offset: int, state: str, fee_micro: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "_id": call.seq_no,
        "origin": {"fence": USAGE.fence, "offset": offset},
        "dept_id": call.dept_id,
        "item": call.item,
        "tag": call.tag,
        "created_at": call.at,
        "hour": "2026-03-01 12",
        "success": call.success,
        "cached": call.cached,
        "state": state,
        "fee_micro": fee_micro,
        "wallet_id": DEFAULT if state == "charged" else None,
        "upstream": [],
        **more,
    }


def an_entry(kind: str, wallet: int, debit: str, credit: str, amount_micro: int, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "wallet_id": wallet,
        "debit": debit,
        "credit": credit,
        "amount_micro": amount_micro,
        **more,
    }


class World:
    """Three calls, one reported twice and corrected; money in, money out, one wallet merged into another."""

    def __init__(self) -> None:
        paid, free, missed = a_call("paid", "IDCARD"), a_call("free", "FACE"), a_call("missed", "MOBILE", success=False)
        self.ledger = UsageLedger()
        self.ledger.wallets[MERCHANT] = DEFAULT, OWN
        self.ledger.calls = {call.seq_no: call for call in (paid, free, missed)}
        self.ledger.pricings = [Pricing((DEPT, "FACE"), 310_000, answered_at=AT)]
        self.ledger.movements["recharge/r1"] = Movement("recharge/r1", OWN, 500, acknowledged=True)
        self.ledger.by_hand = [ManualRecharge(DEFAULT, 77, acknowledged=True)]
        self.ledger.merges = [Merge(MERCHANT, OWN, DEFAULT)]
        self.ledger.corrections["paid"] = Correction(fee_micro=60_000)
        self.logs = {
            USAGE: [reported(paid, 0), reported(free, 1), reported(paid, 2), reported(missed, 3)],
            FAILURES: [a_record("usage.failed", {"seqNo": "missed"}, FAILURES, 0)],
        }
        first = stored(paid, 0, "charged", 50_000)
        records = [
            {**first, "fee_micro": 60_000, "changes": [{"before": first}]},
            stored(free, 1, "free", free={"grant": f"{DEPT}/FACE", "no": 1}),
            stored(missed, 3, "uncharged"),
        ]
        self.documents: dict[str, dict[str, Any]] = {
            name: {key: dict(figures) for key, figures in totals.items()} for name, totals in totals_of(records).items()
        }
        self.documents["usage_records"] = {record["_id"]: record for record in records}
        self.documents["grants"] = {
            number: {"dept_id": DEPT, "item": item, "prices": prices}
            for number, (item, prices) in enumerate(
                {
                    "IDCARD": [{"from": LONG_AGO, "fee_micro": 50_000}],
                    "FACE": [{"from": LONG_AGO, "fee_micro": 300_000}, {"from": AT, "fee_micro": 310_000}],
                    "MOBILE": [{"from": LONG_AGO, "fee_micro": 120_000}],
                }.items()
            )
        }
        self.documents["ledger"] = {
            "usage/1/2026-03-01": an_entry("usage", 1, "wallet/1", "revenue/usage", 60_000, count=1),
            "recharge/r1": an_entry("recharge", 2, "cash/payment", "wallet/2", 500),
            "recharge/manual%2FM1": an_entry("recharge", 1, "cash/manual", "wallet/1", 77),
            "sweep/2/1/from": an_entry("transfer_out", 2, "wallet/2", "transfers", 500),
            "sweep/2/1/into": an_entry("transfer_in", 1, "transfers", "wallet/1", 500),
        }
        self.documents["wallets"] = {
            "1": {"wallet_id": 1, "balance_micro": 577 - 60_000},
            "2": {"wallet_id": 2, "balance_micro": 0},
        }

    def mistakes(self) -> list[str]:
        return judge_usage(self.ledger, self.logs, self.documents).mistakes


def test_a_run_that_went_well_is_exact() -> None:
    assert World().mistakes() == []


def _lose(world: World) -> None:
    del world.documents["usage_records"]["missed"]


def _invent(world: World) -> None:
    world.documents["usage_records"]["who"] = world.documents["usage_records"]["missed"] | {"_id": "who"}


def _take_the_duplicate(world: World) -> None:
    world.documents["usage_records"]["paid"]["origin"]["offset"] = 2


def _count_twice(world: World) -> None:
    world.documents["cust_daily"][f"{DEPT}/IDCARD//2026-03-01"]["count"] = 2


def _charge_twice(world: World) -> None:
    world.documents["wallets"]["1"]["balance_micro"] -= 60_000


def _charge_twice_with_its_entry(world: World) -> None:
    _charge_twice(world)
    world.documents["ledger"]["usage/1/2026-03-01"]["amount_micro"] += 60_000


def _rate_at_another_time(world: World) -> None:
    world.documents["usage_records"]["paid"]["changes"][0]["before"]["fee_micro"] = 1


def _forget_a_correction(world: World) -> None:
    world.ledger.corrections["free"] = Correction(tag="other")


def _withhold_a_free_call(world: World) -> None:
    del world.documents["usage_records"]["free"]["free"]


def _give_a_free_call_number_two(world: World) -> None:
    world.documents["usage_records"]["free"]["free"]["no"] = 2


def _lose_a_recharge(world: World) -> None:
    world.ledger.movements["recharge/r2"] = Movement("recharge/r2", DEFAULT, 5, acknowledged=True)


def _recharge_by_hand_too_often(world: World) -> None:
    world.documents["ledger"]["recharge/manual%2FM2"] = world.documents["ledger"]["recharge/manual%2FM1"]
    world.documents["wallets"]["1"]["balance_micro"] += 77


def _leave_money_in_a_merged_wallet(world: World) -> None:
    for end in ("from", "into"):
        del world.documents["ledger"][f"sweep/2/1/{end}"]
    world.documents["wallets"]["1"]["balance_micro"] -= 500
    world.documents["wallets"]["2"]["balance_micro"] += 500


def _lose_a_price(world: World) -> None:
    world.ledger.pricings.append(Pricing((DEPT, "IDCARD"), 9, answered_at=AT))


def _tell_no_failure(world: World) -> None:
    world.logs[FAILURES].clear()


def _set_no_poison_aside(world: World) -> None:
    world.ledger.poison_acknowledged = 1


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_lose, "lost: missed was acknowledged"),
        (_invent, "invented: who"),
        (_take_the_duplicate, "paid: its origin is"),
        (_count_twice, "cust_daily/20010/IDCARD//2026-03-01: count is 2, should be 1"),
        (_charge_twice, "wallet/1: its balance is"),
        (_charge_twice_with_its_entry, "ledger/usage/1/2026-03-01: amount_micro is 120000, should be 60000"),
        (_rate_at_another_time, "paid: cost 1 at"),
        (_forget_a_correction, "free: is ('free', 0, '') after"),
        (_withhold_a_free_call, "free: free call None, should be 1"),
        (_give_a_free_call_number_two, "free: free call 2, should be 1"),
        (_lose_a_recharge, "lost: recharge/r2 was acknowledged"),
        (_recharge_by_hand_too_often, "entered 2 times"),
        (_leave_money_in_a_merged_wallet, "500 is left in it after it was merged"),
        (_lose_a_price, "the price 9 was acknowledged and is not there"),
        (_tell_no_failure, "missed: not told as a failure"),
        (_set_no_poison_aside, "poison among calls was acknowledged"),
    ],
)
def test_what_went_wrong_is_told(spoil: Callable[[World], None], told: str) -> None:
    world = World()
    world.documents = deepcopy(world.documents)
    spoil(world)

    assert any(told in mistake for mistake in world.mistakes())


def test_an_attempt_that_nobody_answered_may_have_been_made_or_not() -> None:
    world = World()
    world.ledger.calls["hung-up"] = msgspec.structs.replace(world.ledger.calls["paid"], seq_no="hung-up")
    world.ledger.calls["hung-up"].acknowledged = False
    world.ledger.pricings.append(Pricing((DEPT, "IDCARD"), 9))
    world.ledger.movements["refund/f"] = Movement("refund/f", DEFAULT, -5)

    assert world.mistakes() == []
