"""The states of statements: which move leads where, and what stands in its way.

made -> checked -> confirmed -> archived
  |        |           |
  +--------+-----------+----> invalid
made, invalid ----> deleted
checked ----> made, where its lines change
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from handlers.statements.statement import Line, Move, State, Statement
from schemas.mt.codes import MtRefused
from schemas.mt.statement_codes import HAS_MONEY, OVER_LIMIT, STATEMENT_STATE


class To(StrEnum):
    """What can be done to the state of a statement."""

    CHECK = "check"
    CONFIRM = "confirm"
    ARCHIVE = "archive"
    INVALIDATE = "invalidate"
    DELETE = "delete"


MOVES: Mapping[To, tuple[frozenset[State], State]] = {
    To.CHECK: (frozenset({State.MADE}), State.CHECKED),
    To.CONFIRM: (frozenset({State.CHECKED}), State.CONFIRMED),
    To.ARCHIVE: (frozenset({State.CONFIRMED}), State.ARCHIVED),
    To.INVALIDATE: (frozenset({State.MADE, State.CHECKED, State.CONFIRMED}), State.INVALID),
    To.DELETE: (frozenset({State.MADE, State.INVALID}), State.DELETED),
}
UNDOING = frozenset({To.INVALIDATE, To.DELETE})
"""Not where money is bound to it."""
MAILABLE = frozenset({State.CHECKED, State.CONFIRMED, State.ARCHIVED})
"""May be sent to the customer (again)."""


def move(statement: Statement, to: To, at: datetime) -> Statement:
    """The statement after the move. Refuses STATEMENT_STATE, HAS_MONEY."""
    froms, state = MOVES[to]
    if statement.state not in froms:
        raise wrong_state(statement, to)
    if to in UNDOING and statement.has_money:
        raise MtRefused(HAS_MONEY, f"statement {statement.statement_no} has invoices or payments: it cannot be undone")
    match to:
        case To.CHECK:
            return replace(statement, state=state, checked_at=at)
        case To.CONFIRM:
            return replace(statement, state=state, confirmed_at=at)
        case To.ARCHIVE:
            return replace(statement, state=state, archived_at=at)
    return replace(statement, state=state)


def limit_invoices(statement: Statement, micro: int) -> Statement:
    """With another amount that may be invoiced. Refuses OVER_LIMIT, STATEMENT_STATE."""
    if statement.state in (State.INVALID, State.DELETED):
        raise wrong_state(statement, "change")
    if not statement.invoiced_micro <= micro <= max(0, statement.total_micro):
        raise MtRefused(
            OVER_LIMIT, f"statement {statement.statement_no}: between what is invoiced and the total, both included"
        )
    return replace(statement, invoice_limit_micro=micro)


def wrong_state(statement: Statement, wanted: str) -> MtRefused:
    return MtRefused(
        STATEMENT_STATE, f"statement {statement.statement_no} is {statement.state.name.lower()}: no move '{wanted}'"
    )


def kept(before: Statement | None, after: Statement, move: Move) -> Statement:
    """The statement to write: one revision on, with the move that led to it."""
    was, now = ({}, shown(after)) if before is None else _differing(shown(before), shown(after))
    revision = 1 if before is None else before.revision + 1
    return replace(after, revision=revision, last_move=replace(move, before=was, after=now))


def shown(statement: Statement) -> dict[str, Any]:
    """What a move may change, as it is kept of it."""
    about: dict[str, Any] = {
        "state": statement.state.name.lower(),
        "total_micro": statement.total_micro,
        "settled_micro": statement.settled_micro,
        "may_invoice_micro": statement.may_invoice_micro,
        "invoiced_micro": statement.invoiced_micro,
        "sends": len(statement.sends),
    }
    return about | {f"line {line.no}": _line(line) for line in statement.lines}


def _line(line: Line) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(line.figures)
    return said | {"item": line.item, "month": line.month, "removed": line.removed, "settled_micro": line.settled_micro}


def _differing(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}
