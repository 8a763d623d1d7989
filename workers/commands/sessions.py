"""`fanfold sessions`: bearer tokens of people in the portals."""

from datetime import UTC, datetime, timedelta

import msgspec
from rich.table import Table

from config.settings import Settings
from schemas.mt.access import Principal, Role
from stores.mongo import open_database
from stores.mt.sessions import Sessions
from workers.commands.console import MISUSED, fail, out, print_json
from workers.commands.letters import printable


async def create(
    settings: Settings, role: str, user_id: int, merchant_id: int | None, name: str, days: float, *, as_json: bool
) -> None:
    try:
        principal = Principal(role=Role(role), user_id=user_id, name=name, merchant_id=merchant_id)
    except ValueError as error:
        fail(f"--merchant-id: {error}", MISUSED)
    now, lasting = datetime.now(UTC), timedelta(days=days)
    async with open_database(settings.mongo) as database:
        token = await Sessions(database).create(principal, lasting, now)
    if as_json:
        print_json({"token": token, "expires_at": now + lasting})
    else:
        out().print(token, markup=False, soft_wrap=True)


async def show_list(settings: Settings, *, as_json: bool) -> None:
    async with open_database(settings.mongo) as database:
        found = await Sessions(database).list(datetime.now(UTC))
    if as_json:
        print_json(msgspec.to_builtins(found, builtin_types=(datetime,)))
        return
    table = Table("id", "role", "user", "name", "customer", "until")
    for session in found:
        merchant = "" if session.merchant_id is None else str(session.merchant_id)
        until = f"{session.expires_at:%Y-%m-%d %H:%M:%S}Z"
        table.add_row(session.id, session.role.value, str(session.user_id), printable(session.name), merchant, until)
    out().print(table if found else "No sessions.")


async def revoke(settings: Settings, session_id: str) -> None:
    async with open_database(settings.mongo) as database:
        try:
            ended = await Sessions(database).revoke(session_id)
        except ValueError as error:
            fail(str(error), MISUSED)
    if not ended:
        fail(f"there is no session {session_id}")
    out().print("The session has ended.")
