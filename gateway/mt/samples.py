"""Sample files of batch tasks: CSV or XLSX, a header of parameter names, a row for each call. Pure.

What is wrong is told by its row, as the customer's spreadsheet program counts them: the header is row 1.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from schemas.mt.alert_codes import BAD_SAMPLE
from schemas.mt.codes import MtRefused
from schemas.mt.tasks import MAX_PARAM_CHARS, PARAM_NAMES

UNPACKED_BYTES = 64 * 1024 * 1024
"""Of a workbook: a small one may be packed so that it fills the memory."""
XLSX_MAGIC = b"PK\x03\x04"
LABELS = {
    "姓名": "name",
    "身份证号": "idCard",
    "身份证": "idCard",
    "手机号": "mobile",
    "手机": "mobile",
    "车牌号": "plateNumber",
    "车架号": "vin",
    "企业名称": "entName",
    "企业代码": "entCode",
}
"""Headers in Chinese, beside the parameters' own names."""
_NAMES = {name.lower(): name for name in PARAM_NAMES}


class Sample(msgspec.Struct, frozen=True):
    columns: tuple[str, ...]
    """Names of parameters."""
    rows: tuple[dict[str, str], ...]


def read_sample(content: bytes, most_rows: int) -> Sample:
    """Refuses BAD_SAMPLE, with the row."""
    rows = _workbook(content) if content.startswith(XLSX_MAGIC) else _csv(content)
    header = next(rows, None)
    if header is None or not any(header):
        raise _bad("the file is empty: row 1 names the parameters")
    columns = _columns(header)
    found = tuple(_checked(columns, rows, most_rows))
    if not found:
        raise _bad("there is no row behind the header")
    return Sample(columns, found)


def _columns(header: Sequence[str]) -> tuple[str, ...]:
    columns: list[str] = []
    while header and not header[-1]:
        header = header[:-1]
    for number, title in enumerate(header, 1):
        name = LABELS.get(title) or _NAMES.get(title.lower())
        if name is None:
            raise _bad(f"row 1, column {number}: {title[:40]!r} is none of {', '.join(PARAM_NAMES)}")
        if name in columns:
            raise _bad(f"row 1, column {number}: {name} is there twice")
        columns.append(name)
    return tuple(columns)


def _checked(columns: Sequence[str], rows: Iterable[Sequence[str]], most_rows: int) -> Iterator[dict[str, str]]:
    count = 0
    for number, cells in enumerate(rows, 2):
        if not any(cells):
            continue  # spreadsheet programs leave them behind
        if any(cells[len(columns) :]):
            raise _bad(f"row {number}: there are more cells than columns")
        for name, cell in zip(columns, cells, strict=False):
            if len(cell) > MAX_PARAM_CHARS or "\0" in cell:
                raise _bad(f"row {number}: {name} has more than {MAX_PARAM_CHARS} characters, or is no text")
        count += 1
        if count > most_rows:
            raise _bad(f"row {number}: a sample has at most {most_rows} rows")
        yield {name: cell for name, cell in zip(columns, cells, strict=False) if cell}


def _csv(content: bytes) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(_text(content), newline=""), strict=True)
    while True:
        try:
            yield [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise _bad(f"row {reader.line_num}: {error}") from None


def _text(content: bytes) -> str:
    """UTF-8, else as spreadsheet programs write CSV in China."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _bad("the file is neither a workbook (.xlsx) nor a text in UTF-8 or GB 18030")


def _workbook(content: bytes) -> Iterator[list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
        if unpacked > UNPACKED_BYTES:
            raise _bad(f"the workbook unpacks to {unpacked} bytes, at most {UNPACKED_BYTES} are read")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError):
        raise _bad("the workbook cannot be read") from None
    try:
        sheet = book.worksheets[0] if book.worksheets else None
        if sheet is not None:
            for cells in sheet.iter_rows(values_only=True):
                yield [_cell(value) for value in cells]
    except (ValueError, KeyError, SyntaxError, zipfile.BadZipFile):
        raise _bad("the workbook cannot be read") from None
    finally:
        book.close()


def _cell(value: object) -> str:
    """Numbers as they are shown: a mobile number that was typed as one is none with a point in it."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _bad(message: str) -> MtRefused:
    return MtRefused(BAD_SAMPLE, message)
