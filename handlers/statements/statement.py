"""What a statement is, and the sums that follow from it.

A line shows what is billed (`figures`) and says which usage that is for (`covers`). The
two differ where a line was edited by hand. Usage is billed once because of what lines
cover, whatever they show: the usage of an account is what the lines of its statements
cover, and what none of them covers yet.

Money is micro-units of yuan.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any

import msgspec

from schemas.push import Language


class State(IntEnum):
    """Where a statement stands. The contract lists no codes: these are Fanfold's own."""

    DELETED = -20
    """As if it had never been made: what it covered is to be billed. Shown to nobody."""
    INVALID = -10
    """Void: nothing of it is owed, and its usage is not billed again."""
    MADE = 0
    """Waits for an operator's check."""
    CHECKED = 10
    """Mailed; waits for the customer's confirmation."""
    CONFIRMED = 20
    ARCHIVED = 30


class PaymentState(IntEnum):
    """As the contract's BillPaymentState."""

    UNPAID = 0
    PARTLY = 10
    PAID = 20


class InvoiceState(IntEnum):
    """How much of a statement is invoiced."""

    NOT = 0
    PARTLY = 10
    WHOLLY = 20


class Overdraft(IntEnum):
    """As the contract's OverdraftType: how a customer settles."""

    PREPAID = 0
    LIMITED = 10
    MONTHLY = 20


OPEN_TO_CHANGE = frozenset({State.MADE, State.CHECKED})
"""Not confirmed yet: lines may change."""
OWED = frozenset({State.CONFIRMED, State.ARCHIVED})
"""May be invoiced and paid."""


class Figures(msgspec.Struct, frozen=True):
    """Calls, and what they come to."""

    count: int = 0
    free: int = 0
    charged: int = 0
    fee_micro: int = 0
    cost_micro: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    def __sub__(self, other: "Figures") -> "Figures":
        return Figures(*(a - b for a, b in zip(_values(self), _values(other), strict=True)))

    def __bool__(self) -> bool:
        return any(_values(self))


def _values(figures: Figures) -> tuple[int, ...]:
    return figures.count, figures.free, figures.charged, figures.fee_micro, figures.cost_micro


Key = tuple[str, str, str]
"""Whose usage: month (`yyyy-MM`), product, tag."""
Usage = Mapping[Key, Figures]


class Covered(msgspec.Struct, frozen=True):
    """Usage of a month that a line stands for."""

    month: str
    item: str
    tag: str
    figures: Figures

    @property
    def key(self) -> Key:
        return self.month, self.item, self.tag


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `month` is when the calls were made: another one than the statement's where they came in late."""

    no: int
    """Within its statement; never used again."""
    month: str
    item: str
    item_name: str = ""
    tag: str = ""
    figures: Figures
    """What is shown and billed."""
    price_micro: int | None = None
    """Set by hand; else it follows from fee and charged calls."""
    settled_micro: int = 0
    """Of the fee, what was paid apart from payments to the statement: by the wallet as calls were made, or by hand."""
    covers: tuple[Covered, ...] = ()
    edited: bool = False
    removed: bool = False
    """Taken off by hand: shows nothing any more, and still covers its usage."""
    made_at: datetime

    @property
    def billed_micro(self) -> int:
        return 0 if self.removed else self.figures.fee_micro

    @property
    def shown_price_micro(self) -> int | None:
        """Of one charged call; the mean, rounded to the micro-unit, where the price changed. None where none was."""
        if self.price_micro is not None:
            return self.price_micro
        charged, fee = self.figures.charged, self.figures.fee_micro
        return None if charged == 0 else (2 * fee + charged) // (2 * charged)


