"""Wallets: money comes in and goes out, apart from the usage that is charged to them.

Each of these is counted once by the number that the outside world knows it by, whatever
event it comes in. Amounts are micro-units (1e-6) of yuan and positive; the type says the
direction. The subject is the wallet's number.
"""

from typing import Annotated, Literal

import msgspec

from schemas.catalogue import EventType
from schemas.mt.common import MAX_YUAN, MICRO
from schemas.numbers import NO_NUL, Text
from schemas.times import Instant, Timed

MAX_MICRO = int(MAX_YUAN) * MICRO
Amount = Annotated[int, msgspec.Meta(gt=0, lt=MAX_MICRO)]
"""Micro-units of yuan."""
Number = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=NO_NUL)]
"""What a payment or refund is known by outside."""
WalletId = Annotated[int, msgspec.Meta(ge=1, lt=2**53)]
By = Annotated[str, msgspec.Meta(max_length=128, pattern=NO_NUL)]
"""Who did it: `operator/1`, `customer/21`, or a system's name."""


class WalletRecharged(Timed, frozen=True, rename="camel", kw_only=True):
    """Money came into a wallet. Counted once by `rechargeNo`."""

    wallet_id: WalletId
    amount_micro: Amount
    recharge_no: Number
    method: Literal["payment", "manual"] = "payment"
    """Paid by the customer, or entered by an operator."""
    pay_method: Text | None = None
    order_no: Number | None = None
    """The recharge order that it pays."""
    business_no: Number | None = None
    """What its flow shows in place of `rechargeNo`."""
    by: By | None = None
    remark: Text | None = None


class WalletRefunded(Timed, frozen=True, rename="camel", kw_only=True):
    """Money was given back. Counted once by `refundNo`."""

    wallet_id: WalletId
    amount_micro: Amount
    refund_no: Number
    of: Literal["recharge", "usage"]
    """Of a recharge: it left the wallet, back to who paid. Of usage: it came back into the wallet."""
    business_no: Number | None = None
    """The recharge, or the business, that it is of."""
    by: By | None = None
    remark: Text | None = None


class WalletMerged(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A wallet was merged into another one: what it has, and ever gets, is moved there."""

    wallet_id: WalletId
    """The one that is merged away."""
    into_wallet_id: WalletId
    by: By | None = None


class WalletSwept(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What stood in a wallet that was merged away is moved on. `number` counts the moves of the wallet."""

    wallet_id: WalletId
    into_wallet_id: WalletId
    number: Annotated[int, msgspec.Meta(ge=1, lt=2**53)]
    amount_micro: Annotated[int, msgspec.Meta(gt=-(2**62), lt=2**62)]
    """Negative where a debt is moved."""


class WalletConfigured(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A wallet's limits or state were changed: whether they are passed is to be looked at."""

    wallet_id: WalletId


class RechargePaid(Timed, frozen=True, rename="camel", kw_only=True):
    """A payment for a recharge order was made. Counted once by `paymentNo`; what it pays is looked at then."""

    pay_no: Number
    """The recharge order's number."""
    payment_no: Number
    amount_micro: Amount
    paid_at: Instant
    pay_method: Text | None = None


EVENT_TYPES = (
    EventType("wallet.recharged", WalletRecharged, "Money came into a wallet", key="wallet_id"),
    EventType("wallet.refunded", WalletRefunded, "Money was given back", key="wallet_id"),
    EventType("wallet.merged", WalletMerged, "A wallet was merged into another", key="wallet_id", internal=True),
    EventType("wallet.swept", WalletSwept, "A merged wallet's money was moved on", key="wallet_id", internal=True),
    EventType("wallet.configured", WalletConfigured, "A wallet's limits changed", key="wallet_id", internal=True),
    EventType("recharge.paid", RechargePaid, "A recharge order was paid", key="pay_no", internal=True),
)
