"""Exactly once, whatever goes wrong: thousands of seeds, and proof that a broken rule would be noticed."""

import pytest

from tests.simulation.driver import Code, Tally, simulate
from tests.simulation.mutants import MUTANTS
from tests.simulation.runs import run_seeds

SEEDS = 2_000
SEEDS_TO_CATCH_A_MUTANT = 300


def test_documents_are_what_the_logs_say_whatever_crashes_repeats_or_comes_late() -> None:
    tally, failures = Tally(), {}
    for result in run_seeds(0, SEEDS):
        tally.add(result.tally)
        if result.mistakes:
            failures[result.seed] = result.mistakes

    assert not failures, f"make simulate SEED={min(failures)}: {failures[min(failures)][:3]} ({len(failures)} seeds)"
    # A world in which nothing goes wrong would prove nothing.
    assert tally.crashes > SEEDS
    assert tally.zombies > SEEDS
    assert tally.away > SEEDS
    assert tally.recreations > SEEDS // 4
    assert tally.halts > 0


@pytest.mark.parametrize("code", MUTANTS.values(), ids=MUTANTS)
def test_a_broken_rule_is_noticed_when(code: Code) -> None:
    assert any(simulate(seed, code).mistakes for seed in range(SEEDS_TO_CATCH_A_MUTANT))


def test_a_seed_is_the_same_run_every_time() -> None:
    first, second = simulate(7), simulate(7)

    assert (first.tally, first.mistakes) == (second.tally, second.mistakes)
