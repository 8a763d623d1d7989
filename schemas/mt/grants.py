"""Grants: which products an account may call and at what price (metering.yaml, deptItem)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from schemas.mt.common import MAX_PAGE, PageQuery, Row
from schemas.mt.products import Body, CacheDays, ChargeType, Code, Codes, FeeType, Ids, Name, ProductType
from schemas.numbers import Count, Int32, Int64, LongText, Text

GrantIds = Annotated[list[Int64], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]
States = Annotated[list[Int32], msgspec.Meta(max_length=100)]
Month = Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")]


class GrantQuery(PageQuery, kw_only=True):
    keyword: Text | None = None
    check_item_list: Codes | None = None
    state_list: States | None = None
    applicable: bool | None = None
    category_code: Text | None = None
    task_type: Literal[10, 20] | None = None
    merchant_id: Int64 | None = None
    dept_id_list: Ids | None = None
    fusion_dept_item_id: Int64 | None = None
    id_list: Ids | None = None
    query_adjusting: bool = False
    contract_state_list: States | None = None
    is_fusion: bool | None = None
    crm_query: bool = False
    query_spreader: bool = False
    match_spreader_month: Month | None = None
    spreader_id: Int64 | None = None


class CheckItemGrantQuery(PageQuery, kw_only=True):
    dept_id_list: Ids | None = None
    state_list: States | None = None
    check_item_list: Codes | None = None
    query_spreader: bool = False


class SearchItems(PageQuery, kw_only=True):
    keyword: Text | None = None
    query_collected: bool = False
    applicable: bool | None = None
    category_code: Text | None = None
    dept_id: Int64 | None = None
    exclude_dept_id: Int64 | None = None
    check_item_list: Codes | None = None
    exclude_check_item_list: Codes | None = None
    dept_id_list: Ids | None = None
    dept_item_state_list: States | None = None
    compare_dept_id: Int64 | None = None
    is_fusion: bool | None = None
    check_type: ProductType | None = None
    state: Literal[-1, 5, 10] | None = None
    cache_flag: Int32 | None = None
    fee_type: FeeType | None = None


class ApplyItem(Body, kw_only=True):
    item_code: Code
    item_name: Text | None = None


class Apply(Body, kw_only=True):
    check_item_list: Annotated[list[ApplyItem], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]
    apply_remark: Text | None = None


class Royalty(Body, kw_only=True):
    """A promoter's commission of a grant; the codes of `royaltyType` are not listed."""

    spreader_id: Int64
    royalty_type: Name
    royalty_price: Decimal | None = None
    royalty_rate: Decimal | None = None
    effect_month: Month | None = None


Royalties = Annotated[list[Royalty], msgspec.Meta(max_length=100)]


class TermsFields(Body, kw_only=True):
    charge_type: ChargeType | None = None
    fee_type: FeeType | None = None
    fee_detail: LongText | None = None
    """A JSON object in a text: fee of each sub-product in yuan, by its code."""
    fee: Decimal | None = None


class GrantFields(TermsFields, kw_only=True):
    item_code: Code
    item_name: Text | None = None
    free_count: Count | None = None
    apply_remark: Text | None = None
    org_code: Text | None = None
    risk_threshold: float | None = None
    used_version: Text | None = None
    is_hidden: bool | None = None
    spreader_royalties: Royalties | None = None


class GrantItem(GrantFields, kw_only=True):
    dept_id: Int64 | None = None


class FusionSubItem(GrantItem, kw_only=True):
    is_added: bool


class Accredit(Body, kw_only=True):
    dept_id: Int64 | None = None
    check_item_list: Annotated[list[GrantItem], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]
    apply_remark: Text | None = None


class AccreditFusion(TermsFields, kw_only=True):
    dept_id: Int64
    check_item: Code
    sub_item_list: Annotated[list[FusionSubItem], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]
    free_count: Count | None = None
    apply_remark: Text | None = None
    spreader_royalties: Royalties | None = None


class EditGrant(GrantFields, kw_only=True):
    dept_id: Int64
    dept_item_id: Int64
    is_audit_pass: bool | None = None


class SourcePriority(Body, kw_only=True):
    """An assigned upstream; `id` is the assignment's, set to change it."""

    source_id: Int64
    priority: Count
    id: Int64 | None = None


Assignments = Annotated[list[SourcePriority], msgspec.Meta(max_length=100)]


class AuditGrant(EditGrant, kw_only=True):
    audit_type: Literal["pass", "reject"]
    reject_reason: Text | None = None
    source_list: Assignments | None = None


