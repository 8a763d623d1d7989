"""`fanfold endpoints` and `fanfold deliveries`: where pushes go, and what became of them."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from workers.commands.running import Json, Limit, effective_settings, run_quietly

endpoints = typer.Typer(
    help="Addresses that pushes go to: register them, rotate secrets, recover.", no_args_is_help=True
)
deliveries = typer.Typer(help="Pushes on their way: look at them, try again, cancel.", no_args_is_help=True)

EndpointId = Annotated[str, typer.Argument(metavar="ID", help="The endpoint, as `list` shows it.")]
DeliveryIds = Annotated[list[str], typer.Argument(metavar="ID...", help="Deliveries, as `list` shows them.")]
Grace = Annotated[
    int, typer.Option(min=0, max=7 * 86_400, metavar="SECONDS", help="How long the former secrets sign beside it.")
]
FROM_INPUT = "A dash takes it from standard input, where other users of the machine do not see it."


class Signature(StrEnum):
    hmac = "hmac"
    ed25519 = "ed25519"


class Source(StrEnum):
    dingding = "dingding"
    wechat = "wechat"
    workWechat = "workWechat"  # noqa: N815 - as the contract spells it
    open = "open"


class DeliveryState(StrEnum):
    waiting = "waiting"
    parked = "parked"
    delivered = "delivered"
    dead = "dead"
    cancelled = "cancelled"


Signing = Annotated[Signature | None, typer.Option(help="How a webhook is signed; hmac where it is left out.")]
RobotSecret = Annotated[str | None, typer.Option(help=f"A robot's secret. {FROM_INPUT}")]


@endpoints.command("create")
def create_endpoint(
    owner: Annotated[str, typer.Option(metavar="RECIPIENT", help="Whose pushes it takes: user/ID, customer/ID, ...")],
    url: Annotated[str, typer.Option(help=f"Where to. {FROM_INPUT}")],
    channel: Annotated[str, typer.Option(help="webhook, dingtalk, wecom, feishu or apprise.")] = "webhook",
    options: Annotated[
        str, typer.Option(metavar="JSON", help='What the channel asks for besides: {"format": "markdown"}.')
    ] = "{}",
    secret: RobotSecret = None,
    signature: Signing = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only pushes of this kind, or family (detection.*); may be repeated.")
    ] = None,
    serves: Annotated[Source | None, typer.Option(help="Contacts with such accounts are reached through it.")] = None,
    rate: Annotated[float | None, typer.Option(metavar="PER_SECOND", help="At most so many a second.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=100, help="Attempts at once.")] = 4,
    ordered: Annotated[bool, typer.Option("--ordered", help="Keep the order of each recipient's pushes.")] = False,
    as_json: Json = False,
) -> None:
    """Register an endpoint. A webhook's secret is shown this once."""
    from workers.commands.endpoints import create, object_of

    wanted: dict[str, Any] = {
        "owner": owner,
        "channel": channel,
        "url": url,
        "options": object_of(options, "--options"),
        "secret": secret,
        "signature": signature and signature.value,
        "kinds": kind or None,
        "serves": serves and serves.value,
        "rate_per_second": rate,
        "concurrency": concurrency,
        "ordered": ordered,
    }
    run_quietly(create(effective_settings(), wanted, as_json=as_json))


