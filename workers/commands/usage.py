"""`fanfold usage` and `fanfold audit usage`."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.table import Table

from config.settings import Settings
from handlers.usage.records import USAGE_RECORDS
from stores.mongo import open_database, translated
from stores.usage.audit import Difference, audit_usage, still_different
from stores.usage.unrated import requests, unrated_groups, waiting_calls
from streams.publisher import Publisher
from workers.commands.audits import LOOKS, PAUSE_SECONDS
from workers.commands.console import WRONG, fail, out, print_json
from workers.commands.letters import printable
from workers.fold_batch import publishable

NOT_SHOWN = ("sealed", "hashes", "sign")


async def show_unrated(settings: Settings, match: Mapping[str, Any], *, as_json: bool) -> None:
    async with open_database(settings.mongo) as database:
        groups = await unrated_groups(database, match)
    if as_json:
        print_json(msgspec.to_builtins(groups, builtin_types=(datetime,)))
        return
    console = out()
    if not groups:
        console.print("Every call of this choice has a price.")
        return
    table = Table("account", "product", "reason", "calls", "first", "last")
    for group in groups:
        table.add_row(
            str(group.dept_id),
            printable(group.item),
            group.reason,
            f"{group.count:,}",
            f"{group.first_at:%Y-%m-%d %H:%M:%S}Z",
            f"{group.last_at:%Y-%m-%d %H:%M:%S}Z",
        )
    console.print(table)


async def rerate(settings: Settings, match: Mapping[str, Any], *, as_json: bool) -> None:
    async with open_database(settings.mongo) as database:
        calls = await waiting_calls(database, match)
    async with Publisher(settings.kafka) as publisher:
        await publisher.wait_connected()
        for some in publishable(list(requests(calls, datetime.now(UTC)))):
            await publisher.publish(some)
    if as_json:
        print_json({"asked": len(calls)})
        return
    out().print(
        f"{len(calls):,} calls are to be rated again; `fanfold usage unrated` shows what stays without a price."
    )


async def show_record(settings: Settings, seq_no: str, *, as_json: bool) -> None:
    """Ends with status 1 where there is none."""
    async with open_database(settings.mongo) as database:
        with translated():
            record = await database[USAGE_RECORDS].find_one({"_id": seq_no})
    if record is None:
        fail(f"There is no record of {printable(seq_no)}")
    shown = {name: value for name, value in record.items() if name not in NOT_SHOWN}
    if as_json:
        print_json(shown)
        return
    console = out()
    for name, value in shown.items():
        console.print(printable(f"{name}: {value}"), markup=False, soft_wrap=True)


async def audit(settings: Settings, *, as_json: bool) -> None:
    """Ends with status 1 where a total differs."""
    async with open_database(settings.mongo) as database:
        found = await audit_usage(database)
        for _ in range(LOOKS):
            if not found.differences:
                break
            await asyncio.sleep(PAUSE_SECONDS)
            found.differences = await still_different(database, found.differences)
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        console = out()
        for difference in found.differences:
            console.print(printable(_line(difference)), markup=False, soft_wrap=True)
        wrong = f", {len(found.differences)} differ" if found.differences else ": all are what the records say"
        console.print(f"{found.totals} totals of {found.records} calls{wrong}")
    if found.differences:
        raise SystemExit(WRONG)


def _line(difference: Difference) -> str:
    fields = [
        f"{name} {written} is written, {difference.counted[name]} counted"
        for name, written in difference.written.items()
        if written != difference.counted[name]
    ]
    return f"{difference.collection} {difference.key}: {', '.join(fields)}"
