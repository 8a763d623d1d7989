"""Statements, invoices and payments: what is asked and answered (metering.yaml, bill and billStatement)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from schemas.mt.common import MAX_PAGE, PageQuery, Row
from schemas.numbers import NO_NUL, Count, Int32, Int64, Text

StatementNo = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
StatementNos = Annotated[list[StatementNo], msgspec.Meta(max_length=MAX_PAGE)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=NO_NUL)]
Name = Annotated[str, msgspec.Meta(max_length=256, pattern=NO_NUL)]
Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2_048, pattern=NO_NUL)]
Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254, pattern=NO_NUL)]
Emails = Annotated[list[Email], msgspec.Meta(max_length=50)]
Ids = Annotated[list[Int64], msgspec.Meta(max_length=MAX_PAGE)]
States = Annotated[list[Int32], msgspec.Meta(max_length=50)]
Codes = Annotated[list[Code], msgspec.Meta(max_length=MAX_PAGE)]
Month = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])([- ].*)?$", max_length=32)]
"""Its first seven characters count: some clients send a day, or a time."""
MonthOrDay = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])(-[0-9]{2}( .*)?)?$", max_length=32)]
Day = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-[0-9]{2}( .*)?$", max_length=32)]
OverdraftType = Literal[0, 10, 20]
BillPaymentState = Literal[0, 10, 20]
InvoiceType = Literal["normal", "special"]
AuditDecision = Literal["pass", "reject"]
AuditState = Literal[-10, 0, 10]


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """What is asked."""


# ---- statements -----------------------------------------------------------------------------------------------------


class StatementQuery(PageQuery, kw_only=True):
    """BillStatementQuery and CrmBillQuery."""

    keyword: Text | None = None
    bill_date_gte: Month | None = None
    bill_date_lte: Month | None = None
    statement_no_list: StatementNos | None = None
    dept_id_list: Ids | None = None
    state_list: States | None = None
    invoice_state_list: States | None = None
    overdraft_type_list: Annotated[list[OverdraftType], msgspec.Meta(max_length=50)] | None = None
    payment_state_list: Annotated[list[BillPaymentState], msgspec.Meta(max_length=50)] | None = None


class ConfirmRequest(Body, kw_only=True):
    statement_no_list: StatementNos | None = None


class BillDetailRequest(Body, kw_only=True):
    dept_id: Int64
    statement_no: StatementNo


class MergeBillDetailRequest(BillDetailRequest, kw_only=True):
    merge_detail_ids: Annotated[list[Int64], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]


class ModifyStatementRequest(Body, kw_only=True):
    statement_no: StatementNo
    can_invoice_amount: Decimal


class SaveSubBillRequest(Body, kw_only=True):
    id: Int64 | None = None
    statement_no: StatementNo | None = None
    check_item: Code
    check_item_name: Name | None = None
    count: Count | None = None
    charge_count: Count | None = None
    price: Decimal | None = None
    total_fee: Decimal | None = None
    settled_amount: Decimal | None = None
    receivable_amount: Decimal | None = None


class BillIdRequest(Body, kw_only=True):
    bill_id: Int64


class BillAttachmentRequest(BillIdRequest, kw_only=True):
    rebuild_force: bool = False


class SendBillRequest(BillIdRequest, kw_only=True):
    receiver_list: Annotated[list[Email], msgspec.Meta(min_length=1, max_length=50)]
    cc_list: Emails | None = None
    attachment_url: Url


class BillLine(Row, kw_only=True):
    """BillDetail."""

    id: int | None = None
    bill_date: str
    bill_type: str
    dept_id: int | None = None
    dept_name: str | None = None
    app_id: str | None = None
    check_item: str
    check_item_name: str | None = None
    tag: str
    data_source_id: int | None = None
    data_source: str | None = None
    data_source_code: str | None = None
    count: int
    free_count: int | None = None
    charge_count: int
    price: Decimal | None = None
    total_fee: Decimal
    total_cost: Decimal | None = None
    settled_amount: Decimal | None = None
    statement_no: str | None = None
    create_date: str | None = None


class BillSendRecord(Row, kw_only=True):
    receiver_list: Sequence[str]
    cc_list: Sequence[str]
    attachment_url: str | None = None
    send_time: str
    state: int


class InvoicedStatement(Row, kw_only=True):
    id: int
    statement_no: str
    bill_date: str
    dept_id: int
    dept_name: str
    app_id: str
    state: int
    invoice_state: int
    invoiced_amount: Decimal
    invoice_time: str | None = None


class BillStatement(InvoicedStatement, kw_only=True):
    user_id: int | None = None
    state_desc: str
    total_amount: Decimal
    not_invoiced_amount: Decimal
    confirm_date: str | None = None
    bill_detail_list: Sequence[BillLine] | None = None
    emails: Sequence[str]
    attachment_url: str | None = None
    settled_amount: Decimal
    overdraft_type: int
    send_record_list: Sequence[BillSendRecord]
    payment_state_desc: str


class BillTotals(Row, kw_only=True):
    total_amount_sum: Decimal
    invoiced_amount_sum: Decimal
    settled_amount_sum: Decimal
    receivable_amount_sum: Decimal


class BillReceivers(Row, kw_only=True):
    receiver_list: Sequence[str]
    cc_list: Sequence[str]


# ---- invoices -------------------------------------------------------------------------------------------------------


class CalculateRequest(Body, kw_only=True):
    statement_no_list: StatementNos | None = None


class UninvoicedQuery(CalculateRequest, kw_only=True):
    dept_id: Int64


class ApplyInvoiceRequest(Body, kw_only=True):
    statement_no_list: StatementNos | None = None
    invoice_amount: Decimal
    invoice_type: InvoiceType
    header_name: Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=NO_NUL)]
    tin: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=NO_NUL)]
    email: Email


class AddInvoiceRequest(ApplyInvoiceRequest, kw_only=True):
    dept_id: Int64
    invoice_url: Url | None = None


class InvoiceQuery(PageQuery, kw_only=True):
    dept_id: Int64 | None = None
    dept_id_list: Ids | None = None
    state_list: States | None = None


class AuditInvoiceRequest(Body, kw_only=True):
    id: Int64
    audit_type: AuditDecision
    reject_reason: Text | None = None
    invoice_url: Url | None = None


class FinishInvoiceRequest(Body, kw_only=True):
    id: Int64
    invoice_url: Url


class SendInvoiceEmailRequest(Body, kw_only=True):
    id: Int64
    email: Email


class UninvoicedStatement(Row, kw_only=True):
    statement_id: int
    statement_no: str
    invoice_amount: Decimal


class UninvoicedSummary(Row, kw_only=True):
    total_amount_sum: Decimal
    invoiced_amount_sum: Decimal
    not_invoiced_amount_sum: Decimal
    statement_details: Sequence[UninvoicedStatement]


class InvoiceRecord(Row, kw_only=True):
    id: int
    dept_id: int | None = None
    dept_name: str | None = None
    invoice_type: str
    state: int
    invoice_amount: Decimal
    statement_list: Sequence[InvoicedStatement]
    header_name: str
    tin: str
    email: str
    invoice_time: str | None = None
    invoice_url: str | None = None
    create_date: str


# ---- payments -------------------------------------------------------------------------------------------------------


class PaymentQuery(PageQuery, kw_only=True):
    customer_ids: Ids | None = None
    salesman_ids: Ids | None = None
    state_list: Annotated[list[AuditState], msgspec.Meta(max_length=50)] | None = None
    payment_date_gte: Day | None = None
    payment_date_lte: Day | None = None


class AuditPaymentRequest(Body, kw_only=True):
    payment_no: StatementNo
    audit_type: AuditDecision
    reject_reason: Text | None = None


class PaymentRecord(Row, kw_only=True):
    create_by: int | None = None
    create_time: str
    modify_time: str
    payment_no: str
    customer_id: int
    customer_name: str | None = None
    salesman_id: int | None = None
    salesman_name: str | None = None
    amount: Decimal
    residue_amount: Decimal | None = None
    after_debt_amount: Decimal | None = None
    state: int
    payment_date: str
    audit_time: str | None = None
    certificate_list: Sequence[str]
    remark: str | None = None
    reject_reason: str | None = None
    royalty_rate: float | None = None
    royalty_amount: Decimal | None = None


class PaymentTotals(Row, kw_only=True):
    amount_sum: Decimal
    royalty_amount_sum: Decimal


# ---- bills by product and by source ---------------------------------------------------------------------------------


class UpstreamBillQuery(PageQuery, kw_only=True):
    bill_type: Literal["source_daily", "source_monthly"]
    start_date: MonthOrDay | None = None
    end_date: MonthOrDay | None = None
    data_source_id_list: Ids | None = None
    check_item_list: Codes | None = None


class ProductBillQuery(PageQuery, kw_only=True):
    """CrmBillBeeBillListRequest."""

    bill_type: Literal["cust_daily", "cust_monthly"]
    bill_date_gte: MonthOrDay | None = None
    bill_date_lte: MonthOrDay | None = None
    dept_ids: Ids | None = None


class UpstreamBillTotals(Row, kw_only=True):
    total_count: int
    total_cost: Decimal
