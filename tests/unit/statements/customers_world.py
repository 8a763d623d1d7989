"""Customers, their accounts and wallets, a rater, operators and payments: around the code that bills, and in memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from billing_store import Act, Store, Turn, at_once
from billing_world import AT

from handlers.statements.moves import To, move
from handlers.statements.statement import OPEN_TO_CHANGE, OWED, Figures, Key, Overdraft, State, Statement, covered_by
from handlers.usage.prices import price_book, wallet_key
from stores.mongo import Document
from stores.mt.billing_steps import bill_in
from stores.mt.payment_steps import AuditState, Payment, approve_in, credits_by_wallet, debt_micro, settle_in
from stores.mt.price_book import accounts_of, wallets_of
from stores.mt.statements import CLOCK, change_in


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
