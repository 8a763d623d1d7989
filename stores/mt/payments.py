"""Payments on MongoDB."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
from pymongo import ReturnDocument

from handlers.payments import PAYMENTS
from handlers.statements.statement import OWED, PaymentState, Statement
from schemas.mt.access import Scope
from schemas.mt.codes import not_found
from stores.mongo import Database, Document, translated
from stores.mt.pages import find_by
from stores.mt.payment_steps import Payment, approve_in, credits_by_wallet, debt_micro, reject_in, settle_in
from stores.mt.price_book import WALLETS
from stores.mt.statements import STATEMENTS, Actor, MongoRows, to_statement


class MongoTill(MongoRows):
    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._database = database
        self._payments = database[PAYMENTS]

    async def owed(self, merchant_id: int) -> list[Statement]:
        match = {
            "merchant_id": merchant_id,
            "state": {"$in": sorted(OWED)},
            "payment_state": {"$lt": PaymentState.PAID.value},
        }
        with translated():
            found = await self._database[STATEMENTS].find(match).to_list()
        return [to_statement(document) for document in found]

    async def named(self, merchant_id: int, numbers: Collection[str]) -> list[Statement]:
        found = await find_by(self._database, STATEMENTS, "_id", numbers, {"merchant_id": merchant_id})
        return [to_statement(document) for document in found]

    async def go_on(self, seen: Payment, after: Payment) -> Payment | None:
        same = {"state": seen.state.value, "settling": seen.settling, "replanned": seen.replanned}
        with translated():
            document = await self._payments.find_one_and_update(
                {"_id": seen.id, **same}, _change(seen, after), return_document=ReturnDocument.AFTER
            )
        return None if document is None else to_payment(document)

    async def again(self, payment: Payment) -> Payment:
        with translated():
            document = await self._payments.find_one({"_id": payment.id})
        if document is None:
            raise not_found(f"payment {payment.payment_no}")
        return to_payment(document)


class Payments:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._payments = database[PAYMENTS]
        self._till = MongoTill(database)

    async def find(self, scope: Scope, payment_no: str) -> Payment:
        """Refuses not_found."""
        with translated():
            document = await self._payments.find_one({"payment_no": payment_no, **scope.match()})
        if document is None:
            raise not_found(f"payment {payment_no}")
        return to_payment(document)

    async def approve(self, scope: Scope, payment_no: str, actor: Actor, at: datetime) -> Payment:
        """Settle statements with it. Refuses not_found, PAYMENT_STATE, NOT_CONFIRMED."""
        return await approve_in(self._till, await self.find(scope, payment_no), actor, at)

    async def reject(self, scope: Scope, payment_no: str, reason: str | None, actor: Actor, at: datetime) -> Payment:
        """Refuses not_found, PAYMENT_STATE."""
        return await reject_in(self._till, await self.find(scope, payment_no), reason, actor, at)

    async def uncredited(self, limit: int) -> list[Payment]:
        """Approved ones that wallets are to be told of, settled: what was left in the middle is finished first."""
        with translated():
            found = await self._payments.find({"crediting": True}).limit(limit).to_list()
        return [await settle_in(self._till, to_payment(document)) for document in found]

    async def credits(self, payment: Payment) -> dict[int, int]:
        """As `credits_by_wallet`."""
        settled = await self._till.named(payment.merchant_id, payment.settled)
        return credits_by_wallet(payment, settled, await self._default_wallet(payment.merchant_id))

    async def credited(self, payment: Payment) -> None:
        """The wallets were told."""
        with translated():
            await self._payments.update_one({"_id": payment.id}, {"$unset": {"crediting": ""}})

    async def debt_micro(self, merchant_id: int) -> int:
        """What a customer still has to pay."""
        return debt_micro(await self._till.owed(merchant_id))

    async def _default_wallet(self, merchant_id: int) -> int | None:
        with translated():
            wallets = await self._database[WALLETS].find({"merchant_id": merchant_id, "is_default": True}).to_list()
        return next((int(wallet["wallet_id"]) for wallet in wallets if wallet.get("deleted_at") is None), None)


def to_payment(document: Mapping[str, Any]) -> Payment:
    return msgspec.convert(document, Payment)


def _change(before: Payment, after: Payment) -> Document:
    """The fields that differ: others write the rest of the document."""
    was, now = _fields(before), _fields(after)
    differing = {name: value for name, value in now.items() if was[name] != value}
    sets = {name: value for name, value in differing.items() if value is not None}
    unsets = dict.fromkeys(set(differing) - set(sets), "")
    return {operator: fields for operator, fields in (("$set", sets), ("$unset", unsets)) if fields}


def _fields(payment: Payment) -> Document:
    document: Document = msgspec.to_builtins(payment, builtin_types=(datetime,))
    return document
