"""Planned changes of prices and products, as tasks of the schedule (metering.yaml, crm/schedule)."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from schemas.mt.common import PageQuery, Row
from schemas.mt.grants import AdjustmentRow
from schemas.mt.products import Code, Ids
from schemas.numbers import Text


class TaskQuery(PageQuery, kw_only=True):
    task_key: Text | None = None
    dept_id_list: Ids | None = None
    state_list: Annotated[list[Literal[-1, 0, 10, 20]], msgspec.Meta(max_length=10)] | None = None
    check_item: Code | None = None


class NoticeCustomerRow(Row, kw_only=True):
    dept_id: int
    user_id: int | None = None
    dept_name: str | None = None
    mobile: str | None = None
    email: str | None = None


class ProductChangeRow(Row, kw_only=True):
    id: int | None = None
    check_item: str
    item_name: str | None = None
    to_state: int
    notice_scope: int
    notice_methods: Sequence[str]
    notice_customers: Sequence[NoticeCustomerRow]


class TaskRow(Row, kw_only=True):
    id: int
    create_by: int
    create_time: str
    modify_time: str
    task_key: str
    biz_key: str
    state: int
    schedule_time: str
    finish_time: str | None = None
    error_msg: str | None = None
    cost_mills: int | None = None
    execute_count: int
    dept_name: str | None = None


class PriceAdjustTaskRow(TaskRow, kw_only=True):
    task_detail: Sequence[AdjustmentRow]


class ProductChangeTaskRow(TaskRow, kw_only=True):
    task_detail: ProductChangeRow
