"""A store in memory for billing and payments, with turns between its writes.

What is kept is kept as MongoDB keeps it, and each write is atomic. Before and after each of
them anybody else may come, and a process may die: `at_once` says who, and when.
"""

from collections.abc import Callable, Collection, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, TypeVar

import msgspec

from handlers.statements.statement import OPEN_TO_CHANGE, OWED, Figures, Key, PaymentState, Statement, Usage
from schemas.mt.codes import MtRefused
from stores.mongo import Document
from stores.mt.billing_steps import Head
from stores.mt.payment_steps import AuditState, Payment, debt_micro
from stores.mt.statements import to_document, to_statement
from stores.mt.whose import Whose, whose_of

T = TypeVar("T")


class Turn:
    """A moment at which anybody else may run, and whoever waits may die."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass
class Act:
    """Something that somebody does. `dies_after`: so many turns, where it does not come to its end."""

    coroutine: Coroutine[Any, Any, Any]
    dies_after: int | None = None


def at_once(acts: Sequence[Act], order: Random | None = None) -> None:
    """Let all run to their end, or death, by turns. What is refused is over."""
    alive = list(acts)
    while alive:
        act = alive[0] if order is None else order.choice(alive)
        if act.dies_after == 0:
            act.coroutine.close()
            alive.remove(act)
            continue
        try:
            act.coroutine.send(None)
        except (StopIteration, MtRefused):
            alive.remove(act)
        else:
            act.dies_after = None if act.dies_after is None else act.dies_after - 1


class Store:
    """`Books` and `Till` in memory."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.moves: set[tuple[str, int]] = set()
        self.heads: dict[int, Document] = {}
        self.used: dict[int, dict[Key, Figures]] = {}
        self.accounts: dict[int, Document] = {}
        self.wallets: list[Document] = []
        self.payments: dict[str, Payment] = {}
        self.written: Callable[[Statement | None, Statement], None] = lambda _before, _after: None
        """Told of each write of a statement."""
        self.confirming = False
        """Whether somebody confirms statements at the same moment: what a payment has looked at may not be all."""
        self._ids = 0

    @property
    def statements(self) -> list[Statement]:
        """Oldest first, deleted ones too."""
        found = [to_statement(document) for document in self.documents.values()]
        return sorted(found, key=lambda statement: (statement.month, statement.id))

    async def statement(self, statement_no: str) -> Statement | None:
        return await self._one(
            lambda: to_statement(self.documents[statement_no]) if statement_no in self.documents else None
        )

    async def add(self, statement: Statement) -> bool:
        def write() -> bool:
            if statement.statement_no in self.documents:
                return False
            self.documents[statement.statement_no] = to_document(statement)
            self.written(None, statement)
            return True

        return await self._one(write)

    async def put(self, statement: Statement) -> bool:
        def write() -> bool:
            before = self.statement_of(statement.statement_no)
            if before.revision != statement.revision - 1:
                return False
            self.documents[statement.statement_no] = to_document(statement)
            self.written(before, statement)
            return True

        return await self._one(write)

    async def keep_move(self, statement: Statement) -> None:
        await self._one(lambda: self.moves.add((statement.statement_no, statement.revision)))

    async def head(self, dept_id: int) -> Head:
        return await self._one(
            lambda: msgspec.convert(self.heads[dept_id], Head) if dept_id in self.heads else Head(dept_id=dept_id)
        )

    async def claim(self, head: Head) -> bool:
        def write() -> bool:
            if self.heads.get(head.dept_id, {}).get("revision", 0) != head.revision - 1:
                return False
            self.heads[head.dept_id] = msgspec.to_builtins(head, builtin_types=(datetime,))
            return True

        return await self._one(write)

    async def close(self, dept_id: int, revision: int) -> None:
        def write() -> None:
            if self.heads[dept_id]["revision"] == revision:
                self.heads[dept_id]["pending"] = None

        await self._one(write)

    async def statements_of(self, dept_id: int) -> list[Statement]:
        return await self._one(lambda: [each for each in self.statements if each.dept_id == dept_id])

    async def usage(self, dept_id: int) -> Usage:
        return await self._one(lambda: dict(self.used.get(dept_id, {})))

    async def whose(self, dept_id: int) -> Whose | None:
        def read() -> Whose | None:
            account = self.accounts.get(dept_id)
            if account is None:
                return None
            own = [wallet for wallet in self.wallets if wallet["merchant_id"] == account["merchant_id"]]
            return whose_of(account, {}, own)

        return await self._one(read)

    async def names(self, items: Collection[str]) -> Mapping[str, str]:
        return {}

    async def next_id(self) -> int:
        def write() -> int:
            self._ids += 1
            return self._ids

        return await self._one(write)

    async def owed(self, merchant_id: int) -> list[Statement]:
        return await self._one(lambda: self.open_of(merchant_id))

    async def named(self, merchant_id: int, numbers: Collection[str]) -> list[Statement]:
        return await self._one(
            lambda: [
                each for each in self.statements if each.statement_no in numbers and each.merchant_id == merchant_id
            ]
        )

    async def go_on(self, seen: Payment, after: Payment) -> Payment | None:
        def write() -> Payment | None:
            now = self.payments[seen.id]
            if (now.state, now.settling, now.replanned) != (seen.state, seen.settling, seen.replanned):
                return None
            self._check_turn(seen, after)
            self.payments[seen.id] = after
            return after

        return await self._one(write)

    async def again(self, payment: Payment) -> Payment:
        return await self._one(lambda: self.payments[payment.id])

    def _check_turn(self, seen: Payment, after: Payment) -> None:
        """Whatever a payment has left, nothing is open that it is for, nor will be."""
        if seen.state == AuditState.WAITING:
            assert all(self.statement_of(number).state not in OPEN_TO_CHANGE for number in after.told or ())
        if after.settling is None and after.told is None and after.residue_micro and not self.confirming:
            assert debt_micro(self.open_of(after.merchant_id)) == 0

    def statement_of(self, number: str) -> Statement:
        return to_statement(self.documents[number])

    def open_of(self, merchant_id: int) -> list[Statement]:
        return [
            each
            for each in self.statements
            if each.merchant_id == merchant_id and each.state in OWED and each.payment_state < PaymentState.PAID
        ]

    @staticmethod
    async def _one(effect: Callable[[], T]) -> T:
        await Turn()
        found = effect()
        await Turn()
        return found
