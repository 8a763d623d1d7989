"""Tables as files: what spreadsheet programs find in them."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from gateway.mt.sheets import BINARY, ROWS_AT_ONCE, Cell, Column, csv_table, download, xlsx

COLUMNS = (Column("Name", 20), Column("Calls"), Column("Fee"))


async def rows_of(*rows: Sequence[Cell]) -> AsyncIterator[Sequence[Cell]]:
    for row in rows:
        yield row


async def joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def sheets(chunks: AsyncIterator[bytes]) -> dict[str, list[tuple[object, ...]]]:
    book = load_workbook(io.BytesIO(await joined(chunks)))
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}


async def test_a_workbook_has_headings_and_rows_amounts_and_counts_as_numbers() -> None:
    made = xlsx("Bills", COLUMNS, rows_of(("张三", 12, Decimal("0.123456")), ("b", 10**18, None)))

    assert await sheets(made) == {
        "Bills": [("Name", "Calls", "Fee"), ("张三", 12, 0.123456), ("b", str(10**18), None)],
    }


async def test_texts_never_become_formulas() -> None:
    evil = "=HYPERLINK(1)"

    assert (await sheets(xlsx("Bills", COLUMNS, rows_of((evil, 1, None)))))["Bills"][1][0] == evil
    told = (await joined(csv_table(COLUMNS, rows_of((evil, -1, Decimal("-2.50")))))).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(told)))[1] == [f"'{evil}", "-1", "-2.50"]


async def test_what_one_sheet_cannot_hold_goes_on_in_the_next() -> None:
    made = xlsx("Bills", COLUMNS, rows_of(*((str(n), n, None) for n in range(5))), sheet_rows=3)

    told = await sheets(made)

    assert list(told) == ["Bills", "Bills 2", "Bills 3"]
    assert [row[1] for rows in told.values() for row in rows[1:]] == [0, 1, 2, 3, 4]
    assert all(rows[0] == ("Name", "Calls", "Fee") for rows in told.values())


async def test_a_table_without_rows_has_its_headings() -> None:
    assert await sheets(xlsx("Bills", COLUMNS, rows_of())) == {"Bills": [("Name", "Calls", "Fee")]}
    assert await joined(csv_table(COLUMNS, rows_of())) == b"\xef\xbb\xbfName,Calls,Fee\r\n"


async def test_csv_leaves_before_all_rows_are_read() -> None:
    read = 0

    async def many() -> AsyncIterator[Sequence[Cell]]:
        nonlocal read
        for read in range(10 * ROWS_AT_ONCE):
            yield (str(read), read, None)

    chunks = csv_table(COLUMNS, many())
    first = await anext(chunks)

    assert first.count(b"\r\n") == ROWS_AT_ONCE + 1
    assert read < 2 * ROWS_AT_ONCE
    await chunks.aclose()


async def test_rows_that_cannot_be_read_are_an_error_before_anything_is_answered() -> None:
    async def broken() -> AsyncIterator[Sequence[Cell]]:
        yield ("a", 1, None)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await download("bills.xlsx", xlsx("Bills", COLUMNS, broken()))


async def test_a_download_names_its_file_and_is_sent_as_it_is_made() -> None:
    answer = await download("账单.csv", csv_table(COLUMNS, rows_of(("a", 1, None))))

    assert answer.content_type == BINARY
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%E8%B4%A6%E5%8D%95.csv"
    assert answer.stream is not None
    assert (await joined(answer.stream)).endswith(b"a,1,\r\n")
