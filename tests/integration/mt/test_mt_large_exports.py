"""Exports of many rows: from the cursor into the stored file, whatever there are of them, in little memory."""

import tracemalloc
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from usage_records import AT, ZONE, a_seq_no, insert_record

from config.settings import MeteringSettings, Settings
from gateway.mt.call_records import RecordReader, columns_for
from gateway.mt.sheets import XLSX, Cell, xlsx
from handlers.usage.records import USAGE_RECORDS
from schemas.mt.access import Role, Scope
from stores.files import Files
from stores.mongo import Database
from stores.mt.records import RecordFilter
from stores.usage.personal import Personal
from tests.integration.usage.world import with_keys

MERCHANT, ROWS, AT_ONCE = 1001, 12_000, 4_000
PEAK_BYTES = 9 * 1024 * 1024
"""All the rows are several times as much; twice as many of them take no more."""


async def fill(database: Database, metering: MeteringSettings) -> None:
    """Copies of one record."""
    number = await insert_record(
        database, Personal(metering.secrets_keys), MERCHANT, name="A Name", resultMsg="r" * 200
    )
    record = await database[USAGE_RECORDS].find_one({"_id": number}) or {}
    for first in range(1, ROWS, AT_ONCE):
        some = range(first, min(first + AT_ONCE, ROWS))
        copies = [{**record, "_id": a_seq_no(), "created_at": AT + timedelta(seconds=n)} for n in some]
        await database[USAGE_RECORDS].insert_many(copies)


async def test_an_export_of_many_rows_is_written_in_little_memory(settings: Settings, database: Database) -> None:
    metering = with_keys(settings).metering
    await fill(database, metering)
    reader, now = RecordReader(database, ZONE, metering), datetime.now(UTC)
    rows = 0

    async def counted() -> AsyncIterator[Sequence[Cell]]:
        nonlocal rows
        async for row in reader.table(RecordFilter(scope=Scope(frozenset((MERCHANT,)))), Role.OPERATOR):
            rows += 1
            yield row

    tracemalloc.start()
    try:
        await Files(database).write(
            "an export",
            xlsx("records", columns_for(Role.OPERATOR), counted()),
            name="records.xlsx",
            content_type=XLSX,
            now=now,
            expires_at=now + timedelta(days=1),
        )
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert rows == ROWS
    assert peak_bytes < PEAK_BYTES
