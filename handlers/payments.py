"""Payments received are kept as they come in, each once; what becomes of them is decided by an operator."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from handlers.outcome import Fact, Outcome
from schemas.events import Event
from schemas.payment import PaymentReceived
from schemas.wallet import WalletRecharged

PAYMENTS = "payments"
SOURCE = "payments"
READABLE = re.compile(r"[A-Za-z0-9_-]{1,48}")


def payment_no(event: Event) -> str:
    """The number that people and statements know a payment by: that of where it comes from, told apart by source.

    It is a name within statements, and a part of paths: letters, digits, `_` and `-`.
    """
    digest = hashlib.sha256(event.identity.encode()).hexdigest()
    return f"{event.id}-{digest[:8]}" if READABLE.fullmatch(event.id) else digest[:32]


def keep_payment(event: Event, payment: PaymentReceived) -> Outcome:
    told = payment.statements
    body: dict[str, Any] = {
        "payment_no": payment_no(event),
        "merchant_id": payment.merchant_id,
        "amount_micro": payment.amount_micro,
        "paid_on": payment.paid_on.isoformat(),
        "state": 0,
        "told": None if told is None else {each.statement_no: each.amount_micro for each in told},
        "certificates": list(payment.certificates),
        "remark": payment.remark,
        "created_by": payment.created_by,
        "created_at": event.time,
    }
    return Outcome(Fact(PAYMENTS, {name: value for name, value in body.items() if value is not None}))


def credits_of(number: str, wallets: Mapping[int, int], at: datetime) -> list[Event]:
    """The money that a payment brings to wallets, as facts: the same ones, by number, whenever they are told.

    `wallets`: micro-units by wallet.
    """
    return [
        Event(
            id=f"{number}/{wallet_id}",
            source=SOURCE,
            type="wallet.recharged",
            subject=str(wallet_id),
            time=at,
            data=msgspec.json.encode(
                WalletRecharged(
                    wallet_id=wallet_id,
                    amount_micro=micro,
                    recharge_no=f"payment/{number}/{wallet_id}",
                    method="manual",
                    by=SOURCE,
                    remark=f"payment {number}",
                )
            ),
        )
        for wallet_id, micro in sorted(wallets.items())
    ]
