"""`fanfold products`: documents that the public site shows, from a file; whether answers from the cache are charged."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from config.settings import Settings
from schemas.errors import Refused
from schemas.mt.api_docs import ApiDoc
from schemas.mt.common import Zone
from stores.mongo import open_database
from stores.mt.api_docs import put_doc
from stores.mt.products import by_time, find_product, products_of
from stores.mt.products import say_cache_hits as say
from workers.commands.console import MISUSED, fail, out, print_json
from workers.commands.letters import printable


def read_documents(file: Path) -> list[ApiDoc]:
    """Ends the command where the file holds none."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[ApiDoc])
    except (ValueError, OSError, msgspec.MsgspecError) as error:
        fail(f"{file}: {error}")


async def put_documents(settings: Settings, documents: Sequence[ApiDoc]) -> None:
    """All of them or, if one is of no product, none."""
    async with open_database(settings.mongo) as database:
        known = await products_of(database, [document.check_item for document in documents])
        if missing := sorted({document.check_item for document in documents} - known.keys()):
            fail(f"There is no product {', '.join(missing)}.")
        for document in documents:
            await put_doc(database, document, datetime.now(UTC))
    out().print(f"{len(documents)} documents put.", markup=False)


async def say_cache_hits(
    settings: Settings, item: str, charged: bool | None, since: str | None, *, as_json: bool
) -> None:
    """`charged` None: only show. Ends the command where there is no such product, or the time is none to come."""
    if since is not None and charged is None:
        fail("--since: say charged or free with it", MISUSED)
    now, zone = datetime.now(UTC), Zone(settings.metering.zone)
    async with open_database(settings.mongo) as database:
        try:
            planned = None if since is None else _to_come(zone.moment(since, "--since"), now)
            if charged is not None:
                await say(database, item, charged, planned, now)
            product = await find_product(database, item)
        except Refused as refused:
            fail(str(refused))
    said = [{"since": zone.text(hits.since), "charged": hits.charged} for hits in by_time(product.cache_hits)]
    if as_json:
        print_json(said)
        return
    console = out()
    console.print(f"Answers from the cache of {printable(item)} are charged", end="", markup=False)
    console.print("." if not said else " at first; then:")
    for each in said:
        console.print(f"  from {each['since']} on {'charged' if each['charged'] else 'free'}", markup=False)


def _to_come(moment: datetime, now: datetime) -> datetime:
    if moment <= now:
        fail("--since: a time to come is expected, as calls of the past have been rated", MISUSED)
    return moment
