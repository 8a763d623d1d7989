"""Tables that leave as files: rows from a cursor become XLSX or CSV, any number of them in bounded memory.

A workbook can be sent only when its last row is known, so it is built in files that
nobody else sees and that are gone with the stream; CSV leaves as the rows come in.
"""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from typing import BinaryIO
from urllib.parse import quote

import msgspec
import xlsxwriter

from gateway.system import Answer

Cell = str | int | Decimal | bool | None

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"
BINARY = "application/octet-stream"
"""What the contract says of every export."""

CHUNK_BYTES = 256 * 1024
ROWS_AT_ONCE = 500
SHEET_ROWS = 1_048_576
"""What a sheet of a workbook can hold; what is more goes on in the next."""
TEXT_CHARS = 32_767
"""What a cell can hold."""
EXACT_INTEGER = 10**15
"""Cells are floating point numbers of 15 digits: integers from here on are written as text."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that spreadsheet programs take for a formula."""
DATED = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""When a workbook says it was made: the same rows are the same bytes."""


class Column(msgspec.Struct, frozen=True):
    title: str
    width: float = 14
    """In characters."""


async def xlsx(
    name: str, columns: Sequence[Column], rows: AsyncIterable[Sequence[Cell]], *, sheet_rows: int = SHEET_ROWS
) -> AsyncGenerator[bytes, None]:
    """A workbook, a chunk at a time; the first once all rows are read. Amounts (Decimal) are numbers in it.

    `name` is that of its sheet, 28 characters at most. What `rows` raises passes through.
    """
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile(dir=scratch) as made:
        book = _Book(made, scratch, name, columns, sheet_rows)
        try:
            async for batch in _batches(rows):
                await asyncio.to_thread(book.write, batch)
        finally:
            # Also where rows fail to come: it is what closes the files that hold those written so far.
            await asyncio.to_thread(book.close)
        made.seek(0)
        while chunk := await asyncio.to_thread(made.read, CHUNK_BYTES):
            yield chunk


class _Book:
    """The workbook being written: rows leave memory as they are written."""

    def __init__(self, made: BinaryIO, scratch: str, name: str, columns: Sequence[Column], sheet_rows: int) -> None:
        self._book = xlsxwriter.Workbook(made, {"constant_memory": True, "tmpdir": scratch})
        self._book.set_properties({"created": DATED})
        self._name = name
        self._columns = columns
        self._sheet_rows = sheet_rows
        self._bold = self._book.add_format({"bold": True})
        self._money = self._book.add_format({"num_format": "#,##0.00####"})
        self._sheets = 0
        self._begin()

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        for row in rows:
            if self._row == self._sheet_rows:
                self._begin()
            for column, cell in enumerate(row):
                self._cell(column, cell)
            self._row += 1

    def close(self) -> None:
        self._book.close()

    def _begin(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet(self._name if self._sheets == 1 else f"{self._name} {self._sheets}")
        for column, heading in enumerate(self._columns):
            self._sheet.set_column(column, column, heading.width)
            self._sheet.write_string(0, column, heading.title, self._bold)
        self._sheet.freeze_panes(1, 0)
        self._row = 1

    def _cell(self, column: int, cell: Cell) -> None:
        match cell:
            case None:
                pass
            case bool():
                self._sheet.write_boolean(self._row, column, cell)
            case Decimal():
                self._sheet.write_number(self._row, column, float(cell), self._money)
            case int() if abs(cell) < EXACT_INTEGER:
                self._sheet.write_number(self._row, column, cell)
            case _:
                # As a string, whatever it begins with: no text becomes a formula or a link.
                self._sheet.write_string(self._row, column, str(cell)[:TEXT_CHARS])


async def csv_table(columns: Sequence[Column], rows: AsyncIterable[Sequence[Cell]]) -> AsyncGenerator[bytes, None]:
    """UTF-8 with a byte order mark, by which spreadsheet programs know it. What `rows` raises passes through."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow([column.title for column in columns])
    async for batch in _batches(rows):
        writer.writerows([[_plain(cell) for cell in row] for row in batch])
        yield buffer.getvalue().encode("utf-8", "replace")
        buffer.seek(0)
        buffer.truncate()
    if rest := buffer.getvalue():
        yield rest.encode()


def _plain(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case Decimal():
            return format(cell, "f")
        case str() if cell.startswith(FORMULA):
            # Taken for a formula otherwise, with whatever it was made to do.
            return f"'{cell}"
    return str(cell)


async def _batches(rows: AsyncIterable[Sequence[Cell]]) -> AsyncGenerator[list[Sequence[Cell]], None]:
    batch: list[Sequence[Cell]] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


async def download(file_name: str, chunks: AsyncGenerator[bytes, None], content_type: str = BINARY) -> Answer:
    """The answer that hands a table out.

    What keeps its first chunk from being made is raised here, where it can still be refused as anything else is.
    """
    first = await anext(chunks, b"")
    return Answer(
        200,
        b"",
        {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file_name, safe='')}",
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
        content_type,
        stream=_rejoined(first, chunks),
    )


async def _rejoined(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            yield chunk
