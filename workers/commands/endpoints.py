"""`fanfold endpoints`: what `/endpoints` does, for operators."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import orjson
from rich.markup import escape
from rich.table import Table

from config.settings import Settings
from gateway import endpoint_desk as desk
from gateway.body import Typed, decode_object
from gateway.delivery_desk import instant
from schemas.endpoint_api import (
    EndpointChanges,
    EndpointMade,
    EndpointPage,
    EndpointShown,
    NewEndpoint,
    Recovered,
    RotateSecret,
)
from schemas.errors import Refused
from stores.delivery_desk import DeliveryDesk
from stores.endpoints import Endpoints, Which
from stores.mongo import Database, open_database
from stores.vault import Vault
from streams.publisher import Publisher
from workers.commands.console import MISUSED, fail, out, print_json
from workers.commands.letters import printable

Body = TypeVar("Body", bound=msgspec.Struct)
DASH = "-"


async def create(settings: Settings, wanted: Mapping[str, Any], *, as_json: bool) -> None:
    body = body_of(NewEndpoint, {**wanted, **from_input(wanted, "url", "secret")})
    async with _endpoints(settings) as endpoints:
        _show_made(await desk.create(endpoints, body, datetime.now(UTC)), as_json=as_json)


async def show_list(settings: Settings, which: Which, *, after: str | None, limit: int, as_json: bool) -> None:
    async with _endpoints(settings) as endpoints:
        page = [desk.show(each) for each in await endpoints.page(which, after=after, limit=limit)]
    following = page[-1].id if len(page) == limit else None
    if as_json:
        print_json(plain(EndpointPage(page, following)))
        return
    console = out()
    if not page:
        console.print("No endpoints of this choice.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "owner", "channel", "url", "state"):
        # Ids are there to be copied.
        table.add_column(heading, no_wrap=heading == "id", overflow="fold")
    for each in page:
        table.add_row(each.id, *map(_cell, (each.owner, each.channel, each.url, state_of(each))))
    console.print(table)
    if following is not None:
        console.print(f"There may be more: --after {following}", soft_wrap=True)


async def show_one(settings: Settings, endpoint_id: str, *, as_json: bool) -> None:
    async with _endpoints(settings) as endpoints:
        _show(desk.show(await desk.find(endpoints, endpoint_id)), as_json=as_json)


async def update(settings: Settings, endpoint_id: str, changes: str, *, as_json: bool) -> None:
    text = sys.stdin.read() if changes == DASH else changes
    body = body_of(EndpointChanges, object_of(text, "the changes"))
    async with _endpoints(settings) as endpoints:
        _show(await desk.update(endpoints, endpoint_id, body), as_json=as_json)


async def rotate(settings: Settings, endpoint_id: str, wanted: Mapping[str, Any], *, as_json: bool) -> None:
    body = body_of(RotateSecret, {**wanted, **from_input(wanted, "secret")})
    async with _endpoints(settings) as endpoints:
        _show_made(await desk.rotate_secret(endpoints, endpoint_id, body, datetime.now(UTC)), as_json=as_json)


async def send_test(settings: Settings, endpoint_id: str, *, as_json: bool) -> None:
    async with _endpoints(settings) as endpoints:
        push, sent = await desk.trial_push(endpoints, endpoint_id, datetime.now(UTC))
    async with Publisher(settings.kafka) as publisher:
        await publisher.wait_connected()
        await publisher.publish([push])
    if as_json:
        print_json(plain(sent))
    else:
        out().print(f"On its way. See what comes of it: fanfold deliveries show {sent.delivery}", soft_wrap=True)


async def enable(settings: Settings, endpoint_id: str, *, as_json: bool) -> None:
    async with _endpoints(settings) as endpoints:
        _show(await desk.enable(endpoints, endpoint_id), as_json=as_json)


async def disable(settings: Settings, endpoint_id: str, reason: str, *, as_json: bool) -> None:
    async with _endpoints(settings) as endpoints:
        _show(await desk.disable(endpoints, endpoint_id, reason, datetime.now(UTC)), as_json=as_json)


async def recover(settings: Settings, endpoint_id: str, since: str, *, as_json: bool) -> None:
    begin = instant(since, "--since", datetime.now(UTC))
    async with open_database(settings.mongo) as database:
        recovered = await desk.recover(endpoints_in(settings, database), DeliveryDesk(database), endpoint_id, begin)
    if as_json:
        print_json(plain(Recovered(recovered)))
    else:
        out().print(f"{recovered} deliveries stand in line again")


async def delete(settings: Settings, endpoint_id: str, *, as_json: bool) -> None:
    async with _endpoints(settings) as endpoints:
        await desk.delete(endpoints, endpoint_id, datetime.now(UTC))
    if as_json:
        print_json({"deleted": endpoint_id})
    else:
        out().print(f"{endpoint_id} is deleted")


async def reencrypt(settings: Settings, *, as_json: bool) -> None:
    async with _endpoints(settings) as endpoints:
        done = [endpoint_id async for endpoint_id in endpoints.renew()]
    if as_json:
        print_json({"reencrypted": len(done)})
    else:
        out().print(f"{len(done)} endpoints are encrypted with the newest key")


# ---- what is typed --------------------------------------------------------------------------------------------------


def object_of(text: str, what: str) -> dict[str, Any]:
    """The JSON object in an argument; ends the command with status 2 where it is none."""
    try:
        return decode_object(text.encode("utf-8", "surrogatepass"))
    except Refused as refused:
        fail(f"{what}: a JSON object is expected ({refused})", MISUSED)


def body_of(kind: type[Body], wanted: Mapping[str, Any]) -> Body:
    """The same checks as of a call's body."""
    body: Body = Typed(kind).validate(dict(wanted))
    return body


