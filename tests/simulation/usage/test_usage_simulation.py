"""Each call rated, kept and counted once, whatever goes wrong; and proof that a broken rule would be noticed."""

import pytest

from tests.simulation.driver import Tally
from tests.simulation.runs import run_seeds
from tests.simulation.usage.driver import Code, simulate_usage
from tests.simulation.usage.mutants import MUTANTS

SEEDS = 300
SEEDS_TO_CATCH_A_MUTANT = 200


def test_records_and_totals_are_what_the_logs_say_whatever_crashes_repeats_or_comes_late() -> None:
    tally, failures = Tally(), {}
    for result in run_seeds(0, SEEDS, simulate_usage):
        tally.add(result.tally)
        if result.mistakes:
            failures[result.seed] = result.mistakes

    again = f"make simulate WORLD=rater SEED={min(failures, default=0)}"
    assert not failures, f"{again}: {failures[min(failures)][:3]} ({len(failures)} seeds)"
    # A world in which nothing goes wrong would prove nothing.
    assert tally.crashes > SEEDS
    assert tally.zombies > SEEDS
    assert tally.away > SEEDS
    assert tally.recreations > SEEDS // 4


@pytest.mark.parametrize("code", MUTANTS.values(), ids=MUTANTS)
def test_a_broken_rule_of_the_rater_is_noticed_when(code: Code) -> None:
    assert any(simulate_usage(seed, code).mistakes for seed in range(SEEDS_TO_CATCH_A_MUTANT))
