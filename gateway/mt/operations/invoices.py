"""Invoices of statements: asked for by customers, audited and issued by operators, or added by them at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ulid import ULID

from gateway.mt.facts import fact
from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.statement_desk import StatementDesk, checked_address
from gateway.mt.statement_rows import Rows
from gateway.system import Reply
from handlers.statements.statement import OWED, Statement
from schemas.events import Event
from schemas.mt.access import Role
from schemas.mt.codes import MtRefused
from schemas.mt.common import IdRequest, page_of, price_of, yuan
from schemas.mt.statement_codes import INVOICE_STATE, NOTHING_OPEN
from schemas.mt.statements import (
    AddInvoiceRequest,
    ApplyInvoiceRequest,
    AuditInvoiceRequest,
    CalculateRequest,
    FinishInvoiceRequest,
    InvoiceQuery,
    InvoiceRecord,
    SendInvoiceEmailRequest,
    UninvoicedQuery,
    UninvoicedStatement,
    UninvoicedSummary,
)
from schemas.push import Language, PushRequested
from stores.mt.customers import find_customer
from stores.mt.invoices import INVOICES, SHOWN, Invoice, Invoices, InvoiceState, Wanted, to_invoice
from stores.mt.pages import find_by, find_page
from stores.mt.statements import STATEMENTS, actor_of, to_statement


class InvoiceOperations:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._desk = StatementDesk(tools)
        self._invoices = Invoices(tools.database)

    async def calculate(self, asked: Asked) -> Reply:
        """Of statements of which something may still be invoiced; those that are named, or all."""
        wanted: CalculateRequest | UninvoicedQuery = asked.body
        dept_id = wanted.dept_id if isinstance(wanted, UninvoicedQuery) else None
        found = await self._open(asked, wanted.statement_no_list, dept_id)
        return Reply(
            UninvoicedSummary(
                total_amount_sum=yuan(sum(statement.total_micro for statement in found)),
                invoiced_amount_sum=yuan(sum(statement.invoiced_micro for statement in found)),
                not_invoiced_amount_sum=yuan(sum(statement.not_invoiced_micro for statement in found)),
                statement_details=[
                    UninvoicedStatement(
                        statement_id=statement.id,
                        statement_no=statement.statement_no,
                        invoice_amount=yuan(statement.not_invoiced_micro),
                    )
                    for statement in found
                ],
            )
        )

    async def apply(self, asked: Asked) -> Reply:
        """A customer's: waits for an audit. The oldest statements first; a part of them is possible."""
        wanted: ApplyInvoiceRequest = asked.body
        await self._add(asked, wanted, await self._open(asked, wanted.statement_no_list, None))
        return Reply()

    async def add(self, asked: Asked) -> Reply:
        """An operator's: approved; with its file's address, issued."""
        wanted: AddInvoiceRequest = asked.body
        found = await self._open(asked, wanted.statement_no_list, wanted.dept_id)
        await self._add(asked, wanted, found, url=wanted.invoice_url)
        return Reply()

    async def audit(self, asked: Asked) -> Reply:
        wanted: AuditInvoiceRequest = asked.body
        await self._invoices.audit(
            asked.scope,
            wanted.id,
            actor_of(asked.principal),
            asked.at,
            passes=wanted.audit_type == "pass",
            url=wanted.invoice_url,
            reason=wanted.reject_reason,
        )
        return Reply()

    async def finish(self, asked: Asked) -> Reply:
        wanted: FinishInvoiceRequest = asked.body
        await self._invoices.issue(asked.scope, wanted.id, wanted.invoice_url, asked.at)
        return Reply()

    async def page(self, asked: Asked) -> Reply:
        """Newest first."""
        query: InvoiceQuery = asked.body
        states = [state.value for state in SHOWN if not query.state_list or state in query.state_list]
        match: dict[str, Any] = asked.scope.match()
        if asked.principal.role is not Role.CUSTOMER:
            depts = [*(query.dept_id_list or ()), *(() if query.dept_id is None else (query.dept_id,))]
            match |= {"dept_ids": {"$in": depts}} if depts else {}
        # After the accounts: the embedded store goes by the first of these that an index knows.
        match["state"] = {"$in": states}
        unpaged = self._tools.settings.metering.unpaged_rows
        found, total = await find_page(self._tools.database, INVOICES, match, query, [("_id", -1)], unpaged)
        return Reply(page_of(await self._records([to_invoice(each) for each in found], asked.at), total, query))

    async def detail(self, asked: Asked) -> Reply:
        wanted: IdRequest = asked.body
        return Reply((await self._records([await self._invoices.find(asked.scope, wanted.id)], asked.at))[0])

    async def send(self, asked: Asked) -> Reply:
        """By mail, with the address of its file. Refuses INVOICE_STATE before it is issued."""
        wanted: SendInvoiceEmailRequest = asked.body
        address = checked_address(wanted.email)
        invoice = await self._invoices.find(asked.scope, wanted.id)
        if invoice.state != InvoiceState.ISSUED or invoice.url is None:
            raise MtRefused(INVOICE_STATE, f"invoice {invoice.id} is not issued yet")
        customer = None
        if invoice.merchant_id is not None:
            customer = await find_customer(self._tools.database, invoice.merchant_id)
        return Reply(facts=(mail_of(invoice, address, (customer or {}).get("language"), asked),))

    async def _add(
        self, asked: Asked, wanted: ApplyInvoiceRequest, statements: Sequence[Statement], url: str | None = None
    ) -> Invoice:
        amount = price_of(wanted.invoice_amount, "invoiceAmount")
        if amount == 0 or not statements:
            raise MtRefused(NOTHING_OPEN, "there is nothing to be invoiced")
        return await self._invoices.add(
            statements,
            Wanted(
                amount_micro=amount,
                kind=wanted.invoice_type,
                header=wanted.header_name,
                tin=wanted.tin,
                email=checked_address(wanted.email),
                url=url,
                approved=isinstance(wanted, AddInvoiceRequest),
            ),
            actor_of(asked.principal),
            asked.at,
        )

    async def _open(self, asked: Asked, numbers: Sequence[str] | None, dept_id: int | None) -> list[Statement]:
        found = await self._desk.chosen(asked, numbers, dept_id=dept_id)
        left = [each for each in found if each.state in OWED and each.not_invoiced_micro > 0]
        return sorted(left, key=lambda each: (each.month, each.id))

    async def _records(self, invoices: Sequence[Invoice], at: datetime) -> list[InvoiceRecord]:
        numbers = {number for invoice in invoices for number in invoice.shares}
        found = await find_by(self._tools.database, STATEMENTS, "_id", numbers)
        statements = {each["_id"]: to_statement(each) for each in found}
        rows = self._desk.rows(at)
        return [self._record(invoice, [statements[number] for number in invoice.shares], rows) for invoice in invoices]

    def _record(self, invoice: Invoice, statements: Sequence[Statement], rows: Rows) -> InvoiceRecord:
        zone = self._tools.zone
        return InvoiceRecord(
            id=invoice.id,
            # Of several accounts of a customer it is none's.
            dept_id=invoice.dept_ids[0] if len(invoice.dept_ids) == 1 else None,
            dept_name=invoice.dept_name if len(invoice.dept_ids) == 1 else None,
            invoice_type=invoice.kind,
            state=invoice.state.value,
            invoice_amount=yuan(invoice.amount_micro),
            statement_list=[rows.invoiced(statement) for statement in statements],
            header_name=invoice.header,
            tin=invoice.tin,
            email=invoice.email,
            invoice_time=None if invoice.issued_at is None else zone.text(invoice.issued_at),
            invoice_url=invoice.url,
            create_date=zone.text(invoice.created_at),
        )


