"""Invoices and payments of statements: never more than there is, and nothing twice."""

import pytest
from billing_world import blank, figures, made_of
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers.statements.shares import release_invoice, settle, spread_invoice, spread_payment, take_invoice
from handlers.statements.statement import InvoiceState, PaymentState, State, Statement
from schemas.mt.codes import MtRefused

MONTHS = ("2026-01", "2026-02", "2026-03")


def confirmed(total: int, month: str = "2026-02", number: int = 1) -> Statement:
    made = made_of({(month, "A100", ""): figures(total)}, replace(blank(month), id=number, statement_no=f"s{number}"))
    return replace(made, state=State.CONFIRMED)


def test_an_invoice_takes_the_oldest_first_and_a_part_of_the_last() -> None:
    three = [confirmed(10, month, number) for number, month in enumerate(MONTHS)]

    assert spread_invoice(reversed(three), 25) == {"s0": 10, "s1": 10, "s2": 5}
    with pytest.raises(MtRefused):
        spread_invoice(three, 31)


def test_what_is_taken_is_taken_once_and_given_back_for_good() -> None:
    statement = take_invoice(confirmed(10), "1", 7)
    assert take_invoice(statement, "1", 7) is statement
    assert (statement.invoice_state, statement.not_invoiced_micro) == (InvoiceState.PARTLY, 3)
    with pytest.raises(MtRefused):
        take_invoice(statement, "2", 4)

    released = release_invoice(statement, "1")

    assert released.not_invoiced_micro == 10
    # Somebody who comes late does not take it again.
    assert take_invoice(released, "1", 7) is released


def test_unconfirmed_statements_are_neither_invoiced_nor_settled() -> None:
    checked = replace(confirmed(10), state=State.CHECKED)

    with pytest.raises(MtRefused):
        take_invoice(checked, "1", 1)
    assert spread_payment([checked], 10) == {}
    assert settle(checked, "p", 10).settled_micro == 0


def test_a_payment_settles_the_oldest_first_or_what_it_says_it_is_for() -> None:
    three = [confirmed(10, month, number) for number, month in enumerate(MONTHS)]

    assert spread_payment(three, 15) == {"s0": 10, "s1": 5}
    assert spread_payment(three, 15, {"s2": 4, "s1": 20}) == {"s1": 10, "s2": 4}


def test_a_statement_is_paid_when_nothing_is_open() -> None:
    partly = settle(confirmed(10), "p1", 4)
    assert (partly.payment_state, partly.open_micro) == (PaymentState.PARTLY, 6)

    paid = settle(partly, "p2", 100)

    assert (paid.payment_state, paid.payment_shares) == (PaymentState.PAID, {"p1": 4, "p2": 6})
    assert settle(paid, "p1", 100) is paid


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["take", "release", "settle"]), st.sampled_from("abcd"), st.integers(0, 2), st.integers(0, 40)
    ),
    max_size=40,
)


@settings(deadline=None)
@given(ACTIONS, st.lists(st.integers(0, 30), min_size=3, max_size=3))
def test_in_any_order_no_more_is_invoiced_or_settled_than_there_is(
    actions: list[tuple[str, str, int, int]], totals: list[int]
) -> None:
    statements = [
        confirmed(total, month, number) for number, (month, total) in enumerate(zip(MONTHS, totals, strict=True))
    ]
    for what, name, place, micro in actions:
        try:
            match what:
                case "take":
                    statements[place] = take_invoice(statements[place], name, micro)
                case "release":
                    statements[place] = release_invoice(statements[place], name)
                case "settle":
                    statements[place] = settle(statements[place], name, micro)
        except MtRefused:
            pass  # nothing was changed
        assert all(0 <= each.invoiced_micro <= each.total_micro for each in statements)
        assert all(0 <= each.settled_micro <= each.total_micro for each in statements)
        assert all(each.not_invoiced_micro + each.invoiced_micro == each.total_micro for each in statements)
