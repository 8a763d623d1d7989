"""Usage: calls of the metering platform's products, as their gateways report them.

Fields are named and coded as the contract's call record (metering.yaml, CallRecord and
UpstreamCallRecord); what is computed here (fee, isFee) is not taken from senders.
Identity of a call is its `seqNo`, whatever event it comes in.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import NO_NUL, Int32, Int64, Key, LongText, Text
from schemas.times import EARLIEST, LATEST

MAX_PARTS = 200
"""Sub-products, or upstream calls, of one call."""
MAX_RERATED = 200
"""Records that one request has rated again: they are one event, so they fold whole or not at all."""

Flag = Annotated[int, msgspec.Meta(ge=0, le=1)]
Micro = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
"""Micro-units (1e-6) of yuan."""
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=NO_NUL)]
"""Of a product or source: it becomes part of a document's `_id`."""
Tag = Annotated[str, msgspec.Meta(max_length=64, pattern=NO_NUL)]
SeqNo = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=NO_NUL)]
Personal = Annotated[str, msgspec.Meta(max_length=256, pattern=NO_NUL)]


class SubItem(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A part of a bundle that was called for it."""

    check_item: Code
    success: Flag = 1


class UpstreamCall(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One call of an upstream source that was made for a call."""

    data_source_code: Code
    item: Code | None = None
    """The source's product; left out: that of the call."""
    is_fee: Flag = 1
    cost_micro: Micro | None = None
    """What it cost in micro-units; left out: what the book of costs says."""
    check_config_id: Int64 | None = None
    third_seq_no: Text | None = None
    req_param: LongText | None = None
    response: LongText | None = None
    url: Text | None = None
    time: Int64 | None = None
    stack: LongText | None = None
    extra: Text | None = None
    outer_name: Text | None = None
    outer_type: Int32 | None = None


class UsageRecorded(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An account called a product, and was answered."""

    seq_no: SeqNo
    dept_id: Int64
    check_item: Code
    success: Flag
    """Whether the product found what was asked for: a hit. By-hit prices look at it, and so do alerts."""
    app_id: Text | None = None
    tag: Tag = ""
    trade_no: Text | None = None
    org_code: Text | None = None
    final_source: Code | None = None
    result: Text | None = None
    result_code: Int32 | None = None
    result_msg: Text | None = None
    cache_flag: Flag = 0
    create_date: datetime | None = None
    """When it was called: RFC 3339, or without a zone as the platform's own texts. Left out: the event's time."""
    time: Int64 | Text | None = None
    """How long it took, in milliseconds."""
    request_ip: Text | None = None
    name: Personal | None = None
    id_card: Personal | None = None
    mobile: Personal | None = None
    encryption_type: Literal["1", "2", "3", "4"] | None = None
    sign: Text | None = None
    phone_region: Text | None = None
    extend: Text | None = None
    sub_items: Annotated[tuple[SubItem, ...], msgspec.Meta(max_length=MAX_PARTS)] = ()
    """The parts of a bundle that were called."""
    upstream_record_list: Annotated[tuple[UpstreamCall, ...], msgspec.Meta(max_length=MAX_PARTS)] = ()

    def __post_init__(self) -> None:
        if self.create_date is not None and not EARLIEST.year <= self.create_date.year < LATEST.year:
            raise ValueError(f"createDate: a time between {EARLIEST.year} and {LATEST.year} is expected")


class UsageCorrected(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An operator has changed a call's record. What is left out stays as it is."""

    seq_no: SeqNo
    dept_id: Int64
    by: Int64
    """User id of the operator."""
    result: Text | None = None
    is_fee: Flag | None = None
    fee_micro: Micro | None = None
    success: Flag | None = None
    result_msg: Text | None = None
    result_code: Int32 | None = None
    tag: Tag | None = None
    extend: Text | None = None


class UsageRerateRequested(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Calls that had no price are to be rated again; those that have one by then stay as they are."""

    dept_id: Int64
    seq_nos: Annotated[tuple[SeqNo, ...], msgspec.Meta(min_length=1, max_length=MAX_RERATED)]
    by: Int64 | None = None
    """User id of the operator; none from the command line."""


class UsageFailed(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A call found nothing, or failed; what alerts count. Its time is the call's own."""

    grant: Key
    """`<dept id>/<product>`: the key."""
    dept_id: Int64
    check_item: Code
    seq_no: SeqNo
    merchant_id: Int64 | None = None
    result_code: Int32 | None = None
    tag: Tag = ""


EVENT_TYPES = (
    EventType("usage.recorded", UsageRecorded, "A product was called", key="dept_id"),
    EventType("usage.corrected", UsageCorrected, "The record of a call was changed", key="dept_id", internal=True),
    EventType(
        "usage.rerate.requested",
        UsageRerateRequested,
        "Calls without a price are to be rated again",
        key="dept_id",
        internal=True,
    ),
)
FAILURE_EVENT_TYPES = (
    EventType("usage.failed", UsageFailed, "A call found nothing or failed", key="grant", internal=True),
)
