"""The states of statements: every move that there is, and none that there is not."""

import pytest
from billing_world import AT, figures, made_of
from msgspec.structs import replace

from handlers.statements.moves import MOVES, To, kept, limit_invoices, move
from handlers.statements.statement import Move, State
from schemas.mt.codes import MtRefused
from schemas.mt.statement_codes import HAS_MONEY, OVER_LIMIT, STATEMENT_STATE

A = ("2026-02", "A100", "")


@pytest.mark.parametrize("to", To)
@pytest.mark.parametrize("state", State)
def test_a_move_leads_where_the_table_says_or_is_refused_and_changes_nothing(state: State, to: To) -> None:
    statement = replace(made_of({A: figures(10)}), state=state)
    froms, leads_to = MOVES[to]

    if state in froms:
        assert move(statement, to, AT).state == leads_to
    else:
        with pytest.raises(MtRefused) as refused:
            move(statement, to, AT)
        assert refused.value.code == STATEMENT_STATE


def test_there_is_a_way_through_and_it_keeps_its_times() -> None:
    statement = made_of({A: figures(10)})
    for to in (To.CHECK, To.CONFIRM, To.ARCHIVE):
        statement = move(statement, to, AT)

    assert (statement.checked_at, statement.confirmed_at, statement.archived_at) == (AT, AT, AT)


@pytest.mark.parametrize("money", ["invoice_shares", "payment_shares"])
def test_what_money_is_bound_to_cannot_be_undone(money: str) -> None:
    confirmed = replace(made_of({A: figures(10)}), state=State.CONFIRMED)

    with pytest.raises(MtRefused) as refused:
        move(replace(confirmed, **{money: {"1": 5}}), To.INVALIDATE, AT)
    assert refused.value.code == HAS_MONEY
    # Given back, it is free again.
    assert move(replace(confirmed, **{money: {"1": 0}}), To.INVALIDATE, AT).state == State.INVALID


@pytest.mark.parametrize(("micro", "taken"), [(-1, False), (3, False), (4, True), (10, True), (11, False)])
def test_what_may_be_invoiced_lies_between_what_is_invoiced_and_the_total(micro: int, *, taken: bool) -> None:
    statement = replace(made_of({A: figures(10)}), state=State.CONFIRMED, invoice_shares={"1": 4})

    if taken:
        assert limit_invoices(statement, micro).may_invoice_micro == micro
    else:
        with pytest.raises(MtRefused) as refused:
            limit_invoices(statement, micro)
        assert refused.value.code == OVER_LIMIT


def test_a_move_keeps_who_when_and_what_changed() -> None:
    made = kept(None, made_of({A: figures(10)}), Move(what="make", at=AT, by="clock"))

    checked = kept(made, move(made, To.CHECK, AT), Move(what="check", at=AT, by="operator/7", name="Li"))

    assert (made.revision, checked.revision) == (1, 2)
    assert checked.last_move == Move(
        what="check", at=AT, by="operator/7", name="Li", before={"state": "made"}, after={"state": "checked"}
    )
    assert made.last_move is not None
    assert made.last_move.after["line 1"]["fee_micro"] == 10
