"""`fanfold audit`: whether what is written down is what the facts say."""

import asyncio
from datetime import datetime

import msgspec

from config.settings import Settings
from stores.im import conversations_audit
from stores.inboxes import Difference, audit_inboxes, still_different
from stores.mongo import open_database
from stores.mt import ledger
from workers.commands.console import WRONG, out, print_json
from workers.commands.letters import printable

LOOKS, PAUSE_SECONDS = 5, 0.5
"""How often one that differs is looked at again: folding it takes milliseconds, a mistake stays."""


async def inboxes(settings: Settings, *, as_json: bool) -> None:
    """Ends with status 1 where one differs."""
    async with open_database(settings.mongo) as database:
        audit = await audit_inboxes(database)
        differences = audit.differences
        for _ in range(LOOKS):
            if not differences:
                break
            await asyncio.sleep(PAUSE_SECONDS)
            differences = await still_different(database, differences)
    if as_json:
        audit = msgspec.structs.replace(audit, differences=differences)
        print_json(msgspec.to_builtins(audit, builtin_types=(datetime,)))
    else:
        _show(audit.inboxes, differences)
    if differences:
        raise SystemExit(WRONG)


async def unread(settings: Settings, *, as_json: bool) -> None:
    """The same for what is unread between the users of IM apps."""
    async with open_database(settings.mongo) as database:
        audit = await conversations_audit.audit_unread(database)
        differences = audit.differences
        for _ in range(LOOKS):
            if not differences:
                break
            await asyncio.sleep(PAUSE_SECONDS)
            differences = await conversations_audit.still_different(database, differences)
    if as_json:
        audit = msgspec.structs.replace(audit, differences=differences)
        print_json(msgspec.to_builtins(audit, builtin_types=(datetime,)))
    else:
        console = out()
        for difference in differences:
            line = f"{difference.side}: {difference.unread} unread is written, {difference.counted} are"
            console.print(printable(line), markup=False, soft_wrap=True)
        wrong = f", {len(differences)} differ" if differences else ": what is unread is right in all of them"
        console.print(f"{audit.conversations} sides of conversations{wrong}")
    if differences:
        raise SystemExit(WRONG)


async def wallets(settings: Settings, *, as_json: bool) -> None:
    """The same for wallets and the ledger."""
    async with open_database(settings.mongo) as database:
        audit = await ledger.audit_wallets(database)
        differences = audit.differences
        for _ in range(LOOKS):
            if not differences:
                break
            await asyncio.sleep(PAUSE_SECONDS)
            differences = await ledger.still_different(database, differences)
    if as_json:
        print_json(msgspec.to_builtins(msgspec.structs.replace(audit, differences=differences)))
    else:
        console = out()
        for difference in differences:
            line = f"{difference.what}: {difference.written_micro} is written, {difference.counted_micro} is counted"
            console.print(printable(line), markup=False, soft_wrap=True)
        wrong = f", {len(differences)} differ" if differences else ": everything adds up"
        console.print(f"{audit.wallets} wallets, {audit.entries} entries{wrong}")
    if differences:
        raise SystemExit(WRONG)


def _show(audited: int, differences: list[Difference]) -> None:
    console = out()
    for difference in differences:
        read = "" if difference.read_up_to is None else f", read up to {difference.read_up_to:%Y-%m-%d %H:%M:%S}Z"
        line = f"{difference.recipient}: {difference.unread} unread is written, {difference.counted} are{read}"
        console.print(printable(line), markup=False, soft_wrap=True)
    wrong = f", {len(differences)} differ" if differences else ": what is unread is right in all of them"
    console.print(f"{audited} inboxes{wrong}")
