"""`fanfold statements`: makes them, and shows what was done to one."""

from datetime import UTC, date, datetime
from typing import Any

import typer
from ulid import ULID

from config.settings import Settings
from schemas.mt.common import Zone
from stores.jobs import Jobs
from stores.mongo import open_database
from stores.mt.statements import Statements
from workers.commands.console import WRONG, out, print_json, say
from workers.statement_jobs import start_making


async def make(settings: Settings, month: str) -> None:
    now = datetime.now(UTC)
    if not is_over(month, Zone(settings.metering.zone).today(now)):
        say(f"--month: a month that is over is expected, as YYYY-MM, not {month!r}")
        raise typer.Exit(WRONG)
    async with open_database(settings.mongo) as database:
        job = await start_making(Jobs(database), month, now, again=str(ULID()), by="command")
    out().print(f"How far it is: fanfold jobs show {job.id}", markup=False, soft_wrap=True)


def is_over(month: str, today: date) -> bool:
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        return False
    return len(month) == 7 and first < today.replace(day=1)


async def show_moves(settings: Settings, number: str, *, as_json: bool) -> None:
    async with open_database(settings.mongo) as database:
        moves = await Statements(database).moves_of(number)
    if not moves:
        say(f"No statement {number}.")
        raise typer.Exit(WRONG)
    if as_json:
        print_json([{**move, "at": move["at"].isoformat()} for move in moves])
        return
    console = out()
    for move in moves:
        who = f"{move['by']} {move.get('name', '')}".strip()
        console.print(f"{move['at']:%Y-%m-%d %H:%M:%S} UTC  {move['what']}  by {who}", markup=False, soft_wrap=True)
        for name, value in move["after"].items():
            console.print(
                f"  {name}: {_plain(move['before'].get(name))} -> {_plain(value)}", markup=False, soft_wrap=True
            )


def _plain(value: Any) -> str:
    match value:
        case None:
            return "-"
        case dict():
            return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return str(value)
