"""`fanfold statements`: what customers are billed. As in `workers.cli`, a command imports what it needs."""

from typing import Annotated

import typer

from workers.commands.running import Json, effective_settings, run_quietly

statements = typer.Typer(help="Statements: what customers are billed for a month.", no_args_is_help=True)


@statements.command("make")
def make_statements(
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="The month; it must be over.")],
) -> None:
    """Have the statements of a month made by a job: for accounts that have none, or whose one was deleted."""
    from workers.commands.statements import make

    run_quietly(make(effective_settings(), month))


@statements.command("history")
def show_history(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The statement.")],
    as_json: Json = False,
) -> None:
    """Show everything that was done to a statement: who, when, what it was before and after."""
    from workers.commands.statements import show_moves

    run_quietly(show_moves(effective_settings(), number, as_json=as_json))
