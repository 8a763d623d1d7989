"""Payments received from customers: listed, added up, audited. An approved one settles statements.

Every portal shows the same payments, each within its scope.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from handlers.payments import PAYMENTS
from schemas.mt.access import Scope
from schemas.mt.common import page_of, yuan
from schemas.mt.statements import AuditPaymentRequest, PaymentQuery, PaymentRecord, PaymentTotals
from stores.mongo import Document, translated
from stores.mt.customers import CUSTOMERS, customers_of
from stores.mt.pages import find_by, find_page
from stores.mt.payment_steps import AuditState, Payment
from stores.mt.payments import Payments, to_payment
from stores.mt.statements import actor_of


class PaymentOperations:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._payments = Payments(tools.database)

    async def page(self, asked: Asked) -> Reply:
        """Paid last first."""
        query: PaymentQuery = asked.body
        unpaged = self._tools.settings.metering.unpaged_rows
        found, total = await find_page(
            self._tools.database, PAYMENTS, await self._match(asked), query, [("paid_on", -1), ("_id", -1)], unpaged
        )
        return Reply(page_of(await self._records([to_payment(each) for each in found]), total, query))

    async def totals(self, asked: Asked) -> Reply:
        """Of what a list of the same query shows; rejected payments count only where they are asked for."""
        query: PaymentQuery = asked.body
        match = await self._match(asked)
        if not query.state_list:
            match["state"] = {"$gte": AuditState.WAITING.value}
        sums = {"amount": {"$sum": "$amount_micro"}, "royalty": {"$sum": "$royalty_micro"}}
        with translated():
            found = await (
                await self._tools.database[PAYMENTS].aggregate([{"$match": match}, {"$group": {"_id": None, **sums}}])
            ).to_list()
        summed = found[0] if found else {}
        return Reply(
            PaymentTotals(
                amount_sum=yuan(summed.get("amount", 0)), royalty_amount_sum=yuan(summed.get("royalty", 0) or 0)
            )
        )

    async def audit(self, asked: Asked) -> Reply:
        """Approved, it settles the statements it is for, or the oldest; the rest is the customer's."""
        wanted: AuditPaymentRequest = asked.body
        actor = actor_of(asked.principal)
        if wanted.audit_type == "pass":
            await self._payments.approve(asked.scope, wanted.payment_no, actor, asked.at)
        else:
            await self._payments.reject(asked.scope, wanted.payment_no, wanted.reject_reason, actor, asked.at)
        return Reply()

    async def _match(self, asked: Asked) -> dict[str, Any]:
        query: PaymentQuery = asked.body
        match: dict[str, Any] = (await self._within(asked.scope, query)).match()
        if query.state_list:
            match["state"] = {"$in": list(query.state_list)}
        bounds = {"$gte": query.payment_date_gte, "$lte": query.payment_date_lte}
        if days := {operator: day[:10] for operator, day in bounds.items() if day}:
            match["paid_on"] = days
        return match

    async def _within(self, scope: Scope, query: PaymentQuery) -> Scope:
        """The customers of the scope that are asked for."""
        if query.customer_ids:
            scope = narrowed(scope, query.customer_ids)
        if query.salesman_ids:
            of_salesmen = [await customers_of(self._tools.database, salesman) for salesman in query.salesman_ids]
            scope = narrowed(scope, frozenset().union(*of_salesmen))
        return scope

    async def _records(self, payments: Sequence[Payment]) -> list[PaymentRecord]:
        found = await find_by(self._tools.database, CUSTOMERS, "_id", {payment.merchant_id for payment in payments})
        customers = {customer["_id"]: customer for customer in found}
        return [self._record(payment, customers.get(payment.merchant_id, {})) for payment in payments]

    def _record(self, payment: Payment, customer: Document) -> PaymentRecord:
        text = self._tools.zone.text

        def amount(micro: int | None) -> Any:
            return None if micro is None else yuan(micro)

        return PaymentRecord(
            create_by=payment.created_by,
            create_time=text(payment.created_at),
            modify_time=text(payment.modified_at or payment.created_at),
            payment_no=payment.payment_no,
            customer_id=payment.merchant_id,
            customer_name=customer.get("name"),
            salesman_id=customer.get("salesman_id"),
            salesman_name=customer.get("salesman_name"),
            amount=yuan(payment.amount_micro),
            residue_amount=amount(payment.residue_micro),
            after_debt_amount=amount(payment.after_debt_micro),
            state=payment.state.value,
            payment_date=payment.paid_on,
            audit_time=None if payment.audited_at is None else text(payment.audited_at),
            certificate_list=payment.certificates,
            remark=payment.remark,
            reject_reason=payment.reject_reason,
            royalty_rate=payment.royalty_rate,
            royalty_amount=amount(payment.royalty_micro),
        )


def narrowed(scope: Scope, merchants: Iterable[int]) -> Scope:
    return Scope(frozenset(number for number in merchants if scope.admits(number)))


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = PaymentOperations(tools)
    crm = "/mt/crm/bill/payment"
    return (
        MtOperation("crmBillPaymentList", "POST", f"{crm}/list", own.page, PaymentQuery),
        MtOperation("crmBillPaymentSum", "POST", f"{crm}/sum", own.totals, PaymentQuery),
        MtOperation("crmBillPaymentAudit", "POST", f"{crm}/audit", own.audit, AuditPaymentRequest),
    )
