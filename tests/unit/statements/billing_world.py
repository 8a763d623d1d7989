"""Billing and payments in memory: the code that MongoDB serves, with turns between its writes.

What is kept is kept as MongoDB keeps it, and each write is atomic. Before and after each of
them anybody else may come, and a process may die: `at_once` says who, and when.
"""

from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

import msgspec

from handlers.statements.making import differences, fill, statement_no
from handlers.statements.moves import To, move
from handlers.statements.statement import (
    OPEN_TO_CHANGE,
    OWED,
    Figures,
    Key,
    Overdraft,
    PaymentState,
    State,
    Statement,
    Usage,
    covered_by,
)
from handlers.usage.prices import price_book, wallet_key
from schemas.mt.codes import MtRefused
from stores.mongo import Document
from stores.mt.billing_steps import Head, bill_in
from stores.mt.payment_steps import AuditState, Payment, approve_in, credits_by_wallet, debt_micro, settle_in
from stores.mt.price_book import accounts_of, wallets_of
from stores.mt.statements import CLOCK, change_in, to_document, to_statement
from stores.mt.whose import Whose, whose_of

AT = datetime(2026, 3, 1, tzinfo=UTC)
DEPT = 7
T = TypeVar("T")


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


# ---- turns ----------------------------------------------------------------------------------------------------------


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


# ---- the store ------------------------------------------------------------------------------------------------------


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


# ---- an account of which everything is known -------------------------------------------------------------------------


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


# ---- customers, wallets, a rater, payments --------------------------------------------------------------------------


@dataclass
class Call:
    """As the rater keeps it. `wallet_id` None: it is not rated."""

    dept_id: int
    key: Key
    fee_micro: int
    wallet_id: int | None = None


ACCOUNTS: tuple[Document, ...] = (
    {"_id": 7, "merchant_id": 1},
    {"_id": 70, "merchant_id": 1, "app_code": "shop", "app_id": "a-70"},
    {"_id": 8, "merchant_id": 2, "app_code": "news", "app_id": "a-8"},
)
WALLETS: tuple[Document, ...] = (
    # Before the default one, or never: what an account was charged from does not change under its statements.
    {"wallet_id": 11, "merchant_id": 1, "is_default": False, "app_codes": ["shop"]},
    {"wallet_id": 10, "merchant_id": 1, "is_default": True, "app_codes": []},
    {"wallet_id": 20, "merchant_id": 2, "is_default": True, "app_codes": []},
)
LAST_MONTH = "2026-12"
"""In which nothing is used."""


