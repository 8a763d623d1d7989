"""Lines changed by hand: merged, edited, added, taken off. Each answers the statement as it is then.

What a line covers stays as it is: usage that an operator waived, or billed otherwise, is
not billed again. A statement that was checked waits for a check again.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from handlers.statements.statement import OPEN_TO_CHANGE, Figures, Line, State, Statement
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.statement_codes import NOT_MERGED, STATEMENT_STATE


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What a line is to say; None leaves it as it is (a new line: 0)."""

    item: str
    item_name: str | None = None
    count: int | None = None
    charged: int | None = None
    price_micro: int | None = None
    fee_micro: int | None = None
    settled_micro: int | None = None


def merge(statement: Statement, numbers: Collection[int]) -> Statement:
    """Lines of one product made one, in place of the first. Refuses NOT_MERGED, STATEMENT_STATE, not_found."""
    _require_open(statement)
    lines = [_find(statement, no) for no in dict.fromkeys(numbers)]
    if len(lines) < 2 or len({line.item for line in lines}) > 1:
        raise MtRefused(NOT_MERGED, "two lines or more of one product can be merged")
    first = lines[0]
    prices = {line.price_micro for line in lines}
    merged = replace(
        first,
        month=_common((line.month for line in lines), statement.month),
        tag=_common((line.tag for line in lines), ""),
        figures=sum((line.figures for line in lines), Figures()),
        price_micro=first.price_micro if len(prices) == 1 else None,
        settled_micro=sum(line.settled_micro for line in lines),
        covers=tuple(covered for line in lines for covered in line.covers),
        edited=any(line.edited for line in lines),
    )
    gone = {line.no for line in lines[1:]}
    return _changed(statement, lambda line: None if line.no in gone else merged if line.no == first.no else line)


def edit(statement: Statement, no: int, wanted: Edit) -> Statement:
    """A line that says something else. Refuses STATEMENT_STATE, not_found."""
    _require_open(statement)
    edited = _edited(_find(statement, no), wanted)
    return _changed(statement, lambda line: edited if line.no == no else line)


def add(statement: Statement, wanted: Edit, at: datetime) -> Statement:
    """One line more, which stands for no usage. Refuses STATEMENT_STATE."""
    _require_open(statement)
    blank = Line(no=statement.next_line, month=statement.month, item=wanted.item, figures=Figures(), made_at=at)
    changed = _changed(statement, lambda line: line)
    return replace(changed, lines=(*changed.lines, _edited(blank, wanted)), next_line=statement.next_line + 1)


def remove(statement: Statement, no: int) -> Statement:
    """Without a line; what it covers is not billed later either. Refuses STATEMENT_STATE, not_found."""
    _require_open(statement)
    removed = replace(_find(statement, no), removed=True)
    return _changed(statement, lambda line: removed if line.no == no else line)


def _require_open(statement: Statement) -> None:
    if statement.state not in OPEN_TO_CHANGE:
        raise MtRefused(
            STATEMENT_STATE,
            f"statement {statement.statement_no} is {statement.state.name.lower()}: its lines stay",
        )


def _find(statement: Statement, no: int) -> Line:
    for line in statement.shown_lines:
        if line.no == no:
            return line
    raise not_found(f"line {no} of statement {statement.statement_no}")


def _edited(line: Line, wanted: Edit) -> Line:
    figures = line.figures
    count = figures.count if wanted.count is None else wanted.count
    charged = figures.charged if wanted.charged is None else wanted.charged
    fee = wanted.fee_micro
    if fee is None and (wanted.price_micro is not None or wanted.charged is not None):
        # Only the price or the number was given: the fee follows from them.
        price = line.shown_price_micro if wanted.price_micro is None else wanted.price_micro
        fee = charged * (price or 0)
    return replace(
        line,
        item=wanted.item,
        item_name=line.item_name if wanted.item_name is None else wanted.item_name,
        figures=replace(figures, count=count, charged=charged, fee_micro=figures.fee_micro if fee is None else fee),
        price_micro=line.price_micro if wanted.price_micro is None else wanted.price_micro,
        settled_micro=line.settled_micro if wanted.settled_micro is None else wanted.settled_micro,
        edited=True,
    )


def _changed(statement: Statement, change: Callable[[Line], Line | None]) -> Statement:
    lines = tuple(changed for line in statement.lines if (changed := change(line)) is not None)
    return replace(statement, lines=lines, state=State.MADE)


def _common(values: Iterable[str], otherwise: str) -> str:
    found = set(values)
    return found.pop() if len(found) == 1 else otherwise
