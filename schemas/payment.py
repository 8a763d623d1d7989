"""Payments received from customers, as facts: by a bank's notice, an accounting system, a salesman's entry."""

from datetime import date
from typing import Annotated

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import Int64, Text

MAX_MICRO = 10**15
MicroYuan = Annotated[int, msgspec.Meta(ge=1, le=MAX_MICRO)]
"""Millionths of a yuan."""
StatementNo = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
"""A name in documents, so without dots and dollars."""


class SettledStatement(msgspec.Struct, frozen=True, kw_only=True):
    statement_no: StatementNo
    amount_micro: MicroYuan


class PaymentReceived(msgspec.Struct, frozen=True, kw_only=True):
    """A customer has paid. The event's id is the payment's number where it comes from: sent twice, it counts once."""

    merchant_id: Int64
    amount_micro: MicroYuan
    paid_on: date
    statements: Annotated[tuple[SettledStatement, ...], msgspec.Meta(max_length=1_000)] | None = None
    """What it is for; where that is left out, the oldest statements are settled first."""
    certificates: Annotated[tuple[Text, ...], msgspec.Meta(max_length=100)] = ()
    """Addresses of vouchers."""
    remark: Text | None = None
    created_by: Int64 | None = None
    """Id of the user who entered it."""


EVENT_TYPES = (
    EventType(
        "payment.received",
        PaymentReceived,
        "A customer has paid: once an operator has approved it, it settles statements",
        key="merchant_id",
    ),
)
