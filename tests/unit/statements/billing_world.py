"""An account with usage and statements, as the store keeps them; without a store."""

from datetime import UTC, datetime

from msgspec.structs import replace

from handlers.statements.making import differences, fill, statement_no
from handlers.statements.statement import OPEN_TO_CHANGE, Figures, Key, Overdraft, State, Statement, covered_by

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
    """Usage that comes in, and what `stores.mt.billing` does with it."""

    def __init__(self) -> None:
        self.usage: dict[Key, Figures] = {}
        self.statements: list[Statement] = []

    def use(self, key: Key, some: Figures) -> None:
        self.usage[key] = self.usage.get(key, Figures()) + some

    def bill(self, month: str) -> None:
        """Correct what is not confirmed, the oldest first; then make the month's where there is none."""
        for place, statement in enumerate(self.statements):
            if statement.state in OPEN_TO_CHANGE and statement.month <= month:
                found = differences(self.usage, covered_by(self.statements), statement.month, {})
                self.statements[place] = fill(statement, found, AT)
        of_month = [statement for statement in self.statements if statement.month == month]
        found = differences(self.usage, covered_by(self.statements), month, {})
        if found and all(statement.state == State.DELETED for statement in of_month):
            new = replace(blank(month, number=len(of_month) + 1), id=len(self.statements) + 1)
            self.statements.append(fill(new, found, AT))
            self.statements.sort(key=lambda statement: (statement.month, statement.id))
