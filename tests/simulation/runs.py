"""Many seeds at once, on every core."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator
from functools import partial

from tests.simulation.driver import Result, Tally, simulate

CHUNK = 50


def run_seeds(first: int, count: int, run: Callable[[int], Result] = simulate) -> Iterator[Result]:
    """Each seed's result, in any order. What the code raises is told as a mistake of that seed.

    `run` is a function of a module: other processes find it by its name.
    """
    # Spawned, not forked: a test runner has threads.
    with multiprocessing.get_context("spawn").Pool(min(os.cpu_count() or 1, -(-count // CHUNK))) as pool:
        yield from pool.imap_unordered(partial(run_seed, run=run), range(first, first + count), chunksize=CHUNK)


def run_seed(seed: int, run: Callable[[int], Result] = simulate) -> Result:
    try:
        return run(seed)
    except Exception:  # noqa: BLE001 - whatever it is, the seed must be told
        return Result(seed, [traceback.format_exc()], Tally())
