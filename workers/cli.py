"""The command line `fanfold`. Every command imports what it needs when it runs: `--help` stays quick."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(
    help="API calls and callbacks become Kafka events, folded exactly once into MongoDB documents.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


class Broker(StrEnum):
    tansu = "tansu"
    apache = "apache"


class WorkerName(StrEnum):
    folder = "folder"
    clock = "clock"


@app.command()
def gateway() -> None:
    """Run the HTTP gateway."""
    from workers.commands.console import settings

    effective = settings()
    from workers.commands import process

    process.gateway(effective)


@app.command()
def worker(names: Annotated[list[WorkerName], typer.Argument(help="Which to run, together in one process.")]) -> None:
    """Run workers: [b]folder[/] folds events into documents, [b]clock[/] does what is due at a time."""
    from workers.commands.console import settings

    effective = settings()
    from workers.commands import process

    process.worker(effective, dict.fromkeys(name.value for name in names))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. What went wrong on purpose is one sentence and status 1; a bug is a traceback."""
    from schemas.errors import FanfoldError
    from workers.embedded.errors import CannotStart

    try:
        app(arguments)
    except (FanfoldError, CannotStart) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
