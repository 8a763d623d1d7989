"""The ledger: every movement of money as one entry with the account it leaves and the one it reaches.

Double entry, so all accounts together are always 0. What a customer has with us is a debt
of ours: a wallet grows by what is credited to it. Accounts:

| account | what it is |
|---|---|
| `wallet/N` | what stands in a wallet; its balance |
| `revenue/usage` | what calls were charged (`handlers.usage.totals`), less what of it was given back |
| `cash/payment`, `cash/manual` | money that came from outside, and went back there |
| `transfers` | passed through by what moves from wallet to wallet; 0 once a move is through |

An entry belongs to one wallet: a move between two is two entries. Usage is one entry a wallet and
day, which grows; every other entry is the fact itself and never changes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from handlers.usage.totals import LEDGER, REVENUE, quoted

__all__ = ["LEDGER", "REVENUE", "TRANSFERS", "Entry", "Kind", "account_of", "accounts", "recharge", "refund", "sweep"]

CASH_BACK = "cash/payment"
TRANSFERS = "transfers"


class Kind(StrEnum):
    USAGE = "usage"
    RECHARGE = "recharge"
    REFUND = "refund"
    TRANSFER_IN = "transfer_in"
    TRANSFER_OUT = "transfer_out"


class Entry(msgspec.Struct, frozen=True, rename={"id": "_id"}, kw_only=True):
    """As it is kept. `amount_micro` moves from `debit` to `credit`; that of usage may be negative after corrections."""

    id: str
    kind: Kind
    wallet_id: int
    debit: str
    credit: str
    amount_micro: int
    at: datetime
    business_no: str | None = None
    pay_method: str | None = None
    by: str | None = None
    remark: str | None = None
    other_wallet_id: int | None = None
    day: str | None = None
    """Of usage: `yyyy-MM-dd`."""
    count: int | None = None
    """Of usage: charged calls."""

    @property
    def balance_micro(self) -> int:
        """What it adds to its wallet's balance."""
        return self.amount_micro if self.credit == account_of(self.wallet_id) else -self.amount_micro

    @property
    def body(self) -> dict[str, Any]:
        """The document without its `_id`."""
        values = {name: getattr(self, name) for name in self.__struct_fields__ if name != "id"}
        return {name: value for name, value in values.items() if value is not None} | {"kind": self.kind.value}


def account_of(wallet_id: int | str) -> str:
    return f"wallet/{wallet_id}"


def recharge(
    number: str,
    wallet_id: int,
    amount_micro: int,
    at: datetime,
    *,
    method: str,
    business_no: str | None = None,
    pay_method: str | None = None,
    by: str | None = None,
    remark: str | None = None,
) -> Entry:
    return Entry(
        id=f"recharge/{quoted(number)}",
        kind=Kind.RECHARGE,
        wallet_id=wallet_id,
        debit=f"cash/{method}",
        credit=account_of(wallet_id),
        amount_micro=amount_micro,
        at=at,
        business_no=business_no or number,
        pay_method=pay_method or method,
        by=by,
        remark=remark,
    )


def refund(
    number: str,
    wallet_id: int,
    amount_micro: int,
    at: datetime,
    *,
    of_recharge: bool,
    business_no: str | None = None,
    by: str | None = None,
    remark: str | None = None,
) -> Entry:
    """Of a recharge it leaves the wallet; of usage it comes back."""
    wallet = account_of(wallet_id)
    return Entry(
        id=f"refund/{quoted(number)}",
        kind=Kind.REFUND,
        wallet_id=wallet_id,
        debit=wallet if of_recharge else REVENUE,
        credit=CASH_BACK if of_recharge else wallet,
        amount_micro=amount_micro,
        at=at,
        business_no=business_no or number,
        by=by,
        remark=remark,
    )


def sweep(wallet_id: int, into_wallet_id: int, number: int, amount_micro: int, at: datetime) -> tuple[Entry, Entry]:
    """The two entries of a move: of the wallet that was merged away, and of the other one. Of a debt the other way."""
    name, amount = f"sweep/{wallet_id}/{number}", abs(amount_micro)
    leaves = amount_micro >= 0
    away = _transfer(f"{name}/from", wallet_id, into_wallet_id, amount, at, leaves=leaves)
    return away, _transfer(f"{name}/into", into_wallet_id, wallet_id, amount, at, leaves=not leaves)


def _transfer(name: str, wallet_id: int, other: int, amount_micro: int, at: datetime, *, leaves: bool) -> Entry:
    wallet = account_of(wallet_id)
    return Entry(
        id=name,
        kind=Kind.TRANSFER_OUT if leaves else Kind.TRANSFER_IN,
        wallet_id=wallet_id,
        debit=wallet if leaves else TRANSFERS,
        credit=TRANSFERS if leaves else wallet,
        amount_micro=amount_micro,
        at=at,
        business_no=name.rpartition("/")[0],
        other_wallet_id=other,
    )


def accounts(entries: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """What stands in each account, by documents of entries."""
    standing: Counter[str] = Counter()
    for entry in entries:
        standing[entry["credit"]] += entry["amount_micro"]
        standing[entry["debit"]] -= entry["amount_micro"]
    return dict(standing)
