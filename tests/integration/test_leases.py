"""Leases on a real store: one holder at a time, whatever the clocks say."""

import asyncio
import random

import pytest

from stores.leases import Lease
from stores.mongo import Database

TERM = 10.0


class Watch:
    """A monotonic clock that the test moves."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def a_lease(database: Database, holder: str, watch: Watch) -> Lease:
    return Lease(database, "work", holder, TERM, watch)


async def test_the_first_holds_it_and_keeps_it_by_renewing(database: Database) -> None:
    ours, theirs = Watch(), Watch(5_000.0)  # two machines: their clocks have nothing in common
    first, second = a_lease(database, "a", ours), a_lease(database, "b", theirs)

    assert await first.hold()
    for _ in range(10):
        ours.seconds += TERM / 2
        theirs.seconds += TERM / 2
        assert await first.hold()
        assert not await second.hold()
    assert first.held
    assert not second.held


async def test_a_silent_holder_loses_it_after_the_term_and_knows_so_before(database: Database) -> None:
    ours, theirs = Watch(), Watch()
    first, second = a_lease(database, "a", ours), a_lease(database, "b", theirs)
    assert await first.hold()
    assert not await second.hold()

    ours.seconds = theirs.seconds = TERM - 0.1
    assert first.held
    assert not await second.hold()
    ours.seconds = theirs.seconds = TERM
    assert not first.held
    assert await second.hold()
    assert not await first.hold()


async def test_one_that_is_given_back_is_free_at_once(database: Database) -> None:
    first, second = a_lease(database, "a", Watch()), a_lease(database, "b", Watch())
    assert await first.hold()
    assert not await second.hold()

    await second.release()  # not theirs: nothing happens
    assert await first.hold()
    await first.release()

    assert not first.held
    assert await second.hold()


async def test_a_renewal_between_a_rivals_look_and_its_reach_keeps_it(database: Database) -> None:
    ours, theirs = Watch(), Watch()
    first, second = a_lease(database, "a", ours), a_lease(database, "b", theirs)
    assert await first.hold()
    seen = await second._look()  # the two steps of `hold`, with the renewal in between

    assert await first.hold()

    assert not await second._write(seen, "b")
    assert first.held


async def test_of_many_that_reach_for_it_at_once_one_gets_it(database: Database) -> None:
    for round_number in range(20):
        leases = [Lease(database, f"work{round_number}", f"h{number}", TERM, Watch()) for number in range(8)]

        won = await asyncio.gather(*(lease.hold() for lease in leases))

        assert sum(won) <= 1
        assert sum([await lease.hold() for lease in leases]) == 1


@pytest.mark.parametrize("seed", range(20))
async def test_two_never_hold_it_at_one_moment_however_they_stop_and_go_on(database: Database, seed: int) -> None:
    chance, watch = random.Random(seed), Watch()
    leases = [Lease(database, "work", f"h{number}", TERM, watch) for number in range(3)]
    changes = 0
    for _ in range(150):
        watch.seconds += chance.choice((0.0, 1.0, 4.0, TERM))
        asleep = chance.choice((None, *leases))
        for lease in leases:
            if lease is not asleep and chance.random() < 0.7:
                changes += await lease.hold()
            assert sum(other.held for other in leases) <= 1, f"seed {seed}"
        if chance.random() < 0.05:
            await chance.choice(leases).release()
    assert changes > 50
