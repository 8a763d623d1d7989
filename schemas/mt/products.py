"""Products, sources and upstream configurations: what is asked and answered (metering.yaml, checkItem)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from schemas.mt.common import MAX_PAGE, PageQuery, Row
from schemas.numbers import NO_NUL, Count, Int32, Int64, LongText, Text

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_\-]+$")]
"""Of a product or a source: a name in documents, so without dots and dollars."""
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=NO_NUL)]
Codes = Annotated[list[Code], msgspec.Meta(max_length=MAX_PAGE)]
Ids = Annotated[list[Int64], msgspec.Meta(max_length=MAX_PAGE)]
FeeType = Literal[10, 20]
ChargeType = Literal[10, 20]
ProductState = Literal[-1, 5, 10]
ProductType = Literal[100, 101, 110, 111, 112, 200, 300, 400]
CacheDays = Annotated[int, msgspec.Meta(ge=0, le=3650)]


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """What is asked."""


# ---- products -------------------------------------------------------------------------------------------------------


class ProductQuery(PageQuery, kw_only=True):
    keyword: Text | None = None
    applicable: bool | None = None
    check_item_list: Codes | None = None
    exclude_check_item_list: Codes | None = None
    exclude_dept_id: Int64 | None = None
    compare_dept_id: Int64 | None = None
    is_fusion: bool | None = None
    state: ProductState | None = None
    check_type: ProductType | None = None
    cache_flag: Int32 | None = None
    fee_type: FeeType | None = None


class ProductFields(Body, kw_only=True):
    """What adding and editing a product have in common."""

    sync_other_env: bool = False
    check_type: ProductType | None = None
    cache_flag: Int32 | None = None
    cache_time: CacheDays | None = None
    fee_type: FeeType | None = None
    risk_threshold: float | None = None
    price: Decimal | None = None
    floor_price: Decimal | None = None
    is_fusion: bool | None = None
    applicable: bool | None = None
    encryptable_list: Annotated[list[Int32], msgspec.Meta(max_length=100)] | None = None


class AddProduct(ProductFields, kw_only=True):
    check_item: Code
    item_name: Name


class EditProduct(ProductFields, kw_only=True):
    """The product by `id` or by `itemCode`."""

    id: Int64 | None = None
    item_code: Code | None = None
    item_name: Name | None = None
    is_open: Int32 | None = None


class SaveSubItems(Body, kw_only=True):
    check_item: Code
    sub_items: Codes
    sync_other_env: bool = False


class ProductCode(Body, kw_only=True):
    check_item: Code


class NoticeCustomer(Body, kw_only=True):
    dept_id: Int64
    user_id: Int64 | None = None
    dept_name: Text | None = None
    mobile: Text | None = None
    email: Text | None = None


class ChangeState(Body, kw_only=True):
    check_item: Code
    state: ProductState
    notice_scope: Literal[0, 10, 20]
    notice_methods: Annotated[list[Name], msgspec.Meta(max_length=20)] | None = None
    effect_time: str | None = None
    note: Text | None = None
    notice_customers: Annotated[list[NoticeCustomer], msgspec.Meta(max_length=MAX_PAGE)] | None = None
    confirmed: bool = False


class ProductRow(Row, kw_only=True):
    id: int
    check_item: str
    item_name: str
    cache_flag: int
    cache_time: int | None = None
    state: int
    check_type: int | None = None
    is_open: int
    risk_threshold: float | None = None
    price: Decimal
    floor_price: Decimal
    applicable: bool
    create_date: str
    update_date: str
    fee_type: int
    is_fusion: bool
    sub_items: str | None = None
    sub_item_list: "Sequence[ProductRow] | None" = None
    is_accredit: bool | None = None
    max_free_count: int | None = None
    encryptable: str | None = None
    encryptable_list: Sequence[int] | None = None


class DeveloperDeptRow(Row, kw_only=True):
    """DeveloperDept: an account that holds a product. Its password is not kept, so never answered."""

    id: int
    dept_name: str | None = None
    app_id: str | None = None
    status: int | None = None
    user_id: int | None = None
    create_date: str | None = None
    emails: str | None = None
    white_ip_list: str | None = None


# ---- sources and upstream configurations ----------------------------------------------------------------------------


class SourceQuery(PageQuery, kw_only=True):
    keyword: Text | None = None
    data_source_id_list: Ids | None = None


class SaveSource(Body, kw_only=True):
    """A new one without `id`; the code of one that there is cannot be changed."""

    sync_other_env: bool = False
    id: Int64 | None = None
    data_source_name: Name | None = None
    data_source_code: Code | None = None


class SourceRow(Row, kw_only=True):
    id: int
    data_source_name: str
    data_source_code: str
    create_date: str
    update_date: str


class UpstreamQuery(PageQuery, kw_only=True):
    check_item: Code | None = None
    data_source_id: Int64 | None = None
    exclude_source_id_list: Ids | None = None


class SaveUpstream(Body, kw_only=True):
    service: Name
    check_item: Code
    sync_other_env: bool = False
    id: Int64 | None = None
    priority: Count | None = None
    data_source_id: Int64 | None = None
    datasource_code: Code | None = None
    req_key: Text | None = None
    req_secret: Text | None = None
    req_url: Text | None = None
    cost: Decimal | None = None
    cost_detail: LongText | None = None
    extra: LongText | None = None
    scene: Annotated[str, msgspec.Meta(max_length=64, pattern=NO_NUL)] | None = None


class UpstreamRow(Row, kw_only=True):
    id: int
    create_date: str
    update_date: str
    priority: int
    data_source_id: int
    data_source_code: str
    data_source_name: str
    service: str
    check_item: str
    check_item_name: str
    req_key: str | None = None
    req_secret: str | None = None
    """Asterisks: it is read by calls to the upstream and shown to nobody."""
    req_url: str | None = None
    cost: Decimal | None = None
    cost_detail: str | None = None
    extra: str | None = None
    scene: str | None = None
