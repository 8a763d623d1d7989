"""An account that settles by the month, and its statements, by the code that bills; without MongoDB."""

from collections.abc import Callable
from datetime import UTC, datetime

from billing_store import Act, Store, at_once

from handlers.statements.making import differences, fill, statement_no
from handlers.statements.statement import Figures, Key, Overdraft, Statement
from stores.mt.billing_steps import bill_in
from stores.mt.statements import CLOCK, change_in

AT = datetime(2026, 3, 1, tzinfo=UTC)
DEPT = 7


def blank(month: str = "2026-02", *, overdraft: Overdraft = Overdraft.MONTHLY, number: int = 1) -> Statement:
    return Statement(
        statement_no=statement_no(DEPT, month, number),
        id=number,
        merchant_id=1,
        dept_id=DEPT,
        month=month,
        overdraft=overdraft,
        made_at=AT,
    )


def figures(fee_micro: int, count: int = 1) -> Figures:
    return Figures(count=count, charged=count, fee_micro=fee_micro, cost_micro=fee_micro // 3)


def made_of(usage: dict[Key, Figures], statement: Statement | None = None) -> Statement:
    """A statement of some usage."""
    statement = statement or blank()
    return fill(statement, differences(usage, {}, statement.month, {}), AT)


class Account:
    """An account that settles by the month: usage that comes in, and its statements."""

    def __init__(self) -> None:
        self.store = Store()
        self.store.accounts[DEPT] = {"_id": DEPT, "merchant_id": 1}
        self.store.wallets.append(
            {"_id": "1", "wallet_id": 1, "merchant_id": 1, "is_default": True, "overdraft_state": Overdraft.MONTHLY}
        )

    @property
    def usage(self) -> dict[Key, Figures]:
        return self.store.used.setdefault(DEPT, {})

    @property
    def statements(self) -> list[Statement]:
        return self.store.statements

    def use(self, key: Key, some: Figures) -> None:
        self.usage[key] = self.usage.get(key, Figures()) + some

    def bill(self, month: str, dies_after: int | None = None) -> None:
        at_once([Act(bill_in(self.store, DEPT, month, CLOCK, AT), dies_after)])

    def by_hand(self, place: int, how: Callable[[Statement], Statement]) -> None:
        """Change a statement; what refuses to be changed stays."""
        number = self.statements[place].statement_no
        at_once([Act(change_in(self.store, number, "change", CLOCK, AT, how))])
