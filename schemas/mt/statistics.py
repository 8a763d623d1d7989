"""Figures of the home pages (metering.yaml: coreStatistics, apiStatistics, rankings)."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from schemas.mt.common import MAX_PAGE, Row
from schemas.numbers import Int64, Text
from schemas.usage import Code

Unit = Literal["HOURS", "DAYS", "MONTHS"]
MAX_DAYS, MAX_MONTHS = 31, 36
TOP_PRODUCTS = 10

DateType = Literal[10, 20, 30, 40]
TODAY, YESTERDAY, THIS_MONTH, LAST_MONTH = 10, 20, 30, 40


class DateRangeRequest(msgspec.Struct, rename="camel", kw_only=True):
    date_type: DateType


class CustomerCallsRequest(DateRangeRequest, kw_only=True):
    dept_id: Int64 | None = None


class ConsoleStatisticsRequest(msgspec.Struct, rename="camel", kw_only=True):
    unit: Literal["DAYS", "MONTHS"]
    start_date: str
    end_date: str
    keyword: Text | None = None
    """In a product's code or name."""


class CallTrendRequest(msgspec.Struct, rename="camel", kw_only=True):
    unit: Unit
    start_date: str
    end_date: str
    dept_id_list: Annotated[list[Int64], msgspec.Meta(max_length=MAX_PAGE)] | None = None
    check_item_list: Annotated[list[Code], msgspec.Meta(max_length=MAX_PAGE)] | None = None


class ProductCallCount(Row, kw_only=True):
    check_item: str
    check_item_name: str
    tag: str
    count: int
    fee: Decimal


class DatedCallCount(Row, kw_only=True):
    date: str
    items: list[ProductCallCount]
    """The TOP_PRODUCTS that were called most."""
    item_count: int
    total_count: int
    total_fee: Decimal


class CallStatistics(Row, kw_only=True):
    total_count: int
    total_fee: Decimal
    item_counts: list[ProductCallCount]
    """Most calls first."""
    item_fees: list[ProductCallCount]
    """Highest fee first."""
    dates: list[DatedCallCount]
    check_items: list[str]


class CoreStatistics(Row, kw_only=True):
    """Growth is in percent against the days before, and left out where there was nothing to grow from."""

    order_count: int
    compared_count: int
    order_count_increase_rate: Decimal | None = None
    order_amount: Decimal
    compared_amount: Decimal
    order_amount_increase_rate: Decimal | None = None
    upstream_count: int
    upstream_amount: Decimal
    cache_count: int


class CustomerRanking(Row, kw_only=True):
    dept_id: int
    organization_id: int | None = None
    dept_name: str | None = None
    count: int
    amount: Decimal
    compare_count: int
    compare_amount: Decimal
    count_increase_rate: Decimal | None = None
    amount_increase_rate: Decimal | None = None


class Backlog(Row, kw_only=True):
    wait_audit_item_count: int
    wait_recheck_bill_count: int
    wait_invoice_count: int
