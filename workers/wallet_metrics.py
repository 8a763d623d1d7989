"""What looking at wallets and payments reports, in the folder and in the rater."""

from prometheus_client import Counter

from stores.mt.recharges import Payment
from stores.mt.wallet_watch import Noticed

ALARMS = Counter(
    "fanfold_wallets_alarms_raised_total",
    "Wallets found below their threshold, past their overdraft, or locked, and told to their contacts",
    ["kind"],
)
SWEEPS = Counter("fanfold_wallets_swept_total", "Moves of what reached a wallet that was merged into another one")
SET_ASIDE = Counter(
    "fanfold_wallets_payments_set_aside_total",
    "Payments that pay no open order of their amount: see `fanfold recharges set-aside`",
    ["reason"],
)


def observe_watch(noticed: Noticed) -> None:
    for kind, count in noticed.alarms.items():
        ALARMS.labels(kind.name.lower()).inc(count)
    if noticed.sweeps:
        SWEEPS.inc(noticed.sweeps)


def observe_payment(payment: Payment | None) -> None:
    """Of one that was decided just now."""
    if payment is not None and payment.state == "set_aside":
        SET_ASIDE.labels(payment.reason or "unknown").inc()