class SendState(IntEnum):
    """As the contract's SendState."""

    FAILED = -1
    SENDING = 0
    SENT = 1


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """One mailing of a statement."""

    no: int
    receivers: tuple[str, ...]
    copies: tuple[str, ...] = ()
    file_id: str
    at: datetime
    state: SendState = SendState.SENDING

    @property
    def addresses(self) -> tuple[str, ...]:
        """Everybody who gets it, each once."""
        return tuple(dict.fromkeys((*self.receivers, *self.copies)))


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody did to a statement. `before` and `after` have what changed, and nothing else."""

    what: str
    at: datetime
    by: str
    """Role and id of whoever did it: `operator/7`; `clock` where it was time."""
    name: str = ""
    before: Mapping[str, Any] = msgspec.field(default_factory=dict)
    after: Mapping[str, Any] = msgspec.field(default_factory=dict)


class Statement(msgspec.Struct, frozen=True, kw_only=True, rename={"statement_no": "_id"}):
    statement_no: str
    id: int
    merchant_id: int | None
    dept_id: int
    month: str
    dept_name: str = ""
    app_id: str = ""
    user_id: int | None = None
    emails: tuple[str, ...] = ()
    language: Language | None = None
    """Of its mails; None where the customer's is not known."""
    overdraft: Overdraft = Overdraft.MONTHLY
    wallet_id: int | None = None
    """That its usage was charged to; a payment that settles it is credited there."""
    state: State = State.MADE
    lines: tuple[Line, ...] = ()
    next_line: int = 1
    invoice_limit_micro: int | None = None
    """What may be invoiced, where an operator has said so; else all of it."""
    invoice_shares: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Of each invoice (by its id), how much is of this statement. Asked for and issued alike: both are taken."""
    payment_shares: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Of each payment (by its number), how much settles this statement."""
    sends: tuple[Send, ...] = ()
    made_at: datetime
    checked_at: datetime | None = None
    confirmed_at: datetime | None = None
    archived_at: datetime | None = None
    invoiced_at: datetime | None = None
    revision: int = 1
    applied: int = 0
    """The last correction from usage that is in it (revision of the account's head)."""
    last_move: Move | None = None

    @property
    def knows_whose(self) -> bool:
        """Whether its customer, and the wallet that its usage was charged to, were known when it was made."""
        return self.merchant_id is not None and self.wallet_id is not None

    @property
    def shown_lines(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if not line.removed)

    @property
    def total_micro(self) -> int:
        return sum(line.billed_micro for line in self.lines)

    @property
    def settled_micro(self) -> int:
        return sum(line.settled_micro for line in self.shown_lines) + sum(self.payment_shares.values())

    @property
    def open_micro(self) -> int:
        """What is still to be paid."""
        return self.total_micro - self.settled_micro

    @property
    def invoiced_micro(self) -> int:
        return sum(self.invoice_shares.values())

    @property
    def may_invoice_micro(self) -> int:
        """In all: never more than the statement's total."""
        total = max(0, self.total_micro)
        return total if self.invoice_limit_micro is None else min(self.invoice_limit_micro, total)

    @property
    def not_invoiced_micro(self) -> int:
        return max(0, self.may_invoice_micro - self.invoiced_micro)

    @property
    def payment_state(self) -> PaymentState:
        if self.open_micro <= 0:
            return PaymentState.PAID
        return PaymentState.PARTLY if self.settled_micro > 0 else PaymentState.UNPAID

    @property
    def invoice_state(self) -> InvoiceState:
        if self.invoiced_micro == 0:
            return InvoiceState.NOT
        return InvoiceState.PARTLY if self.not_invoiced_micro else InvoiceState.WHOLLY

    @property
    def has_money(self) -> bool:
        """Whether invoices or payments are bound to it."""
        return any(self.invoice_shares.values()) or any(self.payment_shares.values())

    @property
    def mail_under_way(self) -> bool:
        return any(send.state == SendState.SENDING for send in self.sends)


def covered_by(statements: Iterable[Statement]) -> dict[Key, Figures]:
    """What the lines of statements cover, deleted ones left out."""
    found: dict[Key, Figures] = {}
    for statement in statements:
        if statement.state == State.DELETED:
            continue
        for covered in (covered for line in statement.lines for covered in line.covers):
            found[covered.key] = found.get(covered.key, Figures()) + covered.figures
    return found
