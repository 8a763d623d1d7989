"""Statements from usage: what is not billed yet becomes lines.

There is one rule for the month's own usage, for what came in late and for what was
corrected: the difference between the usage of an account and what its statements cover.
While a statement is not confirmed, the difference goes into its lines; after that, into
lines of their own in the next statement.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from handlers.statements.statement import (
    OPEN_TO_CHANGE,
    Covered,
    Figures,
    Key,
    Line,
    Overdraft,
    State,
    Statement,
    Usage,
)


class Difference(msgspec.Struct, frozen=True):
    """Usage that no statement covers (or, negative, that is covered and is none any more)."""

    month: str
    item: str
    tag: str
    figures: Figures
    item_name: str = ""

    @property
    def key(self) -> Key:
        return self.month, self.item, self.tag


def statement_no(dept_id: int, month: str, version: int = 1) -> str:
    """The number of an account's statement of a month; the first one made after a deletion is version 2."""
    number = f"{month.replace('-', '')}-{dept_id}"
    return number if version == 1 else f"{number}-{version}"


def differences(usage: Usage, covered: Usage, until: str, names: Mapping[str, str]) -> tuple[Difference, ...]:
    """What is not billed of the usage up to the end of a month (`yyyy-MM`), by month, product and tag.

    `names` are those of products.
    """
    found = (
        Difference(*key, usage.get(key, Figures()) - covered.get(key, Figures()), names.get(key[1], ""))
        for key in sorted({*usage, *covered})
        if key[0] <= until
    )
    return tuple(each for each in found if each.figures)


def fill(statement: Statement, found: Iterable[Difference], at: datetime) -> Statement:
    """The statement with the differences in it. The same statement again where there are none.

    One that was checked waits for a check again: what the customer was sent is not true any more.
    """
    if statement.state not in OPEN_TO_CHANGE:
        raise ValueError(f"statement {statement.statement_no} is {statement.state.name}: it takes no usage")
    lines = {line.no: line for line in statement.lines}
    covering = {covered.key: line.no for line in statement.shown_lines for covered in line.covers}
    next_line = statement.next_line
    prepaid = statement.overdraft != Overdraft.MONTHLY
    changed = False
    for each in found:
        changed = True
        if (no := covering.get(each.key)) is not None:
            lines[no] = _grown(lines[no], each, prepaid=prepaid)
            continue
        lines[next_line] = _line(next_line, each, at, prepaid=prepaid)
        next_line += 1
    if not changed:
        return statement
    ordered = sorted(lines.values(), key=lambda line: (line.month, line.item, line.tag, line.no))
    return replace(statement, lines=tuple(ordered), next_line=next_line, state=State.MADE)


def _line(no: int, each: Difference, at: datetime, *, prepaid: bool) -> Line:
    return Line(
        no=no,
        month=each.month,
        item=each.item,
        item_name=each.item_name,
        tag=each.tag,
        figures=each.figures,
        settled_micro=each.figures.fee_micro if prepaid else 0,
        covers=(Covered(*each.key, each.figures),),
        made_at=at,
    )


def _grown(line: Line, each: Difference, *, prepaid: bool) -> Line:
    """An edited line keeps what was done to it by hand: the difference comes on top."""
    covers = tuple(
        replace(covered, figures=covered.figures + each.figures) if covered.key == each.key else covered
        for covered in line.covers
    )
    settled = line.settled_micro + (each.figures.fee_micro if prepaid else 0)
    return replace(line, figures=line.figures + each.figures, settled_micro=settled, covers=covers)
