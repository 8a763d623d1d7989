"""`fanfold sessions` and `fanfold recharges`. As in `workers.cli`, a command imports what it needs when it runs."""

from enum import StrEnum
from typing import Annotated

import typer

from workers.commands.running import Json, Limit, effective_settings, run_quietly

sessions = typer.Typer(help="Who may use the metering platform's portals, and until when.", no_args_is_help=True)
recharges = typer.Typer(help="Payments that pay no recharge order: look at them, credit them.", no_args_is_help=True)


class SessionRole(StrEnum):
    customer = "customer"
    operator = "operator"
    salesman = "salesman"


@sessions.command("create")
def create_session(
    role: Annotated[SessionRole, typer.Option(help="Which portal it is for.")],
    user_id: Annotated[int, typer.Option(min=0, help="Whom changes are put down to.")],
    merchant_id: Annotated[int | None, typer.Option(min=0, help="The customer, for the role customer.")] = None,
    name: Annotated[str, typer.Option(help="What they are called.")] = "",
    days: Annotated[float, typer.Option(min=0.001, max=3650, help="How long it lasts.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Begin a session and print its token, which is kept nowhere and shown once."""
    from workers.commands.sessions import create

    run_quietly(create(effective_settings(), role.value, user_id, merchant_id, name, days, as_json=as_json))


@sessions.command("list")
def list_sessions(as_json: Json = False) -> None:
    """List the sessions that have not ended."""
    from workers.commands.sessions import show_list

    run_quietly(show_list(effective_settings(), as_json=as_json))


@sessions.command("revoke")
def revoke_session(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="The session, as `list` shows it.")],
) -> None:
    """End a session at once."""
    from workers.commands.sessions import revoke

    run_quietly(revoke(effective_settings(), session_id))


@recharges.command("set-aside")
def list_set_aside(limit: Limit = 50, as_json: Json = False) -> None:
    """List payments that pay no open order of their amount, oldest first."""
    from workers.commands.recharges import show_set_aside

    run_quietly(show_set_aside(effective_settings(), limit, as_json=as_json))


@recharges.command("credit")
def credit_payment(
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT", help="The payment, as `set-aside` shows it.")],
    wallet: Annotated[int, typer.Option(min=1, help="The wallet that gets it.")],
    as_json: Json = False,
) -> None:
    """Put a payment that was set aside into a wallet. Safe to repeat: it is credited once."""
    from workers.commands.recharges import credit

    run_quietly(credit(effective_settings(), payment_id, wallet, as_json=as_json))
