"""Payments received: an operator approves or rejects each, and an approved one settles statements.

What it settles is planned with the approval, and written into each statement after it.
Where others came first there is something left: it is planned anew for what is still open,
and the longer plan is kept before any of it is given. What nothing open is left for is the
customer's. Steps that were left in the middle by a process that died are finished by the clock.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from functools import partial
from typing import Any

import msgspec
from pymongo import ReturnDocument

from handlers.payments import PAYMENTS
from handlers.statements.shares import settle, spread_payment
from handlers.statements.statement import OPEN_TO_CHANGE, OWED, PaymentState, Statement
from schemas.mt.access import Scope
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.statement_codes import NOT_CONFIRMED, PAYMENT_STATE
from stores.mongo import Database, Document, translated
from stores.mt.pages import find_by
from stores.mt.price_book import WALLETS
from stores.mt.statements import STATEMENTS, Actor, Statements, to_statement


class AuditState(IntEnum):
    """As the contract's."""

    REJECTED = -10
    WAITING = 0
    APPROVED = 10


class Payment(msgspec.Struct, frozen=True, rename={"id": "_id"}, kw_only=True):
    id: str
    payment_no: str
    merchant_id: int
    amount_micro: int
    paid_on: str
    """`yyyy-MM-dd`."""
    state: AuditState = AuditState.WAITING
    told: Mapping[str, int] | None = None
    """By statement number what it is for, where whoever paid has said so."""
    plan: Mapping[str, int] = msgspec.field(default_factory=dict)
    """By statement number what it settles at most; never taken back."""
    replanned: int | None = None
    """How often there was more to settle than planned. Whoever goes on with a plan compares it."""
    settled: Mapping[str, int] = msgspec.field(default_factory=dict)
    residue_micro: int | None = None
    after_debt_micro: int | None = None
    settling: bool | None = None
    """Approved, and not through yet."""
    crediting: bool | None = None
    """Approved, and the wallets were not told yet."""
    certificates: tuple[str, ...] = ()
    remark: str | None = None
    reject_reason: str | None = None
    created_by: int | None = None
    created_at: datetime
    audited_at: datetime | None = None
    audited_by: str = ""
    audited_name: str = ""
    modified_at: datetime | None = None
    royalty_rate: float | None = None
    royalty_micro: int | None = None


