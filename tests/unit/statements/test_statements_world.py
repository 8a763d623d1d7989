"""Calls, wallets, statements and payments, with deaths and races: what is billed and paid is what a naive program says.

The code is that of production; of it only MongoDB is left out.
"""

from collections.abc import Coroutine, Sequence
from random import Random
from typing import Any

import pytest
from billing_store import Act, at_once
from customers_world import WALLETS, World
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.statements.moves import To
from handlers.statements.statement import Overdraft

Happens = tuple[str, Sequence[Any], int | None]
Step = tuple[Sequence[Happens], int]

MONTHS = ("2026-01", "2026-02", "2026-03")
FEW, NAMED = st.integers(0, 2), st.integers(0, 5)
EVENTS = {
    "call": st.tuples(FEW, st.sampled_from(MONTHS), st.sampled_from("AB"), st.integers(0, 10)),
    "correct": st.tuples(NAMED, st.integers(0, 10)),
    "know": st.tuples(FEW),
    "open": st.tuples(FEW),
    "rerate": st.tuples(),
    "pay": st.tuples(FEW, st.integers(1, 30), st.none() | st.none() | NAMED),
}
DONE = {
    "bill": st.tuples(FEW, st.sampled_from(MONTHS)),
    "sign": st.tuples(NAMED),
    "approve": st.tuples(FEW),
    "finish": st.tuples(),
    "move": st.tuples(st.sampled_from(To).filter(lambda to: to != To.INVALIDATE), NAMED),
}
DEATHS = st.none() | st.integers(0, 24)
"""After how many turns a process dies; None: it does not."""


def acts(*names: str) -> st.SearchStrategy[Happens]:
    return st.sampled_from(names).flatmap(
        lambda what: st.tuples(st.just(what), {**EVENTS, **DONE}[what], DEATHS if what in DONE else st.none())
    )


STEPS = st.tuples(
    st.one_of(
        st.lists(acts("call", "call", "call", "pay", "pay", *EVENTS), min_size=1, max_size=3),
        st.lists(acts("bill", "sign", "approve", *DONE), min_size=1, max_size=1),
        st.lists(acts("bill", "approve", "approve", *DONE), min_size=2, max_size=3),
        st.lists(acts("bill", "call", "approve", *DONE, *EVENTS), min_size=2, max_size=3),
    ),
    st.integers(0, 2**16),
)
"""What happens at once, and the seed of who comes first."""
KINDS = st.tuples(*(st.sampled_from(Overdraft) | st.just(Overdraft.MONTHLY) for _ in WALLETS))
KNOWN = st.just({0, 1, 2}) | st.sets(FEW)
"""Accounts, or wallets, that are there from the beginning."""


def do(world: World, step: Step) -> None:
    happens, seed = step
    world.store.confirming = any(what in ("move", "sign") for what, _, _ in happens)
    at_once([Act(_act(world, what, about), dies_after) for what, about, dies_after in happens], Random(seed))
    world.store.confirming = False


def _act(world: World, what: str, about: Sequence[Any]) -> Coroutine[Any, Any, None]:
    if what in EVENTS:
        return world.happen(what, *about)
    done: Coroutine[Any, Any, None] = getattr(world, what)(*about)
    return done


@settings(max_examples=150, deadline=None)
@given(KINDS, KNOWN, KNOWN, st.lists(STEPS, min_size=15, max_size=50))
def test_what_is_billed_and_paid_is_what_a_naive_program_says(
    kinds: Sequence[Overdraft], accounts: set[int], wallets: set[int], steps: list[Step]
) -> None:
    world = World(kinds)
    for which in accounts:
        world.know(which)
    for which in sorted(wallets):
        world.open(which)
    for step in steps:
        do(world, step)

    world.settle()

    world.check()


def test_a_payment_tops_up_a_statement_that_it_had_planned_a_part_for() -> None:
    """Of fourteen, ten are planned for the first statement; another payment has settled four of those by then."""
    world = World([Overdraft.MONTHLY] * len(WALLETS))
    world.know(0)
    world.open(1)
    for month in MONTHS[:2]:
        world.call(0, month, "A", 10)
        at_once([Act(world.bill(0, month)), Act(world.sign(0))])
    world.pay(0, 14, None)
    world.pay(0, 4, None)
    # Dies with its plan kept, and nothing given.
    at_once([Act(world.approve(0), dies_after=6)])
    at_once([Act(world.approve(0))])
    assert world.store.payments["p0"].plan == {"202601-7": 10, "202602-7": 4}

    at_once([Act(world.finish())])

    assert world.store.payments["p0"].settled == {"202601-7": 6, "202602-7": 8}
    assert world.store.payments["p0"].residue_micro == 0


@pytest.mark.parametrize("dies_after", range(25))
def test_a_correction_is_in_its_statement_once_wherever_a_process_dies(dies_after: int) -> None:
    world = World([Overdraft.MONTHLY] * len(WALLETS))
    world.know(0)
    world.open(1)
    for used, fate in ((True, None), (True, dies_after), (False, None)):
        if used:
            world.call(0, MONTHS[0], "A", 10)
        at_once([Act(world.bill(0, MONTHS[0]), fate)])

    (statement,) = world.store.statements
    assert statement.total_micro == 20
    assert statement.revision == 2  # made, and corrected