def from_input(wanted: Mapping[str, Any], *names: str) -> dict[str, str]:
    """Those given as a dash, a line of standard input each, in this order."""
    return {name: sys.stdin.readline().rstrip("\r\n") for name in names if wanted.get(name) == DASH}


# ---- what is shown --------------------------------------------------------------------------------------------------


def plain(answer: msgspec.Struct) -> Any:
    return msgspec.to_builtins(answer, builtin_types=(datetime,))


def state_of(endpoint: EndpointShown) -> str:
    if not endpoint.enabled:
        return f"disabled: {endpoint.disabled_reason}"
    return "enabled" if endpoint.failing_since is None else f"failing since {_time(endpoint.failing_since)}"


def _show_made(made: EndpointMade, *, as_json: bool) -> None:
    if as_json:
        print_json(plain(made))
        return
    _show(made.endpoint, as_json=False)
    if made.secret is not None:
        console = out()
        console.print("\n[bold]secret[/], shown this once:")
        console.print(made.secret, markup=False, soft_wrap=True)


def _show(endpoint: EndpointShown, *, as_json: bool) -> None:
    if as_json:
        print_json(plain(endpoint))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(endpoint):
        table.add_row(f"[bold]{name}[/]", _cell(value))
    out().print(table)


def _lines(endpoint: EndpointShown) -> list[tuple[str, str]]:
    limits = f"{endpoint.concurrency} at once"
    if endpoint.rate_per_second is not None:
        limits += f", {endpoint.rate_per_second:g} a second"
    lines = [
        ("id", endpoint.id),
        ("owner", endpoint.owner),
        ("channel", endpoint.channel),
        ("url", endpoint.url),
        ("options", orjson.dumps(endpoint.options).decode() if endpoint.options else ""),
        ("kinds", "all" if endpoint.kinds is None else " ".join(endpoint.kinds)),
        ("serves", endpoint.serves or ""),
        ("limits", limits),
        ("order", "kept" if endpoint.ordered else "where a push asks for it"),
        ("state", state_of(endpoint)),
        ("signature", endpoint.signature or ""),
        ("secrets", str(endpoint.secrets)),
        *(("public key", key) for key in endpoint.public_keys),
        ("created", _time(endpoint.created_at)),
        ("changed", _time(endpoint.updated_at)),
    ]
    return [(name, value) for name, value in lines if value]


def _cell(text: str) -> str:
    return escape(printable(text))


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z"


@asynccontextmanager
async def _endpoints(settings: Settings) -> AsyncIterator[Endpoints]:
    async with open_database(settings.mongo) as database:
        yield endpoints_in(settings, database)


def endpoints_in(settings: Settings, database: Database) -> Endpoints:
    return Endpoints(database, Vault(settings.push.secrets_keys))
