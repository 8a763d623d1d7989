"""`make simulate`: one seed in detail, or many for hours."""

import sys
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.driver import Result, Tally, simulate
from tests.simulation.runs import run_seed, run_seeds
from tests.simulation.usage.driver import simulate_usage

console = Console()


class World(StrEnum):
    folder = "folder"
    rater = "rater"


RUNS = {World.folder: simulate, World.rater: simulate_usage}


def main(
    seed: Annotated[int | None, typer.Option(help="Run this one seed and say what is wrong.")] = None,
    seeds: Annotated[int, typer.Option(help="Run so many seeds.", min=1)] = 20_000,
    first: Annotated[int, typer.Option(help="The first of them.", min=0)] = 0,
    world: Annotated[World, typer.Option(help="Whose work is simulated.")] = World.folder,
) -> None:
    """Fold in a world where everything goes wrong, and compare the documents with the logs."""
    run = RUNS[world]
    started = time.perf_counter()
    tally, failures = Tally(), []
    for result in [run_seed(seed, run)] if seed is not None else _with_progress(first, seeds, run):
        tally.add(result.tally)
        if result.mistakes:
            failures.append(result.seed)
            _tell(result)
    count = 1 if seed is not None else seeds
    seconds = time.perf_counter() - started
    console.print(_table(tally))
    console.print(f"{count} seeds in {seconds:.1f} s ({count / seconds:.0f} a second): {len(failures)} failed")
    if failures:
        console.print(f"[red]again with: make simulate SEED={min(failures)} WORLD={world.value}")
        sys.exit(1)


def _with_progress(first: int, count: int, run: Callable[[int], Result]) -> Iterator[Result]:
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.0f} seeds/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    started = time.perf_counter()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("seeds", total=count, rate=0.0)
        for done, result in enumerate(run_seeds(first, count, run), 1):
            progress.update(task, advance=1, rate=done / (time.perf_counter() - started))
            yield result


def _tell(result: Result) -> None:
    console.print(f"[red]seed {result.seed}")
    for mistake in result.mistakes[:10]:
        console.print(f"  {mistake}", markup=False, highlight=False)


def _table(tally: Tally) -> Table:
    table = Table("what happened", "times")
    for field in tally.__struct_fields__:
        table.add_row(field.replace("_", " "), f"{getattr(tally, field):,}")
    return table


if __name__ == "__main__":
    typer.run(main)
