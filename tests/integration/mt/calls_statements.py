"""The walk's calls of statements, invoices, payments and bills."""

from itertools import count
from typing import Any

from mt_api import Portals
from mt_contract import Builder, Request
from statement_scenes import MONTH, invoice_of, scene

EMAIL = "billing@example.com"
_numbers = count(1)


async def listed(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.confirmed(emails=(EMAIL,))
    chosen = {"statementNoList": [statement["_id"]], "billDateGte": MONTH, "billDateLte": MONTH}
    return [
        Request({}),
        Request({**chosen, "stateList": [20], "invoiceStateList": [0], "overdraftTypeList": [20]}),
        Request({"keyword": "Account", "pageSize": 1}),
        Request({"nonPage": True}),
    ]


async def detailed(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.confirmed(emails=(EMAIL,))
        number = await own.invoiced(statement, invoiceUrl="https://example.com/1.pdf")
        assert number
    return [Request({"deptId": statement["dept_id"], "statementNo": statement["_id"]})]


async def own_detailed(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.checked()
    return [Request(params={"statementNo": statement["_id"]})]


async def confirmed(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        one, _other = await own.checked(), await own.checked()
    return [Request({"statementNoList": [one["_id"]]}), Request({})]


async def merged(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.made()
        ids = [line["id"] for line in (await own.detail(statement))["billDetailList"]]
    return [Request({"deptId": statement["dept_id"], "statementNo": statement["_id"], "mergeDetailIds": ids})]


async def modified(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.made()
    return [Request({"statementNo": statement["_id"], "canInvoiceAmount": 5.5})]


async def line_saved(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.made()
        line = (await own.detail(statement))["billDetailList"][0]
    new = {"statementNo": statement["_id"], "checkItem": "SETUP", "checkItemName": "Set up", "totalFee": 100}
    edited = {"id": line["id"], "checkItem": line["checkItem"], "count": 9, "chargeCount": 9, "price": 0.5}
    return [
        Request(new),
        Request(edited),
        Request({**edited, "totalFee": 4, "settledAmount": 1, "receivableAmount": 3}),
    ]


async def line_removed(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        line = (await own.detail(await own.made()))["billDetailList"][0]
    return [Request({"id": line["id"]})]


async def attached(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.made()
    return [Request({"billId": statement["id"]}), Request({"billId": statement["id"], "rebuildForce": True})]


async def received(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.made(emails=(EMAIL,))
    return [Request(params={"deptId": statement["dept_id"]})]


async def of_one_made(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        return [Request({"billId": (await own.made(emails=(EMAIL,)))["id"]})]


async def resent(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.checked()
        url = await portals.operator.ok("/mt/crm/bill/gainAttachment", {"billId": statement["id"]})
    sent = {"billId": statement["id"], "receiverList": [EMAIL], "attachmentUrl": url}
    return [Request(sent), Request({**sent, "ccList": ["copy@example.com"]})]


async def ids_of_two_made(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        return [Request({"ids": [(await own.made())["id"], (await own.made())["id"]]})]


async def ids_of_confirmed(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        return [Request({"ids": [(await own.confirmed())["id"]]})]


async def calculated(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.confirmed()
    dept = {"deptId": statement["dept_id"]}
    return [Request(dept), Request({**dept, "statementNoList": [statement["_id"]]})]


async def own_calculated(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.confirmed()
    return [Request({}), Request({"statementNoList": [statement["_id"]]})]


async def invoice_added(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.confirmed()
    added: dict[str, Any] = invoice_of(statement, 2.5) | {"deptId": statement["dept_id"]}
    del added["statementNoList"]
    return [Request(added), Request({**added, "invoiceUrl": "https://example.com/1.pdf"})]


async def invoice_applied(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        return [Request(invoice_of(await own.confirmed(), 10))]


async def invoices_listed(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.confirmed()
        await own.applied(statement)
        await own.invoiced(statement, invoiceUrl="https://example.com/1.pdf")
    return [Request({}), Request({"deptId": statement["dept_id"], "stateList": [0, 20]})]


async def invoice_audited(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.confirmed()
        one, other, third = [await own.applied(statement) for _ in range(3)]
    return [
        Request({"id": one, "auditType": "pass"}),
        Request({"id": other, "auditType": "pass", "invoiceUrl": "https://example.com/1.pdf"}),
        Request({"id": third, "auditType": "reject", "rejectReason": "wrong title"}),
    ]


async def invoice_finished(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        number = await own.invoiced(await own.confirmed())
    return [Request({"id": number, "invoiceUrl": "https://example.com/1.pdf"})]


async def invoice_shown(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        return [Request({"id": await own.applied(await own.confirmed())})]


async def invoice_sent(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        number = await own.invoiced(await own.confirmed(), invoiceUrl="https://example.com/1.pdf")
    return [Request({"id": number, "email": EMAIL})]


async def payments_listed(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        await own.paid(1_000_000, f"walk-{next(_numbers)}")
    dates = {"paymentDateGte": "2026-03-01", "paymentDateLte": "2026-03-31"}
    return [Request({}), Request({"customerIds": [1001], "salesmanIds": [31], "stateList": [0], **dates})]


async def payment_audited(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        await own.confirmed()
        one, other = [await own.paid(1_000_000, f"walk-{next(_numbers)}") for _ in range(2)]
    return [
        Request({"paymentNo": one, "auditType": "pass"}),
        Request({"paymentNo": other, "auditType": "reject", "rejectReason": "not ours"}),
    ]


async def products_billed(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        statement = await own.made()
    depts = {"deptIds": [statement["dept_id"]]}
    return [
        Request({"billType": "cust_monthly", **depts}),
        Request({"billType": "cust_daily", "billDateGte": "2026-02-01", "billDateLte": "2026-02-28"}),
    ]


async def upstream_billed(portals: Portals) -> list[Request]:
    async with scene(portals) as own:
        for collection, field, period in (("source_monthly", "month", MONTH), ("source_daily", "day", f"{MONTH}-11")):
            figures = {"count": 3, "success": 3, "charged": 2, "fee_micro": 9_000, "cost_micro": 3_001}
            about = {"source": "SRC", "item": "A100", "tag": "", field: period}
            key = {"_id": f"SRC/A100//{period}"}
            await own.database[collection].replace_one(key, {**figures, **about}, upsert=True)
        source = {"code": "SRC", "name": "Source", "created_at": None, "updated_at": None}
        source |= {"created_at": (now := (await own.database.command("hello"))["localTime"]), "updated_at": now}
        await own.database["mt_sources"].replace_one({"_id": 9001}, source, upsert=True)
    chosen = {"dataSourceIdList": [9001], "checkItemList": ["A100"]}
    return [
        Request({"billType": "source_monthly", "startDate": "2026-01", "endDate": "2026-12", **chosen}),
        Request({"billType": "source_daily", "startDate": "2026-02-01", "endDate": "2026-02-28"}),
    ]


CALLS: dict[str, Builder] = {
    "billStatementList": listed,
    "billStatementDetail": own_detailed,
    "billStatementConfirm": confirmed,
    "billStatementInvoiceCalculate": own_calculated,
    "billStatementApplyInvoice": invoice_applied,
    "billStatementInvoiceList": invoices_listed,
    "billStatementInvoiceDetail": invoice_shown,
    "billStatementSendInvoiceEmail": invoice_sent,
    "crmBillList": listed,
    "crmBillStatistics": listed,
    "crmBillExport": listed,
    "crmBillDetail": detailed,
    "crmBillMergeDetail": merged,
    "crmBillModifyStatement": modified,
    "crmBillSaveSubBill": line_saved,
    "crmBillRemoveSubBill": line_removed,
    "crmBillGainAttachment": attached,
    "crmBillSelectReceivers": received,
    "crmBillRecheck": of_one_made,
    "crmBillResend": resent,
    "crmBillInvalidate": ids_of_two_made,
    "crmBillArchive": ids_of_confirmed,
    "crmBillDelete": ids_of_two_made,
    "crmBillInvoiceCalculate": calculated,
    "crmBillInvoiceAdd": invoice_added,
    "crmBillInvoiceList": invoices_listed,
    "crmBillInvoiceAudit": invoice_audited,
    "crmBillInvoiceFinish": invoice_finished,
    "crmBillInvoiceDetail": invoice_shown,
    "crmBillSendInvoiceEmail": invoice_sent,
    "crmBillUpstreamStatistics": upstream_billed,
    "crmBillUpstreamList": upstream_billed,
    "crmBillUpstreamExport": upstream_billed,
    "crmBillPaymentList": payments_listed,
    "crmBillPaymentSum": payments_listed,
    "crmBillPaymentAudit": payment_audited,
    "crmBillBeeBillList": products_billed,
}
