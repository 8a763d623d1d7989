"""States of grants, price adjustments, planned tasks and products: which moves there are.

The numbers are the contract's (GrantState, AdjustmentState, ScheduleTaskState, ProductState).
"""

from enum import IntEnum, StrEnum

from schemas.mt.codes import MtRefused
from schemas.mt.product_codes import GRANT_STATE, TASK_STATE


class GrantState(IntEnum):
    WAITING = 0
    OPEN = 10
    DISABLED = -1
    REJECTED = -10


class Move(StrEnum):
    APPLY = "apply for"
    ACCREDIT = "grant"
    APPROVE = "approve"
    REJECT = "reject"
    ENABLE = "enable"
    DISABLE = "disable"


_WAITING, _OPEN, _DISABLED, _REJECTED = GrantState.WAITING, GrantState.OPEN, GrantState.DISABLED, GrantState.REJECTED
GRANT_MOVES: dict[Move, dict[GrantState | None, GrantState]] = {
    # None: there is no grant yet, or it was deleted.
    Move.APPLY: {None: _WAITING, _REJECTED: _WAITING},
    Move.ACCREDIT: {None: _OPEN, _WAITING: _OPEN, _REJECTED: _OPEN},
    Move.APPROVE: {_WAITING: _OPEN},
    Move.REJECT: {_WAITING: _REJECTED},
    Move.ENABLE: {_DISABLED: _OPEN},
    Move.DISABLE: {_OPEN: _DISABLED},
}
_NAMES = {None: "not there", _WAITING: "waiting for audit", _OPEN: "open", _DISABLED: "disabled", _REJECTED: "rejected"}


def moved(move: Move, state: GrantState | None, what: str) -> GrantState:
    """The state that a grant comes to. Refuses GRANT_STATE where there is no such move."""
    to = GRANT_MOVES[move].get(state)
    if to is None:
        raise MtRefused(GRANT_STATE, f"{what} is {_NAMES[state]}: cannot {move} it")
    return to


class AdjustmentState(IntEnum):
    REJECTED = -10
    CANCELLED = -1
    PLANNED = 0
    AUDIT = 10
    CHANGED = 20


ADJUSTMENT_FILTER: dict[int, AdjustmentState] = {
    -10: AdjustmentState.REJECTED,
    0: AdjustmentState.PLANNED,
    5: AdjustmentState.AUDIT,
    10: AdjustmentState.PLANNED,
    20: AdjustmentState.CHANGED,
}
"""The filter has other numbers (contract, AdjustmentFilterState): "to be started" and "waiting to take effect" are
one state of an adjustment, "not in effect yet"."""


class TaskState(IntEnum):
    CANCELLED = -1
    PLANNED = 0
    RUNNING = 10
    DONE = 20


class ProductState(IntEnum):
    OFF_SHELF = -1
    ABNORMAL = 5
    ON_SHELF = 10


def check_cancel(state: int, in_time: bool) -> None:
    """Refuses TASK_STATE for a task that has run, or is about to."""
    if state == TaskState.CANCELLED:
        raise MtRefused(TASK_STATE, "the task is cancelled already")
    if state != TaskState.PLANNED:
        raise MtRefused(TASK_STATE, "the task has been executed: only one that has not can be cancelled")
    if not in_time:
        raise MtRefused(TASK_STATE, "too late: what is planned is about to take effect")


def check_retry(state: int, failed: bool) -> None:
    """Refuses TASK_STATE for a task that did not fail."""
    if state != TaskState.PLANNED or not failed:
        raise MtRefused(TASK_STATE, "only a task whose execution failed can be retried")
