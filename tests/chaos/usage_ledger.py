"""What the users of the metering platform sent and what they were told: calls, corrections, money, prices.

Made by the load, and read by nobody else before the end. Money is micro-units of yuan;
times are UTC to the millisecond, by the clock of this machine, which all parts share.
"""

from datetime import datetime

import msgspec


class Product(msgspec.Struct, frozen=True):
    code: str
    by_hit: bool
    fee_micro: int
    """Of the first price, which has held for ever."""
    free: int
    """Calls that each account has free."""


PRODUCTS = (
    Product("IDCARD", by_hit=False, fee_micro=50_000, free=0),
    Product("MOBILE", by_hit=True, fee_micro=120_000, free=20),
    Product("FACE", by_hit=False, fee_micro=300_000, free=60),
)
BY_CODE = {product.code: product for product in PRODUCTS}

GrantKey = tuple[int, str]
"""Dept id and product."""


class Call(msgspec.Struct):
    """A call, however often it was reported. `acknowledged` once any sender was told that it is stored."""

    seq_no: str
    dept_id: int
    item: str
    tag: str
    at: datetime
    success: bool
    cached: bool
    source: str | None
    cost_micro: int | None
    """What its source is reported to have cost."""
    acknowledged: bool = False
    sendings: int = 0

    @property
    def grant(self) -> GrantKey:
        return self.dept_id, self.item

    @property
    def chargeable(self) -> bool:
        return self.success or not BY_CODE[self.item].by_hit


class Correction(msgspec.Struct):
    """What an operator has changed of a record: its tag, or what it costs (None: not that)."""

    tag: str | None = None
    fee_micro: int | None = None
    waived: bool = False


class Pricing(msgspec.Struct):
    """An attempt at another price; each has a fee of its own, so it is known by it."""

    grant: GrantKey
    fee_micro: int
    answered_at: datetime | None = None
    """When it was told to be done; None: it may have been done or not."""


class Movement(msgspec.Struct):
    """Money into a wallet, or (negative) out of it, under a number of its own: moved once however often it is told."""

    number: str
    wallet_id: int
    amount_micro: int
    acknowledged: bool = False
    sendings: int = 0


class ManualRecharge(msgspec.Struct):
    """A recharge by hand, of an amount of its own: put in once, however often it is sent."""

    wallet_id: int
    amount_micro: int
    acknowledged: bool = False


class Merge(msgspec.Struct, frozen=True):
    merchant_id: int
    away: int
    into: int


class UsageLedger:
    """All of it, by what each is known by."""

    def __init__(self) -> None:
        self.wallets: dict[int, tuple[int, int]] = {}
        """By merchant: the default one, and the one that is reserved for an app."""
        self.grants: dict[GrantKey, int] = {}
        """Their ids."""
        self.calls: dict[str, Call] = {}
        self.corrections: dict[str, Correction] = {}
        """By seqNo; made for certain."""
        self.pricings: list[Pricing] = []
        self.movements: dict[str, Movement] = {}
        self.by_hand: list[ManualRecharge] = []
        self.merges: list[Merge] = []
        """Done for certain."""
        self.poison_acknowledged = 0

    @property
    def sendings(self) -> int:
        return sum(call.sendings for call in self.calls.values())


def merchant_of(dept_id: int) -> int:
    return dept_id // 10
