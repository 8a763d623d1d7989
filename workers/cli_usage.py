"""`fanfold usage`: calls and their prices. As in `workers.cli`, a command imports what it needs when it runs."""

from typing import Annotated

import typer

from workers.commands.running import Json, effective_settings, run_quietly

usage = typer.Typer(help="Calls and what they cost: those without a price, and one whole.", no_args_is_help=True)

Dept = Annotated[int | None, typer.Option("--dept", metavar="ID", help="Only calls of this account.")]
Item = Annotated[str | None, typer.Option("--item", metavar="CODE", help="Only calls of this product.")]
Reason = Annotated[str | None, typer.Option(help="Only calls that lack a price for this reason.")]


@usage.command("unrated")
def unrated(dept: Dept = None, item: Item = None, reason: Reason = None, as_json: Json = False) -> None:
    """List the calls that have no price, by account, product and reason."""
    from workers.commands.usage import show_unrated

    run_quietly(show_unrated(effective_settings(), _chosen(dept, item, reason), as_json=as_json))


@usage.command("rerate")
def rerate(dept: Dept = None, item: Item = None, reason: Reason = None, as_json: Json = False) -> None:
    """Have the calls that have no price rated again, each by the prices of its own time.

    Those that lack one yet stay as they are. Safe to repeat: a call is charged once.
    """
    from workers.commands.usage import rerate as ask

    run_quietly(ask(effective_settings(), _chosen(dept, item, reason), as_json=as_json))


@usage.command("show")
def show(
    seq_no: Annotated[str, typer.Argument(metavar="SEQNO", help="The call's serial number.")], as_json: Json = False
) -> None:
    """Show one call: what was decided about it, and what was changed since. Personal data is masked."""
    from workers.commands.usage import show_record

    run_quietly(show_record(effective_settings(), seq_no, as_json=as_json))


def _chosen(dept: int | None, item: str | None, reason: str | None) -> dict[str, int | str]:
    asked = {"dept_id": dept, "item": item, "reason": reason}
    return {name: value for name, value in asked.items() if value is not None}
