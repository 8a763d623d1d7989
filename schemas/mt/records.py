"""Call records as the portals ask for and show them (metering.yaml: CallRecordQuery, CallRecord, ConsoleCallRecord).

Personal data comes masked. What customers are not shown, where an answer came from and at what
cost, is left out of their rows.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from schemas.mt.common import MAX_PAGE, PageQuery, Row
from schemas.numbers import Int32, Int64, Text
from schemas.usage import Code, Flag, SeqNo, Tag


class CallRecordQuery(PageQuery, kw_only=True):
    """`keyword`: a serial or trade number, whole. `idCard`: as it was sent with the call."""

    keyword: Text | None = None
    id_card: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    dept_id_list: Annotated[list[Int64], msgspec.Meta(max_length=MAX_PAGE)] | None = None
    create_date_gte: str | None = None
    create_date_lte: str | None = None
    item_code_list: Annotated[list[Code], msgspec.Meta(max_length=MAX_PAGE)] | None = None
    is_fee: Flag | None = None
    success: Flag | None = None
    cache_flag: Flag | None = None


class ConsoleCallRecord(Row, kw_only=True):
    check_item: str
    check_item_name: str | None = None
    seq_no: str
    app_id: str | None = None
    dept_id: int
    dept_name: str | None = None
    tag: str
    trade_no: str | None = None
    result: str | None = None
    is_fee: int
    fee: Decimal
    success: int
    result_msg: str | None = None
    result_code: int | None = None
    name: str | None = None
    id_card: str | None = None
    mobile: str | None = None
    sign: str | None = None
    encryption_type: str | None = None
    phone_region: str | None = None
    time: str | None = None
    """In milliseconds."""
    create_date: str
    request_ip: str | None = None
    extend: str | None = None


class UpstreamCallRecord(Row, kw_only=True):
    seq_no: str
    data_source_code: str
    data_source_name: str | None = None
    third_seq_no: str | None = None
    req_param: str | None = None
    response: str | None = None
    url: str | None = None
    time: int | None = None
    stack: str | None = None
    item: str | None = None
    extra: str | None = None
    outer_name: str | None = None
    is_fee: int
    outer_type: int | None = None
    dept_name: str | None = None
    app_id: str | None = None
    tag: str | None = None
    create_date: str


class CallRecord(ConsoleCallRecord, kw_only=True):
    is_fee_desc: str
    cache_flag: int
    final_source: str | None = None
    upstream_record_list: list[UpstreamCallRecord] | None = None
    org_code: str | None = None


class EditRecordRequest(msgspec.Struct, rename="camel", kw_only=True):
    """What is left out stays as it is."""

    seq_no: SeqNo
    result: Text | None = None
    is_fee: Flag | None = None
    fee: Decimal | None = None
    success: Flag | None = None
    result_msg: Text | None = None
    result_code: Int32 | None = None
    tag: Tag | None = None
    extend: Text | None = None


class CompensateRequest(msgspec.Struct, rename="camel", kw_only=True):
    """Calls that could not be rated: those named, or all of a customer's."""

    user_id: Int64 | None = None
    seq_nos: Annotated[list[SeqNo], msgspec.Meta(max_length=MAX_PAGE)] | None = None


class TemplateSyncRequest(msgspec.Struct, rename="camel", kw_only=True):
    user_id: Int64 | None = None
    template_ids: Annotated[list[Int64], msgspec.Meta(max_length=MAX_PAGE)] | None = None


# ---- the cache ------------------------------------------------------------------------------------------------------

Hashed = Literal[2, 3]
MD5: Hashed = 2
SHA256: Hashed = 3
MAX_CACHE_SECONDS = 10 * 366 * 24 * 3600
Seconds = Annotated[int, msgspec.Meta(ge=1, le=MAX_CACHE_SECONDS)]
Value = Annotated[str, msgspec.Meta(max_length=262_144)]
CacheKey = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class CacheQuery(msgspec.Struct, rename="camel", kw_only=True):
    check_item: Code | None = None
    name: Text | None = None
    id_card: Text | None = None
    mobile: Text | None = None
    encryption_type: Hashed = MD5


class CacheKeyRequest(msgspec.Struct, rename="camel", kw_only=True):
    cache_key: CacheKey


class AddCacheRequest(msgspec.Struct, rename="camel", kw_only=True):
    check_item: Code
    name: Text | None = None
    id_card: Text | None = None
    mobile: Text | None = None
    scene: Text | None = None
    expire_seconds: Seconds
    encryption_type: Hashed = MD5
    cache_value: Value = ""


class EditCacheRequest(msgspec.Struct, rename="camel", kw_only=True):
    cache_key: CacheKey
    expire_seconds: Seconds | None = None
    cache_value: Value | None = None


class CacheEntry(Row, kw_only=True):
    check_item: str
    item_name: str | None = None
    cache_key: str
    cache_value: str | None = None
    expire_seconds: int
    expire_seconds_desc: str