class AuditItem(TermsFields, kw_only=True):
    dept_id: Int64
    dept_item_id: Int64
    item_code: Code
    item_name: Text | None = None
    free_count: Count | None = None
    source_list: Assignments | None = None


class BatchAudit(Body, kw_only=True):
    audit_type: Literal["pass", "reject"]
    item_list: Annotated[list[AuditItem], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]
    reject_reason: Text | None = None


class EditCacheFetch(Body, kw_only=True):
    dept_item_id: Int64
    cache_fetch_days: CacheDays | None = None


class EditRoyalties(Body, kw_only=True):
    dept_item_id: Int64
    spreader_royalties: Royalties | None = None


class FreeCountItem(Body, kw_only=True):
    dept_item_id: Int64
    free_count: Count


class EditFreeCount(Body, kw_only=True):
    item_list: Annotated[list[FreeCountItem], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]


class GrantExtra(Body, kw_only=True):
    dept_item_id: Int64
    is_hidden: bool | None = None
    used_version: Text | None = None


class EditExtra(Body, kw_only=True):
    item_list: Annotated[list[GrantExtra], msgspec.Meta(max_length=MAX_PAGE)] | None = None


class AdjustItem(TermsFields, kw_only=True):
    dept_item_id: Int64


class Adjust(Body, kw_only=True):
    item_list: Annotated[list[AdjustItem], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]
    effect_time: str | None = None


class GrantsRequest(Body, kw_only=True):
    dept_id: Int64
    dept_item_ids: GrantIds


class DealSub(Body, kw_only=True):
    dept_item_id: Int64
    check_item_list: Annotated[list[Code], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]
    deal_type: Literal[10, 20]


class SourceConfigQuery(Body, kw_only=True):
    dept_id: Int64
    check_item: Code


class SaveSourceConfig(Body, kw_only=True):
    dept_id: Int64
    check_item: Code
    source_list: Assignments


class AdjustmentQuery(PageQuery, kw_only=True):
    dept_id: Int64
    dept_item_id_list: Ids | None = None
    state_list: Annotated[list[Literal[-10, 0, 5, 10, 20]], msgspec.Meta(max_length=10)] | None = None


class AdjustmentRow(Row, kw_only=True):
    id: int
    create_date: str
    update_date: str
    dept_id: int
    dept_name: str | None = None
    dept_item_id: int
    check_item: str
    item_name: str | None = None
    state: int
    before_fee: Decimal | None = None
    before_fee_detail: str | None = None
    before_charge_type: int | None = None
    before_fee_type: int | None = None
    after_fee: Decimal
    after_fee_detail: str | None = None
    after_charge_type: int
    after_fee_type: int
    plan_time: str | None = None
    effect_time: str | None = None


class RoyaltyRow(Row, kw_only=True):
    customer_id: int | None = None
    dept_id: int
    spreader_id: int
    dept_item_id: int
    check_item: str
    royalty_type: str
    royalty_price: Decimal | None = None
    royalty_rate: Decimal | None = None
    effect_month: str | None = None
    assign_time: str | None = None


class GrantRow(Row, kw_only=True):
    """ProductGrant. `checkType` is left out: here the contract's code list is another than the products'."""

    id: int | None = None
    update_date: str | None = None
    check_item: str
    item_name: str | None = None
    used_version: str | None = None
    is_open: int | None = None
    price: Decimal | None = None
    dept_id: int | None = None
    dept_name: str | None = None
    state: int | None = None
    fee: Decimal | None = None
    charge_type: int | None = None
    fee_type: int | None = None
    is_fusion: bool | None = None
    fee_detail: str | None = None
    free_count: int | None = None
    apply_remark: str | None = None
    audit_remark: str | None = None
    audit_time: str | None = None
    task_able: bool | None = None
    category_code: str | None = None
    category_name: str | None = None
    doc_url: str | None = None
    resp_time: str | None = None
    background_img: str | None = None
    description: str | None = None
    is_collected: bool | None = None
    create_date: str | None = None
    applicable: bool | None = None
    cache_fetch_days: int | None = None
    is_hidden: bool | None = None
    adjusting: AdjustmentRow | None = None
    org_code: str | None = None
    risk_threshold: float | None = None
    has_assign_source: bool | None = None
    spreader_royalties: Sequence[RoyaltyRow] | None = None


class AssignedSourceRow(Row, kw_only=True):
    id: int
    create_date: str
    update_date: str
    dept_id: int
    dept_name: str | None = None
    check_item: str
    check_item_name: str | None = None
    source_id: int
    data_source_id: int | None = None
    data_source_name: str | None = None
    data_source_code: str | None = None
    priority: int