@endpoints.command("list")
def list_endpoints(
    owner: Annotated[str | None, typer.Option(metavar="RECIPIENT", help="Only those of this owner.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only those of this channel.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Only those that are.")] = None,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Start behind this endpoint.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List endpoints, newest first."""
    from stores.endpoints import Which
    from workers.commands.endpoints import show_list

    which = Which(owner, channel, enabled)
    run_quietly(show_list(effective_settings(), which, after=after, limit=limit, as_json=as_json))


@endpoints.command("show")
def show_endpoint(endpoint_id: EndpointId, as_json: Json = False) -> None:
    """Show one endpoint, without what is secret of it."""
    from workers.commands.endpoints import show_one

    run_quietly(show_one(effective_settings(), endpoint_id, as_json=as_json))


@endpoints.command("update")
def update_endpoint(
    endpoint_id: EndpointId,
    changes: Annotated[str, typer.Argument(metavar="JSON", help=f'{{"concurrency": 8, "kinds": null}}. {FROM_INPUT}')],
    as_json: Json = False,
) -> None:
    """Change url, options, kinds, serves, rate_per_second, concurrency or ordered; what is not named stays."""
    from workers.commands.endpoints import update

    run_quietly(update(effective_settings(), endpoint_id, changes, as_json=as_json))


@endpoints.command("rotate-secret")
def rotate_secret(
    endpoint_id: EndpointId,
    secret: RobotSecret = None,
    signature: Signing = None,
    grace: Grace = 86_400,
    as_json: Json = False,
) -> None:
    """Give an endpoint a new secret, shown this once; the former ones sign beside it for a while."""
    from workers.commands.endpoints import rotate

    wanted: dict[str, Any] = {
        "secret": secret,
        "signature": signature and signature.value,
        "grace_seconds": grace,
    }
    run_quietly(rotate(effective_settings(), endpoint_id, wanted, as_json=as_json))


@endpoints.command("test")
def try_endpoint(endpoint_id: EndpointId, as_json: Json = False) -> None:
    """Send a test to an endpoint."""
    from workers.commands.endpoints import send_test

    run_quietly(send_test(effective_settings(), endpoint_id, as_json=as_json))


@endpoints.command("enable")
def enable_endpoint(endpoint_id: EndpointId, as_json: Json = False) -> None:
    """Let pushes reach it again."""
    from workers.commands.endpoints import enable

    run_quietly(enable(effective_settings(), endpoint_id, as_json=as_json))


@endpoints.command("disable")
def disable_endpoint(
    endpoint_id: EndpointId,
    reason: Annotated[str, typer.Option(help="Why; shown with the endpoint.")] = "by request",
    as_json: Json = False,
) -> None:
    """Let nothing go there."""
    from workers.commands.endpoints import disable

    run_quietly(disable(effective_settings(), endpoint_id, reason, as_json=as_json))


@endpoints.command("recover")
def recover_endpoint(
    endpoint_id: EndpointId,
    since: Annotated[str, typer.Option(metavar="WHEN", help="2026-03-01T12:00:00Z, or how long ago: 30m, 2h, 3d.")],
    as_json: Json = False,
) -> None:
    """Deliver what was given up and had been asked for since a time, in its old order."""
    from workers.commands.endpoints import recover

    run_quietly(recover(effective_settings(), endpoint_id, since, as_json=as_json))


@endpoints.command("delete")
def delete_endpoint(endpoint_id: EndpointId, as_json: Json = False) -> None:
    """Delete an endpoint, its address and secrets at once."""
    from workers.commands.endpoints import delete

    run_quietly(delete(effective_settings(), endpoint_id, as_json=as_json))


@endpoints.command("reencrypt")
def reencrypt_endpoints(as_json: Json = False) -> None:
    """Encrypt all addresses and secrets with the newest key, so that older keys can be taken away."""
    from workers.commands.endpoints import reencrypt

    run_quietly(reencrypt(effective_settings(), as_json=as_json))


@deliveries.command("list")
def list_deliveries(
    state: Annotated[DeliveryState | None, typer.Option(help="Only those in this state.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only by this channel.")] = None,
    recipient: Annotated[str | None, typer.Option(metavar="RECIPIENT", help="Only to this recipient.")] = None,
    endpoint: Annotated[str | None, typer.Option(metavar="ID", help="Only to this endpoint.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Asked for since then: 2026-03-01T12:00:00Z, or 30m, 2h, 3d ago.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="Asked for before then.")] = None,
    after: Annotated[str | None, typer.Option(metavar="PLACE", help="Start behind: `next` of the last page.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List deliveries, newest first, each with what its last attempt came to."""
    from workers.commands.deliveries import show_list

    asked = {
        "state": state and state.value,
        "channel": channel,
        "recipient": recipient,
        "endpoint": endpoint,
        "kind": kind,
        "since": since,
        "until": until,
    }
    chosen = {name: value for name, value in asked.items() if value is not None}
    run_quietly(show_list(effective_settings(), chosen, after=after, limit=limit, as_json=as_json))


@deliveries.command("show")
def show_delivery(
    delivery_id: Annotated[str, typer.Argument(metavar="ID", help="The delivery, as `list` shows it.")],
    as_json: Json = False,
) -> None:
    """Show one delivery with all its attempts."""
    from workers.commands.deliveries import show_one

    run_quietly(show_one(effective_settings(), delivery_id, as_json=as_json))


@deliveries.command("retry")
def retry_deliveries(ids: DeliveryIds, as_json: Json = False) -> None:
    """Try deliveries now: those that wait, are dead, or were cancelled."""
    from workers.commands.deliveries import retry

    run_quietly(retry(effective_settings(), ids, as_json=as_json))


@deliveries.command("cancel")
def cancel_deliveries(ids: DeliveryIds, as_json: Json = False) -> None:
    """Try deliveries no more: those that wait or are parked."""
    from workers.commands.deliveries import cancel

    run_quietly(cancel(effective_settings(), ids, as_json=as_json))