class World:
    """Nothing is known of accounts and wallets at first. `kinds`: how each of `WALLETS` settles."""

    def __init__(self, kinds: Sequence[Overdraft]) -> None:
        self.store = Store()
        self.kinds = {wallet["wallet_id"]: kind for wallet, kind in zip(WALLETS, kinds, strict=True)}
        self.calls: list[Call] = []
        self.store.written = self._check_write

    # What happens.

    def know(self, which: int) -> None:
        account = ACCOUNTS[which % len(ACCOUNTS)]
        self.store.accounts[account["_id"]] = account

    def open(self, which: int) -> None:
        wallet = WALLETS[which % len(WALLETS)]
        there = {each["wallet_id"] for each in self.store.wallets}
        if wallet["wallet_id"] not in there and not (wallet["wallet_id"] == 11 and 10 in there):
            kind = self.kinds[wallet["wallet_id"]]
            document = {**wallet, "_id": wallet_key(wallet["wallet_id"]), "overdraft_state": kind.value}
            self.store.wallets.append(document)

    def call(self, which: int, month: str, item: str, fee_micro: int) -> None:
        call = Call(ACCOUNTS[which % len(ACCOUNTS)]["_id"], (month, item, ""), fee_micro)
        self.calls.append(call)
        self._use(call, Figures(count=1))
        self._rate(call)

    def correct(self, which: int, fee_micro: int) -> None:
        if self.calls and (call := self.calls[which % len(self.calls)]).wallet_id is not None:
            self._use(call, Figures(fee_micro=fee_micro - call.fee_micro))
            call.fee_micro = fee_micro

    def rerate(self) -> None:
        for call in self.calls:
            if call.wallet_id is None:
                self._rate(call)

    def pay(self, which: int, amount_micro: int, told: int | None) -> None:
        """`told`: for which statement, of all."""
        number = f"p{len(self.store.payments)}"
        merchant_id = ACCOUNTS[which % len(ACCOUNTS)]["merchant_id"]
        statements = [each for each in self.store.statements if each.merchant_id == merchant_id]
        named = None if told is None or not statements else statements[told % len(statements)].statement_no
        self.store.payments[number] = Payment(
            id=number,
            payment_no=number,
            merchant_id=merchant_id,
            amount_micro=amount_micro,
            paid_on="2026-03-01",
            told=None if named is None else {named: amount_micro},
            created_at=AT,
        )

    def _rate(self, call: Call) -> None:
        book = price_book(accounts=accounts_of(self.store.accounts.values()), wallets=wallets_of(self.store.wallets))
        account = book.account(call.dept_id)
        call.wallet_id = None if account is None else book.wallet_of(account)
        if call.wallet_id is not None:
            self._use(call, Figures(charged=1, fee_micro=call.fee_micro))

    def _use(self, call: Call, some: Figures) -> None:
        used = self.store.used.setdefault(call.dept_id, {})
        used[call.key] = used.get(call.key, Figures()) + some

    # What somebody does, by turns.

    async def happen(self, what: str, *about: Any) -> None:
        """At one moment, between the turns of others."""
        await Turn()
        getattr(self, what)(*about)

    async def bill(self, which: int, month: str, *, make: bool = True) -> None:
        await bill_in(self.store, ACCOUNTS[which % len(ACCOUNTS)]["_id"], month, CLOCK, AT, make=make)

    async def move(self, to: To, which: int) -> None:
        """Of those that are not confirmed; archiving, of the others."""
        open_to = OPEN_TO_CHANGE if to != To.ARCHIVE else OWED
        if statements := [each for each in self.store.statements if each.state in open_to]:
            number = statements[which % len(statements)].statement_no
            await self._move(to, number)

    async def _move(self, to: To, number: str) -> None:
        await change_in(self.store, number, to, CLOCK, AT, lambda statement: move(statement, to, AT))

    async def sign(self, which: int) -> None:
        """Check and confirm one that is not."""
        if statements := [each for each in self.store.statements if each.state in OPEN_TO_CHANGE]:
            statement = statements[which % len(statements)]
            if statement.state == State.MADE:
                await self._move(To.CHECK, statement.statement_no)
            await self._move(To.CONFIRM, statement.statement_no)

    async def approve(self, which: int) -> None:
        if payments := [each for each in self.store.payments.values() if each.state == AuditState.WAITING]:
            await approve_in(self.store, payments[which % len(payments)], CLOCK, AT)

    async def finish(self) -> None:
        """As the clock does, of payments that were left in the middle."""
        for payment in list(self.store.payments.values()):
            await settle_in(self.store, payment)

    def settle(self) -> None:
        """Everything becomes known, billed, confirmed; what waits for money is not paid yet."""
        for which in range(len(ACCOUNTS)):
            self.know(which)
        for which in range(len(WALLETS)):
            self.open(which)
        self.rerate()
        at_once([Act(self.finish())])
        for which in range(len(ACCOUNTS)):
            at_once([Act(self.bill(which, LAST_MONTH))])
        for _ in self.store.statements:
            at_once([Act(self.sign(0))])
        for _ in self.store.payments:
            at_once([Act(self.approve(0))])

    def pay_all(self) -> None:
        """What is owed, and more."""
        for which in (0, 2):
            self.pay(which, 10**12, None)
            at_once([Act(self.approve(-1))])

    # What a naive program says.

    def check(self) -> None:
        """After `settle`."""
        live = [each for each in self.store.statements if each.state != State.DELETED]
        assert all(each.state in OWED for each in live)
        self._check_billed(live)
        self._check_paid(live)
        for statement in self.store.statements:
            # The last one stands in the statement itself.
            kept = {revision for number, revision in self.store.moves if number == statement.statement_no}
            assert kept | {statement.revision} == set(range(1, statement.revision + 1))
        self.pay_all()
        assert [debt_micro(self.store.open_of(merchant_id)) for merchant_id in (1, 2)] == [0, 0]

    def _check_write(self, before: Statement | None, after: Statement) -> None:
        """At no moment: what was billed too often and taken back a moment later, a customer may have confirmed."""
        for (month, item, tag), some in covered_by(self.store.statements).items():
            used = sum(usage.get((month, item, tag), Figures()).count for usage in self.store.used.values())
            assert some.count <= used
        if before is not None and before.lines != after.lines:
            assert after.applied > before.applied, "a correction is in it twice"

    def _check_billed(self, live: Sequence[Statement]) -> None:
        """Each call in one statement, of its account; its fee with the wallet that was charged for it."""
        for account in ACCOUNTS:
            own = [each for each in live if each.dept_id == account["_id"]]
            naive: dict[Key, Figures] = {}
            for call in self.calls:
                if call.dept_id == account["_id"]:
                    one = Figures(count=1, charged=1, fee_micro=call.fee_micro)
                    naive[call.key] = naive.get(call.key, Figures()) + one
            assert {key: some for key, some in covered_by(own).items() if some} == naive
            assert all(each.merchant_id == account["merchant_id"] for each in own)
        charged, billed = Counter[int | None](), Counter[int | None]()
        for call in self.calls:
            charged[call.wallet_id] += call.fee_micro
        for statement in live:
            billed[statement.wallet_id] += statement.total_micro
        assert {wallet: micro for wallet, micro in billed.items() if micro} == {
            wallet: micro for wallet, micro in charged.items() if micro
        }

    def _check_paid(self, live: Sequence[Statement]) -> None:
        """Nothing is asked for that a wallet has paid; all else is, until it is paid; no payment counts twice."""
        payments = self.store.payments.values()
        assert all(each.state == AuditState.APPROVED and each.settling is None for each in payments)
        given: Counter[str] = Counter()
        for statement in live:
            given.update(statement.payment_shares)
            if statement.wallet_id is None or self.kinds[statement.wallet_id] != Overdraft.MONTHLY:
                assert statement.open_micro == 0
        for payment in payments:
            assert sum(payment.settled.values()) == given[payment.payment_no]
            assert given[payment.payment_no] + (payment.residue_micro or 0) == payment.amount_micro
            assert payment.told is None or set(payment.settled) <= set(payment.told)
            settled = [each for each in live if each.statement_no in payment.settled]
            default = 10 if payment.merchant_id == 1 else 20
            assert sum(credits_by_wallet(payment, settled, default).values()) == payment.amount_micro
        monthly = [call.fee_micro for call in self.calls if self.kinds[call.wallet_id or 0] == Overdraft.MONTHLY]
        assert sum(statement.open_micro for statement in live) == sum(monthly) - given.total()
