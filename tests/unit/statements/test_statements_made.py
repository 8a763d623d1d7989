"""Statements from usage: every call is billed once, whenever it comes in and whatever is done by hand."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from billing_world import AT, Account, blank, figures, made_of
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers.statements import lines
from handlers.statements.making import differences, fill, statement_no
from handlers.statements.moves import To, move
from handlers.statements.statement import Figures, Overdraft, PaymentState, State, Statement, covered_by
from schemas.mt.codes import MtRefused

MONTHS = ("2026-01", "2026-02", "2026-03", "2026-04")
A, B = ("2026-02", "A100", ""), ("2026-02", "B200", "t")


def test_a_line_for_each_product_and_tag_says_calls_price_and_fee() -> None:
    made = made_of({A: Figures(count=12, free=2, charged=10, fee_micro=50_000), B: figures(7_000)})

    assert [(line.item, line.tag, line.figures.fee_micro, line.shown_price_micro) for line in made.lines] == [
        ("A100", "", 50_000, 5_000),
        ("B200", "t", 7_000, 7_000),
    ]
    assert made.total_micro == made.open_micro == 57_000
    assert (made.state, made.payment_state) == (State.MADE, PaymentState.UNPAID)


def test_where_the_price_changed_within_a_month_the_mean_is_shown() -> None:
    made = made_of({A: Figures(count=3, charged=3, fee_micro=100)})

    assert made.lines[0].shown_price_micro == 33  # 100 / 3


def test_what_a_wallet_has_paid_is_settled_when_the_statement_is_made() -> None:
    made = made_of({A: figures(50_000)}, blank(overdraft=Overdraft.PREPAID))

    assert (made.total_micro, made.settled_micro, made.open_micro) == (50_000, 50_000, 0)
    assert made.payment_state == PaymentState.PAID


def test_late_usage_goes_into_its_line_while_the_statement_is_not_confirmed() -> None:
    account = Account()
    account.use(A, figures(50_000))
    account.bill("2026-02")

    account.use(A, figures(1_000))
    account.bill("2026-02")

    (statement,) = account.statements
    assert [line.figures.fee_micro for line in statement.lines] == [51_000]


def test_late_usage_sends_a_checked_statement_back_to_be_checked() -> None:
    checked = move(made_of({A: figures(50_000)}), To.CHECK, AT)

    assert fill(checked, differences({B: figures(1)}, {}, "2026-02", {}), AT).state == State.MADE
    assert fill(checked, (), AT) is checked


def test_late_usage_of_a_confirmed_statement_is_a_line_of_its_own_in_the_next() -> None:
    account = Account()
    account.use(A, figures(50_000))
    account.bill("2026-02")
    account.by_hand(0, lambda statement: replace(statement, state=State.CONFIRMED))

    account.use(A, figures(1_000))
    account.use(("2026-03", "A100", ""), figures(9_000))
    account.bill("2026-03")

    first, second = account.statements
    assert first.total_micro == 50_000
    assert [(line.month, line.figures.fee_micro) for line in second.lines] == [("2026-02", 1_000), ("2026-03", 9_000)]


def test_usage_that_is_taken_back_after_the_confirmation_is_a_negative_line_in_the_next() -> None:
    account = Account()
    account.use(A, figures(50_000))
    account.bill("2026-02")
    account.by_hand(0, lambda statement: replace(statement, state=State.ARCHIVED))

    account.use(A, Figures() - figures(20_000))
    account.bill("2026-03")

    assert account.statements[1].total_micro == -20_000


def test_a_deleted_statement_is_made_anew_under_a_number_of_its_own_and_a_void_one_is_not() -> None:
    account = Account()
    account.use(A, figures(50_000))
    account.bill("2026-02")
    account.by_hand(0, lambda statement: move(statement, To.DELETE, AT))
    account.bill("2026-02")
    assert [each.statement_no for each in account.statements] == ["202602-7", "202602-7-2"]

    account.by_hand(1, lambda statement: move(statement, To.INVALIDATE, AT))
    account.bill("2026-02")
    account.bill("2026-03")

    assert len(account.statements) == 2


def test_an_edited_line_keeps_what_was_done_by_hand_when_late_usage_comes_in() -> None:
    account = Account()
    account.use(A, figures(50_000, count=5))
    account.bill("2026-02")
    account.by_hand(0, lambda statement: lines.edit(statement, 1, lines.Edit(item="A100", fee_micro=40_000)))

    account.use(A, figures(1_000))
    account.bill("2026-02")

    assert [line.figures.fee_micro for line in account.statements[0].lines] == [41_000]


def test_a_line_taken_off_is_billed_by_no_other_statement() -> None:
    account = Account()
    account.use(A, figures(50_000))
    account.use(B, figures(1_000))
    account.bill("2026-02")
    account.by_hand(0, lambda statement: lines.remove(statement, 1))
    account.bill("2026-02")
    account.bill("2026-03")

    assert [each.total_micro for each in account.statements] == [1_000]


def test_merged_lines_add_up_and_go_on_growing() -> None:
    tagged = ("2026-02", "A100", "t")
    account = Account()
    account.use(A, figures(50_000, count=5))
    account.use(tagged, figures(1_000))
    account.bill("2026-02")
    account.by_hand(0, lambda statement: lines.merge(statement, [1, 2]))

    account.use(tagged, figures(500))
    account.bill("2026-02")

    (line,) = account.statements[0].shown_lines
    assert (line.figures.fee_micro, line.figures.count, line.tag) == (51_500, 7, "")
    assert covered_by(account.statements) == account.usage


def test_lines_of_different_products_are_not_merged() -> None:
    made = made_of({A: figures(1), B: figures(2)})

    for numbers in ([1, 2], [1], [1, 1]):
        with pytest.raises(MtRefused):
            lines.merge(made, numbers)


def test_a_line_added_by_hand_stands_for_no_usage() -> None:
    made = lines.add(made_of({A: figures(1)}), lines.Edit(item="SETUP", charged=2, price_micro=500), AT)

    assert made.total_micro == 1_001
    assert covered_by([made]) == {A: figures(1)}


def test_lines_of_a_confirmed_statement_stay_as_they_are() -> None:
    confirmed = replace(made_of({A: figures(1)}), state=State.CONFIRMED)

    for change in (
        lambda: lines.edit(confirmed, 1, lines.Edit(item="A100")),
        lambda: lines.remove(confirmed, 1),
        lambda: lines.add(confirmed, lines.Edit(item="X"), AT),
        lambda: lines.merge(confirmed, [1, 1]),
    ):
        with pytest.raises(MtRefused):
            change()
    with pytest.raises(ValueError, match="takes no usage"):
        fill(confirmed, differences({B: figures(1)}, {}, "2026-02", {}), AT)


def test_a_number_names_account_and_month() -> None:
    assert statement_no(7, "2026-02") == "202602-7"


KEYS = st.tuples(st.sampled_from(MONTHS[:3]), st.sampled_from(("A100", "B200")), st.sampled_from(("", "t")))
SOME = st.builds(
    Figures,
    count=st.integers(-3, 50),
    free=st.integers(0, 5),
    charged=st.integers(0, 50),
    fee_micro=st.integers(-5_000, 1_000_000),
    cost_micro=st.integers(0, 1_000),
)
DEATHS = st.none() | st.integers(0, 30)
"""After how many turns a process dies; None: it does not."""
STEPS = st.one_of(
    st.tuples(st.just("use"), KEYS, SOME),
    st.tuples(st.just("bill"), st.sampled_from(MONTHS), DEATHS),
    st.tuples(st.sampled_from(list(To)), st.integers(0, 5)),
    st.tuples(st.sampled_from(["edit", "remove", "add", "merge"]), st.integers(0, 5), st.integers(0, 4)),
)


def by_hand(what: str, which: int) -> Callable[[Statement], Statement]:
    def change(statement: Statement) -> Statement:
        shown = [line.no for line in statement.shown_lines] or [1]
        no = shown[which % len(shown)]
        changes = {
            "edit": lambda: lines.edit(statement, no, lines.Edit(item="A100", fee_micro=777)),
            "remove": lambda: lines.remove(statement, no),
            "add": lambda: lines.add(statement, lines.Edit(item="X", fee_micro=1_000), AT),
            "merge": lambda: lines.merge(statement, shown[which:]),
        }
        return changes[what]()

    return change


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_all_usage_is_billed_once_to_the_micro_unit(steps: list[tuple[Any, ...]]) -> None:
    account = Account()
    for step in steps:
        match step:
            case ("use", key, some):
                account.use(key, some)
            case ("bill", month, dies_after):
                account.bill(month, dies_after)
            case (To() as to, place) if account.statements:
                account.by_hand(place % len(account.statements), partial(move, to=to, at=AT))
            case (str() as what, place, which) if account.statements:
                account.by_hand(place % len(account.statements), by_hand(what, which))

    account.bill(MONTHS[-1])

    live = [statement for statement in account.statements if statement.state != State.DELETED]
    if not (stuck := [each for each in live if each.month == MONTHS[-1] and each.state > State.CHECKED]):
        stuck = [each for each in live if each.month == MONTHS[-1] and each.state == State.INVALID]
    if stuck:
        # The last month's is fixed: what came in after it waits for the month after.
        account.bill("2026-05")
        live = [statement for statement in account.statements if statement.state != State.DELETED]
    covered = {key: some for key, some in covered_by(live).items() if some}
    assert covered == {key: some for key, some in account.usage.items() if some}
    for statement in live:
        by_hands = sum(
            line.billed_micro - sum(each.figures.fee_micro for each in line.covers) for line in statement.lines
        )
        fees = sum(each.figures.fee_micro for line in statement.lines for each in line.covers)
        assert statement.total_micro == fees + by_hands
        assert len({line.no for line in statement.lines}) == len(statement.lines)
