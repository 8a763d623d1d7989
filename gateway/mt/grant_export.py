"""Grants as a table for a file: read from a cursor, some at a time."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime

from gateway.mt.grant_rows import GrantRows
from gateway.mt.sheets import Cell, Column
from schemas.mt.access import Principal
from schemas.mt.common import Zone
from schemas.mt.grants import GrantRow
from stores.mongo import Database, Document
from stores.mt.grants import Grant, each_grant

GRANT_EXPORT = "grant_export"
"""The kind of the job that makes a file of grants."""
ROWS_AT_ONCE = 500
STATES = {0: "waiting for audit", 10: "open", -1: "disabled", -10: "rejected"}
FEE_TYPES = {10: "per query", 20: "per hit"}
CHARGE_TYPES = {10: "by sub-products", 20: "flat"}

COLUMNS = (
    Column("Grant"),
    Column("Account"),
    Column("Account name", 24),
    Column("Product", 20),
    Column("Product name", 24),
    Column("State"),
    Column("Fee"),
    Column("Billing basis"),
    Column("Charging mode"),
    Column("Fee breakdown", 30),
    Column("Free calls"),
    Column("Cache days"),
    Column("Granted", 20),
)


async def table(
    database: Database, zone: Zone, match: Document, who: Principal, at: datetime
) -> AsyncIterator[Sequence[Cell]]:
    """The newest first, at the prices of that moment. Raises StoreAway."""
    rows = GrantRows(database, zone)
    batch: list[Grant] = []
    async with aclosing(each_grant(database, match)) as grants:
        async for grant in grants:
            batch.append(grant)
            if len(batch) == ROWS_AT_ONCE:
                for row in await rows.rows(batch, who, at):
                    yield _cells(row)
                batch = []
    for row in await rows.rows(batch, who, at):
        yield _cells(row)


def _cells(row: GrantRow) -> Sequence[Cell]:
    return (
        row.id,
        row.dept_id,
        row.dept_name,
        row.check_item,
        row.item_name,
        None if row.state is None else STATES[row.state],
        row.fee,
        None if row.fee_type is None else FEE_TYPES[row.fee_type],
        None if row.charge_type is None else CHARGE_TYPES[row.charge_type],
        row.fee_detail,
        row.free_count,
        row.cache_fetch_days,
        row.create_date,
    )
