"""Whatever happens to wallets, and whatever fails meanwhile: a naive program says the same, to the micro-unit."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.mt.wallet_world import FACT_PARTITIONS, USAGE_PARTITIONS, World

WALLETS = 4
a_wallet = st.integers(1, WALLETS)
an_amount = st.integers(1, 1_000)
a_number = st.integers(1, 12)
"""Few: so that many are sent again, some of them saying something else."""
partitions = FACT_PARTITIONS + USAGE_PARTITIONS

steps = st.one_of(
    st.tuples(st.just("recharge"), a_number, a_wallet, an_amount),
    st.tuples(st.just("refund"), a_number, a_wallet, an_amount, st.sampled_from(["recharge", "usage"])),
    st.tuples(st.just("charge"), st.integers(0, USAGE_PARTITIONS - 1), a_wallet, an_amount, st.integers(1, 3)),
    st.tuples(st.just("merge"), a_wallet, a_wallet),
    st.tuples(st.just("configure"), a_wallet, st.integers(-500, 500), st.sampled_from([-1, 0, 10, 20])),
    st.tuples(st.just("deliver"), st.integers(0, partitions - 1), st.integers(1, 5), st.integers(0, 4)),
    st.tuples(st.just("together"), st.lists(st.integers(0, 4), min_size=partitions, max_size=partitions)),
)


async def live(seed: int, happens: list[Any], fault_share: float) -> World:
    world = World(seed, WALLETS)
    world.store.fault_share = world.broker_fault_share = fault_share
    for name, *details in happens:
        match name:
            case "deliver":
                number, count, behind = details
                await world.deliver([*world.facts, *world.usage][number], count, behind)
            case "together":
                await world.deliver_all_at_once(*details)
            case _:
                getattr(world, name)(*details)
    await world.settle()
    return world


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.lists(steps, max_size=40), st.sampled_from([0.0, 0.1, 0.3]))
async def test_balances_ledger_and_alarms_are_what_a_naive_program_says(
    seed: int, happens: list[Any], fault_share: float
) -> None:
    (await live(seed, happens, fault_share)).check()


async def test_charges_of_a_wallet_that_was_merged_away_reach_the_other_one() -> None:
    world = World(1, 3)
    world.recharge(1, 1, 1_000)
    await world.settle()
    assert world.merge(1, 2)
    world.charge(0, 1, 300, 1)  # rated before
    await world.settle()
    assert world.merge(2, 3)
    world.charge(1, 1, 50, 1)
    world.recharge(2, 1, 7)  # and a payment that comes late
    await world.settle()

    assert world.balances() == {1: 0, 2: 0, 3: 657}  # 1000 - 300 - 50 + 7
    world.check()


async def test_a_debt_is_merged_as_well() -> None:
    world = World(2, 2)
    world.charge(0, 1, 300, 1)
    await world.settle()
    world.merge(1, 2)
    await world.settle()

    assert world.balances() == {1: 0, 2: -300}
    world.check()


async def test_each_crossing_is_told_once() -> None:
    world = World(3, 1)
    await world.settle()
    world.recharge(1, 1, 1_000)
    await world.settle()
    told_before = set(world.pushes)
    for number in (2, 3):
        world.charge(0, 1, 950, 1)
        await world.settle()
        world.charge(0, 1, 10, 1)  # lower still: nothing new
        await world.settle()
        world.recharge(number, 1, 960)
        await world.settle()

    # The first episode was that of the new wallet, which had nothing.
    assert set(world.pushes) - told_before == {"wallet/1/low/2/1", "wallet/1/low/3/1"}