def mail_of(invoice: Invoice, address: str, language: Language | None, asked: Asked) -> Event:
    push = PushRequested(
        recipient=f"email/{address}",
        kind="invoice.sent",
        fields={
            "invoice": invoice.id,
            "header": invoice.header,
            "amount_micros": invoice.amount_micro,
            "url": invoice.url,
        },
        language=language,
        channels=("email",),
    )
    event_id = f"invoice/{invoice.id}/{ULID.from_datetime(asked.at)}"
    return fact(asked, "push.requested", push.recipient, push, event_id)


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = InvoiceOperations(tools)
    crm, console = "/mt/crm/bill", "/mt/beeback/billStatement"
    return (
        MtOperation(
            "billStatementInvoiceCalculate",
            "POST",
            f"{console}/invoiceCalculate",
            own.calculate,
            CalculateRequest,
        ),
        MtOperation("billStatementApplyInvoice", "POST", f"{console}/applyInvoice", own.apply, ApplyInvoiceRequest),
        MtOperation("billStatementInvoiceList", "POST", f"{console}/invoiceList", own.page, InvoiceQuery),
        MtOperation("billStatementInvoiceDetail", "POST", f"{console}/invoiceDetail", own.detail, IdRequest),
        MtOperation(
            "billStatementSendInvoiceEmail", "POST", f"{console}/sendInvoiceEmail", own.send, SendInvoiceEmailRequest
        ),
        MtOperation("crmBillInvoiceCalculate", "POST", f"{crm}/invoice/calculate", own.calculate, UninvoicedQuery),
        MtOperation("crmBillInvoiceAdd", "POST", f"{crm}/invoice/add", own.add, AddInvoiceRequest),
        MtOperation("crmBillInvoiceList", "POST", f"{crm}/invoice/list", own.page, InvoiceQuery),
        MtOperation("crmBillInvoiceAudit", "POST", f"{crm}/invoice/audit", own.audit, AuditInvoiceRequest),
        MtOperation("crmBillInvoiceFinish", "POST", f"{crm}/invoice/finish", own.finish, FinishInvoiceRequest),
        MtOperation("crmBillInvoiceDetail", "POST", f"{crm}/invoice/detail", own.detail, IdRequest),
        MtOperation("crmBillSendInvoiceEmail", "POST", f"{crm}/sendInvoiceEmail", own.send, SendInvoiceEmailRequest),
    )
