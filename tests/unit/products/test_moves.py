"""States of grants and planned tasks: the moves there are, and no others."""

import pytest

from handlers.products.moves import GRANT_MOVES, GrantState, Move, TaskState, check_cancel, check_retry, moved
from schemas.mt.codes import MtRefused
from schemas.mt.product_codes import GRANT_STATE, TASK_STATE

LEGAL = {(move, state, to) for move, states in GRANT_MOVES.items() for state, to in states.items()}


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", [None, *GrantState])
def test_a_grant_moves_as_the_table_says_or_not_at_all(move: Move, state: GrantState | None) -> None:
    legal = [to for one, before, to in LEGAL if (one, before) == (move, state)]
    if legal:
        assert moved(move, state, "X") == legal[0]
    else:
        with pytest.raises(MtRefused) as refused:
            moved(move, state, "X")
        assert refused.value.code == GRANT_STATE


def test_what_waits_can_be_approved_or_rejected_and_nothing_else_can() -> None:
    assert set(GRANT_MOVES[Move.APPROVE]) == set(GRANT_MOVES[Move.REJECT]) == {GrantState.WAITING}


def test_what_was_rejected_may_be_applied_for_again() -> None:
    assert moved(Move.APPLY, GrantState.REJECTED, "X") is GrantState.WAITING


@pytest.mark.parametrize(
    ("state", "in_time"),
    [(TaskState.CANCELLED, True), (TaskState.RUNNING, True), (TaskState.DONE, True), (TaskState.PLANNED, False)],
)
def test_only_a_task_that_has_still_to_take_effect_can_be_cancelled(state: TaskState, in_time: bool) -> None:
    check_cancel(TaskState.PLANNED, in_time=True)
    with pytest.raises(MtRefused) as refused:
        check_cancel(state, in_time)
    assert refused.value.code == TASK_STATE


@pytest.mark.parametrize(
    ("state", "failed"),
    [(TaskState.CANCELLED, True), (TaskState.DONE, True), (TaskState.RUNNING, True), (TaskState.PLANNED, False)],
)
def test_only_a_task_that_failed_can_be_retried(state: TaskState, failed: bool) -> None:
    check_retry(TaskState.PLANNED, failed=True)
    with pytest.raises(MtRefused) as refused:
        check_retry(state, failed)
    assert refused.value.code == TASK_STATE
