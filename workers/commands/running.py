"""What every command begins with; imports what it needs when it runs, so that `--help` stays quick."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from config.settings import Settings

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Limit = Annotated[int, typer.Option(min=1, max=500, help="How many to show.")]


def effective_settings() -> "Settings":
    from workers.commands.console import settings

    return settings()


def run(main: Coroutine[Any, Any, T]) -> T:
    from workers.commands.process import run_loop

    return run_loop(main)


def run_quietly(main: Coroutine[Any, Any, None]) -> None:
    from workers.commands.console import quiet

    quiet()
    run(main)
