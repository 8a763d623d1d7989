"""`fanfold deliveries`: what `/deliveries` does, for operators."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

import orjson
from rich.markup import escape
from rich.table import Table

from config.settings import Settings
from gateway import delivery_desk as desk
from gateway.deliveries import page_of
from gateway.questions import cursor_in
from schemas.delivery import Attempt
from schemas.errors import Refused
from stores.delivery_desk import Delivery, DeliveryDesk, Summary
from stores.mongo import open_database
from workers.commands.console import WRONG, out, print_json, say
from workers.commands.endpoints import endpoints_in, plain
from workers.commands.letters import printable

Act = Callable[[str], Awaitable[Delivery]]


async def show_list(
    settings: Settings, asked: Mapping[str, str], *, after: str | None, limit: int, as_json: bool
) -> None:
    which = desk.which(asked, datetime.now(UTC))
    async with open_database(settings.mongo) as database:
        found = await DeliveryDesk(database).page(which, after=cursor_in(after), limit=limit)
    page = page_of(found, limit)
    if as_json:
        print_json(plain(page))
        return
    console = out()
    if not found:
        console.print("No deliveries of this choice.")
        return
    for each in found:
        # The id on a line of its own, never cut: it is there to be copied.
        console.print(each.id, style="bold", markup=False, soft_wrap=True)
        console.print(f"  {_line(each)}", markup=False, no_wrap=True, overflow="ellipsis")
    if page.next is not None:
        console.print(f"There may be more: --after '{page.next}'", markup=False, soft_wrap=True)


def _line(delivery: Summary) -> str:
    parts = [
        f"{delivery.state:9}",
        _time(delivery.requested_at),
        f"{delivery.recipient} by {delivery.channel} to {delivery.target}",
        delivery.kind,
    ]
    if delivery.reason is not None:
        parts.append(delivery.reason)
    if delivery.due_at is not None:
        parts.append(f"due {_time(delivery.due_at)}")
    if delivery.last_attempt is not None:
        parts.append(_came(delivery.last_attempt))
    return printable("  ".join(parts)).replace("\n", " ")


def _came(attempt: Attempt) -> str:
    status = "" if attempt.status is None else f" {attempt.status}"
    return f"{attempt.outcome}{status}" + (f": {attempt.response}" if attempt.response else "")


async def show_one(settings: Settings, delivery_id: str, *, as_json: bool) -> None:
    async with open_database(settings.mongo) as database:
        delivery = await desk.find(DeliveryDesk(database), delivery_id)
    if as_json:
        print_json(plain(delivery))
        return
    console = out()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(delivery):
        table.add_row(f"[bold]{name}[/]", escape(printable(value)))
    console.print(table)
    if delivery.attempts:
        console.print("\n[bold]attempts[/]")
    for attempt in delivery.attempts:
        line = f"  {_time(attempt.at)}  {attempt.seconds:7.3f} s  {_came(attempt)}"
        console.print(printable(line), markup=False, soft_wrap=True)


def _lines(delivery: Delivery) -> list[tuple[str, str]]:
    lines = [
        ("id", delivery.id),
        ("state", delivery.state + ("" if delivery.reason is None else f": {delivery.reason}")),
        ("recipient", delivery.recipient),
        ("channel", delivery.channel),
        ("target", delivery.target),
        ("mention", delivery.mention or ""),
        ("kind", delivery.kind),
        ("urgency", delivery.urgency),
        ("push", delivery.push),
        ("order", delivery.ordered_by or ""),
        ("asked for", _time(delivery.requested_at)),
        ("not before", _time(delivery.not_before)),
        ("due", _time(delivery.due_at)),
        ("finished", _time(delivery.finished_at)),
        ("failures", str(delivery.failures)),
        ("title", delivery.title or ""),
        ("body", delivery.body or ""),
        ("fields", orjson.dumps(delivery.fields).decode() if delivery.fields else ""),
    ]
    return [(name, value) for name, value in lines if value]


async def retry(settings: Settings, ids: Sequence[str], *, as_json: bool) -> None:
    async with open_database(settings.mongo) as database:
        deliveries, endpoints = DeliveryDesk(database), endpoints_in(settings, database)

        async def act(delivery_id: str) -> Delivery:
            return await desk.retry(deliveries, endpoints, delivery_id, datetime.now(UTC))

        await _for_each("to be tried now", ids, act, as_json=as_json)


async def cancel(settings: Settings, ids: Sequence[str], *, as_json: bool) -> None:
    async with open_database(settings.mongo) as database:
        deliveries = DeliveryDesk(database)

        async def act(delivery_id: str) -> Delivery:
            return await desk.cancel(deliveries, delivery_id, datetime.now(UTC))

        await _for_each("cancelled", ids, act, as_json=as_json)


async def _for_each(done: str, ids: Sequence[str], act: Act, *, as_json: bool) -> None:
    """One after another. Ends with status 1 if one was refused."""
    acted = []
    for delivery_id in ids:
        try:
            acted.append(await act(delivery_id))
        except Refused as refused:
            say(str(refused))
    if as_json:
        print_json({"deliveries": [plain(delivery) for delivery in acted]})
    else:
        out().print(f"{len(acted)} of {len(ids)} {done}")
    if len(acted) < len(ids):
        raise SystemExit(WRONG)


def _time(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}Z"