class Payments:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._payments = database[PAYMENTS]
        self._statements = Statements(database)

    async def find(self, scope: Scope, payment_no: str) -> Payment:
        """Refuses not_found."""
        with translated():
            document = await self._payments.find_one({"payment_no": payment_no, **scope.match()})
        if document is None:
            raise not_found(f"payment {payment_no}")
        return to_payment(document)

    async def approve(self, scope: Scope, payment_no: str, actor: Actor, at: datetime) -> Payment:
        """Settle statements with it. Refuses not_found, PAYMENT_STATE, NOT_CONFIRMED."""
        payment = await self.find(scope, payment_no)
        # Before what is owed is read: so a named one that passes here is among it.
        await self._require_confirmed(payment)
        plan = spread_payment(await self._owed(payment.merchant_id), payment.amount_micro, payment.told)
        return await self._settle(
            await self._audit(
                payment,
                actor,
                at,
                {"state": AuditState.APPROVED.value, "plan": plan, "settling": True, "crediting": True},
            )
        )

    async def reject(self, scope: Scope, payment_no: str, reason: str | None, actor: Actor, at: datetime) -> Payment:
        """Refuses not_found, PAYMENT_STATE."""
        payment = await self.find(scope, payment_no)
        return await self._audit(payment, actor, at, {"state": AuditState.REJECTED.value, "reject_reason": reason})

    async def uncredited(self, limit: int) -> list[Payment]:
        """Approved ones that wallets are to be told of, settled: what was left in the middle is finished first."""
        with translated():
            found = await self._payments.find({"crediting": True}).limit(limit).to_list()
        payments = [to_payment(document) for document in found]
        return [await self._settle(payment) if payment.settling else payment for payment in payments]

    async def credits(self, payment: Payment) -> dict[int, int]:
        """By wallet what a payment brings it: what settles a statement to the wallet that was charged for it, the
        rest to the customer's default one. Empty where there are no wallets: then none was charged.
        """
        wallets: dict[int, int] = {}
        found = await find_by(self._database, STATEMENTS, "_id", payment.settled)
        default = await self._default_wallet(payment.merchant_id)
        parts = [(to_statement(each).wallet_id, payment.settled[each["_id"]]) for each in found]
        for wallet_id, micro in (*parts, (default, payment.residue_micro or 0)):
            to = default if wallet_id is None else wallet_id
            if to is not None and micro > 0:
                wallets[to] = wallets.get(to, 0) + micro
        return wallets

    async def credited(self, payment: Payment) -> None:
        """The wallets were told."""
        with translated():
            await self._payments.update_one({"_id": payment.id}, {"$unset": {"crediting": ""}})

    async def _default_wallet(self, merchant_id: int) -> int | None:
        with translated():
            wallets = await self._database[WALLETS].find({"merchant_id": merchant_id, "is_default": True}).to_list()
        return next((int(wallet["wallet_id"]) for wallet in wallets if wallet.get("deleted_at") is None), None)

    async def debt_micro(self, merchant_id: int) -> int:
        """What a customer still has to pay."""
        return sum(max(0, statement.open_micro) for statement in await self._owed(merchant_id))

    async def _owed(self, merchant_id: int) -> list[Statement]:
        match = {
            "merchant_id": merchant_id,
            "state": {"$in": sorted(OWED)},
            "payment_state": {"$lt": PaymentState.PAID.value},
        }
        with translated():
            found = await self._database[STATEMENTS].find(match).to_list()
        return [to_statement(document) for document in found]

    async def _audit(self, payment: Payment, actor: Actor, at: datetime, change: Document) -> Payment:
        audited = {"audited_at": at, "modified_at": at, "audited_by": actor.by, "audited_name": actor.name}
        with translated():
            document = await self._payments.find_one_and_update(
                {"_id": payment.id, "state": AuditState.WAITING.value},
                {"$set": {**change, **audited}},
                return_document=ReturnDocument.AFTER,
            )
        if document is None:
            raise MtRefused(PAYMENT_STATE, f"payment {payment.payment_no} was audited already")
        return to_payment(document)

    async def _require_confirmed(self, payment: Payment) -> None:
        """Money for a statement that may still change would settle nothing, for good."""
        named = await find_by(
            self._database, STATEMENTS, "_id", payment.told or (), {"merchant_id": payment.merchant_id}
        )
        early = [each["_id"] for each in named if each["state"] in OPEN_TO_CHANGE]
        if early and payment.state == AuditState.WAITING:
            raise MtRefused(NOT_CONFIRMED, f"statement {min(early)} is not confirmed yet")

    async def _settle(self, payment: Payment) -> Payment:
        """Write what was planned. Safe to repeat, and for two at once: each part is given once, whoever gives it."""
        while payment.settling:
            settled = await self._given(payment)
            rest = payment.amount_micro - sum(settled.values())
            more = await self._more(payment, rest)
            if more:
                change: Document = {"$set": {"plan": {**payment.plan, **more}}, "$inc": {"replanned": 1}}
            else:
                through = {
                    "settled": settled,
                    "residue_micro": rest,
                    "after_debt_micro": await self.debt_micro(payment.merchant_id),
                }
                change = {"$set": through, "$unset": {"settling": ""}}
            payment = await self._go_on(payment, change)
        return payment

    async def _given(self, payment: Payment) -> dict[str, int]:
        """By statement number what the plan came to; a part that was given stays what it is."""
        given: dict[str, int] = {}
        at = payment.audited_at or payment.created_at
        for number, at_most in payment.plan.items():
            statement = await self._statements.change(
                number,
                "settle",
                Actor(payment.audited_by, payment.audited_name),
                at,
                partial(settle, payment=payment.payment_no, at_most_micro=at_most),
            )
            if share := statement.payment_shares[payment.payment_no]:
                given[number] = share
        return given

    async def _more(self, payment: Payment, rest_micro: int) -> dict[str, int]:
        """What else the rest is for, where nobody has said what it is for."""
        if rest_micro == 0 or payment.told is not None:
            return {}
        owed = await self._owed(payment.merchant_id)
        return spread_payment((each for each in owed if each.statement_no not in payment.plan), rest_micro)

    async def _go_on(self, payment: Payment, change: Document) -> Payment:
        """The payment after the change; as it is now, where somebody else went on with it."""
        with translated():
            document = await self._payments.find_one_and_update(
                {"_id": payment.id, "settling": True, "replanned": payment.replanned},
                change,
                return_document=ReturnDocument.AFTER,
            ) or await self._payments.find_one({"_id": payment.id})
        if document is None:
            raise not_found(f"payment {payment.payment_no}")
        return to_payment(document)


def to_payment(document: Mapping[str, Any]) -> Payment:
    return msgspec.convert(document, Payment)
