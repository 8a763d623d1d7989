"""Recharge orders, and which payment pays which.

A payment is a fact and is kept whatever it is for. What it pays is decided after that, by comparing
and setting: an order is paid by one payment. One that pays no open order of its amount is
set aside, shown to operators, and may be put into a wallet by hand.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import IntEnum

import msgspec
import structlog
from pymongo import ReturnDocument

from handlers.outcome import EMITTED_BY
from handlers.wallets import RECHARGE_PAYMENTS
from schemas.errors import Refused
from schemas.events import Event
from schemas.mt.access import Scope
from schemas.wallet import WalletRecharged
from stores.mongo import Database, translated
from stores.mt.wallet_watch import Publishes

log = structlog.get_logger()

RECHARGE_ORDERS = "recharge_orders"
LATE = timedelta(days=1)
"""How long after its end an order still takes a payment that was made in time, or nearly."""


class OrderState(IntEnum):
    """The contract lists no codes."""

    WAITING = 0
    PAID = 10


class Order(msgspec.Struct, frozen=True, rename={"pay_no": "_id"}, kw_only=True):
    pay_no: str
    merchant_id: int
    wallet_id: int
    amount_micro: int
    pay_method: str | None = None
    state: int = OrderState.WAITING
    payment: str | None = None
    """`_id` of the payment that paid it."""
    created_by: int
    created_at: datetime
    expires_at: datetime


class Payment(msgspec.Struct, frozen=True, rename={"id": "_id"}, kw_only=True):
    """`state`: new, credited, or set_aside for a `reason`."""

    id: str
    pay_no: str
    payment_no: str
    amount_micro: int
    paid_at: datetime
    pay_method: str | None = None
    at: datetime
    state: str
    reason: str | None = None
    wallet_id: int | None = None


async def open_order(
    database: Database,
    *,
    merchant_id: int,
    wallet_id: int,
    amount_micro: int,
    pay_method: str | None,
    by: int,
    at: datetime,
    lasting: timedelta,
) -> Order:
    """An order under a number that cannot be guessed. Raises StoreAway."""
    order = Order(
        pay_no=f"R{at:%Y%m%d%H%M%S}{secrets.token_hex(8)}",
        merchant_id=merchant_id,
        wallet_id=wallet_id,
        amount_micro=amount_micro,
        pay_method=pay_method,
        created_by=by,
        created_at=at,
        expires_at=at + lasting,
    )
    with translated():
        await database[RECHARGE_ORDERS].insert_one(msgspec.to_builtins(order, builtin_types=(datetime,)))
    return order


async def find_order(database: Database, scope: Scope, pay_no: str) -> Order | None:
    """Raises StoreAway."""
    with translated():
        found = await database[RECHARGE_ORDERS].find_one({"_id": pay_no, **scope.match()})
    return None if found is None else msgspec.convert(found, Order)


async def settle_payment(database: Database, publisher: Publishes, payment_id: str) -> Payment | None:
    """Let a payment pay its order, or set it aside. Safe to repeat. Raises StoreAway and BrokerAway."""
    payment = await find_payment(database, payment_id)
    if payment is None or payment.state != "new":
        return payment
    order, reason = await _claim(database, payment)
    if order is None:
        log.warning("recharge_payment_set_aside", payment=payment.payment_no, order=payment.pay_no, reason=reason)
        return await _decided(database, payment, {"state": "set_aside", "reason": reason})
    await publisher.publish([_recharge(payment, order.wallet_id, order.pay_no, f"customer/{order.merchant_id}")])
    return await _decided(database, payment, {"state": "credited", "wallet_id": order.wallet_id})


async def credit_by_hand(database: Database, publisher: Publishes, payment_id: str, wallet_id: int, by: str) -> Payment:
    """Put a payment that was set aside into a wallet. Refuses not_found and conflict. Safe to repeat.

    Raises StoreAway and BrokerAway.
    """
    with translated():
        found = await database[RECHARGE_PAYMENTS].find_one_and_update(
            # Once it is decided which wallet gets it, it is that one: a repeat finishes what was begun.
            {"_id": payment_id, "state": {"$in": ["set_aside", "credited"]}, "wallet_id": {"$in": [None, wallet_id]}},
            {"$set": {"wallet_id": wallet_id}},
            return_document=ReturnDocument.AFTER,
        )
    if found is None:
        payment = await find_payment(database, payment_id)
        if payment is None:
            raise Refused("not_found", f"there is no payment {payment_id}")
        raise Refused("conflict", f"payment {payment_id} is {payment.state}, into wallet {payment.wallet_id}")
    payment = msgspec.convert(found, Payment)
    await publisher.publish([_recharge(payment, wallet_id, payment.pay_no, by)])
    await _decided(database, payment, {"state": "credited"})
    return msgspec.structs.replace(payment, state="credited")


async def find_payment(database: Database, payment_id: str) -> Payment | None:
    """Raises StoreAway."""
    with translated():
        found = await database[RECHARGE_PAYMENTS].find_one({"_id": payment_id})
    return None if found is None else msgspec.convert(found, Payment)


async def set_aside(database: Database, limit: int) -> Sequence[Payment]:
    """Payments that pay no order, the oldest first. Raises StoreAway."""
    with translated():
        found = await database[RECHARGE_PAYMENTS].find({"state": "set_aside"}).sort("at", 1).limit(limit).to_list()
    return [msgspec.convert(document, Payment) for document in found]


async def _claim(database: Database, payment: Payment) -> tuple[Order | None, str]:
    """The order, paid by this payment from now on; or why it is not."""
    order = await find_order(database, Scope(None), payment.pay_no)
    if order is None:
        return None, "unknown_order"
    if order.amount_micro != payment.amount_micro:
        return None, "wrong_amount"
    if order.payment is None and payment.paid_at > order.expires_at + LATE:
        return None, "closed_order"
    with translated():
        found = await database[RECHARGE_ORDERS].find_one_and_update(
            {"_id": order.pay_no, "payment": {"$in": [None, payment.id]}},
            {"$set": {"state": OrderState.PAID.value, "payment": payment.id}},
            return_document=ReturnDocument.AFTER,
        )
    return (None, "paid_already") if found is None else (msgspec.convert(found, Order), "")


async def _decided(database: Database, payment: Payment, sets: dict[str, object]) -> Payment | None:
    with translated():
        await database[RECHARGE_PAYMENTS].update_one({"_id": payment.id, "state": payment.state}, {"$set": sets})
    return await find_payment(database, payment.id)


def _recharge(payment: Payment, wallet_id: int, order_no: str, by: str) -> Event:
    payload = WalletRecharged(
        wallet_id=wallet_id,
        amount_micro=payment.amount_micro,
        recharge_no=payment.payment_no,
        pay_method=payment.pay_method,
        order_no=order_no,
        by=by,
    )
    return Event(
        id=f"payment/{payment.id}",
        source=EMITTED_BY,
        type="wallet.recharged",
        subject=str(wallet_id),
        time=payment.at,
        data=msgspec.json.encode(payload),
    )
