"""Workbooks as people upload them."""

import io
from typing import Any

from openpyxl import Workbook


def workbook(*rows: list[Any]) -> bytes:
    book, made = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(made)
    return made.getvalue()
