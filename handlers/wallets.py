"""Wallets: what comes in, goes out and moves on, each folded into its wallet and entered in the ledger.

The fact of a movement is its entry in the ledger: written once under the number that the
outside world gave it. Balances are sums, so it does not matter that calls are charged to
the same documents from another log.
"""

import msgspec

from handlers import ledger
from handlers.effects import Change, Effect, FieldEffect, Inc, Max, Set
from handlers.ledger import LEDGER, Entry
from handlers.outcome import Fact, Outcome
from handlers.usage.prices import wallet_key
from handlers.usage.totals import WALLETS, quoted
from schemas.events import Event
from schemas.wallet import (
    RechargePaid,
    WalletConfigured,
    WalletMerged,
    WalletRecharged,
    WalletRefunded,
    WalletSwept,
)

RECHARGE_PAYMENTS = "recharge_payments"
"""Payments of recharge orders, each with what became of it."""


class LookAtWallet(msgspec.Struct, frozen=True):
    """Its balance or limits changed: something may have been passed, or is to be moved on."""

    wallet_id: int


class LookAtPayment(msgspec.Struct, frozen=True):
    """A payment came in: which order does it pay?"""

    id: str


def fold_recharge(event: Event, recharged: WalletRecharged) -> Outcome:
    return _entered(
        ledger.recharge(
            recharged.recharge_no,
            recharged.wallet_id,
            recharged.amount_micro,
            event.time,
            method=recharged.method,
            business_no=recharged.order_no or recharged.business_no,
            pay_method=recharged.pay_method,
            by=recharged.by,
            remark=recharged.remark,
        )
    )


def fold_refund(event: Event, refunded: WalletRefunded) -> Outcome:
    return _entered(
        ledger.refund(
            refunded.refund_no,
            refunded.wallet_id,
            refunded.amount_micro,
            event.time,
            of_recharge=refunded.of == "recharge",
            business_no=refunded.business_no,
            by=refunded.by,
            remark=refunded.remark,
        )
    )


def fold_sweep(event: Event, swept: WalletSwept) -> Outcome:
    """Both wallets are sums, so one event may change both."""
    away, into = ledger.sweep(swept.wallet_id, swept.into_wallet_id, swept.number, swept.amount_micro, event.time)
    # The number goes with the balance in one write: who sees the one sees the other.
    moved = _balance(away, swept=Max(swept.number))
    entered: Change = {name: Set(value) for name, value in into.body.items()}
    return Outcome(
        Fact(LEDGER, away.body, id=away.id),
        (moved, _balance(into), Effect(LEDGER, into.id, entered)),
        afterwards=(LookAtWallet(swept.wallet_id), LookAtWallet(swept.into_wallet_id)),
    )


def look_again(_event: Event, changed: WalletConfigured | WalletMerged) -> Outcome:
    """The wallet itself was changed by whoever published this."""
    return Outcome(afterwards=(LookAtWallet(changed.wallet_id),))


def keep_payment(event: Event, paid: RechargePaid) -> Outcome:
    """Whatever it is for, it is kept: money was paid."""
    body = {
        "state": "new",
        "pay_no": paid.pay_no,
        "payment_no": paid.payment_no,
        "amount_micro": paid.amount_micro,
        "paid_at": paid.paid_at,
        "pay_method": paid.pay_method,
        "at": event.time,
    }
    fact = Fact(RECHARGE_PAYMENTS, body, id=quoted(paid.payment_no))
    return Outcome(fact, afterwards=(LookAtPayment(quoted(paid.payment_no)),))


def _entered(entry: Entry) -> Outcome:
    """Counted once by the entry, and in the balance."""
    return Outcome(
        Fact(LEDGER, entry.body, id=entry.id), (_balance(entry),), afterwards=(LookAtWallet(entry.wallet_id),)
    )


def _balance(entry: Entry, **more: FieldEffect) -> Effect:
    change: Change = {"wallet_id": Set(entry.wallet_id), "balance_micro": Inc(entry.balance_micro), **more}
    return Effect(WALLETS, wallet_key(entry.wallet_id), change)
