"""Statements by the portals: who sees them, what their states allow, and that sums add up whoever asks at once."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from mt_api import OTHER_MERCHANT, Portals
from openpyxl import load_workbook
from statement_scenes import AT, MONTH, Scene, a_dept, a_statement, a_wallet, an_account, invoice_of, know, use
from yarl import URL

from handlers.statements.statement import Overdraft, State, Statement
from handlers.usage.totals import CUST_MONTHLY
from schemas.errors import StoreAway
from schemas.mt import statement_codes as codes
from schemas.mt.access import Scope
from schemas.mt.codes import NOT_FOUND
from schemas.mt.common import Zone
from stores.jobs import Jobs
from stores.mongo import Database
from stores.mt.billing import Billing, MongoBooks
from stores.mt.billing_steps import bill_in
from stores.mt.invoices import INVOICES, Invoices
from stores.mt.payment_steps import approve_in
from stores.mt.payments import MongoTill, Payments
from stores.mt.statements import CLOCK, Statements
from tests.integration.chat_api import eventually, folding
from tests.integration.jobs_at_work import Silent, doing_jobs
from workers.statement_duties import MonthEnd, Settling
from workers.statement_jobs import start_making

CRM, CONSOLE = "/mt/crm/bill", "/mt/beeback/billStatement"
PREPAID, MONTHLY = Overdraft.PREPAID.value, Overdraft.MONTHLY.value


@pytest.fixture
def scene(portals: Portals, mt_database: Database) -> Scene:
    return Scene(portals, mt_database)


async def state_of(database: Database, statement: dict[str, Any]) -> State:
    found = await database["statements"].find_one({"_id": statement["_id"]})
    assert found is not None
    return State(found["state"])


# ---- who sees what --------------------------------------------------------------------------------------------------


async def test_customers_see_their_own_and_only_when_they_were_checked(portals: Portals, scene: Scene) -> None:
    made, checked = await scene.made(), await scene.checked()
    theirs = await scene.checked(merchant_id=OTHER_MERCHANT)
    numbers = [made["_id"], checked["_id"], theirs["_id"]]

    for portal, seen in ((portals.customer, {checked["_id"]}), (portals.other, {theirs["_id"]})):
        page = await portal.ok(f"{CONSOLE}/list", {"statementNoList": numbers, "nonPage": True})
        assert {row["statementNo"] for row in page["results"]} == seen
    page = await portals.operator.ok(f"{CRM}/list", {"statementNoList": numbers, "nonPage": True})
    assert {row["statementNo"] for row in page["results"]} == set(numbers)
    for hidden in (made, theirs):
        refused = await portals.customer.ask(f"{CONSOLE}/detail/{hidden['_id']}", method="GET")
        assert refused.code == NOT_FOUND
        refused = await portals.customer.ask(f"{CONSOLE}/confirm", {"statementNoList": [hidden["_id"]]})
        assert refused.code == NOT_FOUND


async def test_a_list_is_narrowed_by_every_filter_and_added_up_the_same(portals: Portals, scene: Scene) -> None:
    one, other = await scene.confirmed(fee_micro=2_500_000), await scene.made(fee_micro=1_000_000)
    both = {"statementNoList": [one["_id"], other["_id"]]}
    queries: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {one["_id"], other["_id"]}),
        ({"stateList": [20]}, {one["_id"]}),
        ({"keyword": f"ccount {other['dept_id']}"}, {other["_id"]}),
        ({"billDateGte": "2026-03"}, set()),
        ({"deptIdList": [one["dept_id"]]}, {one["_id"]}),
        ({"invoiceStateList": [10]}, set()),
        ({"overdraftTypeList": [20]}, {one["_id"], other["_id"]}),
    ]

    for query, wanted in queries:
        page = await portals.operator.ok(f"{CRM}/list", both | query)
        assert {row["statementNo"] for row in page["results"]} == wanted, query
    sums = await portals.operator.ok(f"{CRM}/statistics", both)
    assert (sums["totalAmountSum"], sums["receivableAmountSum"]) == (Decimal("3.5"), Decimal("3.5"))


async def test_an_export_holds_every_statement_of_the_query(portals: Portals, scene: Scene) -> None:
    statements = [await scene.made() for _ in range(3)]
    numbers = [statement["_id"] for statement in statements]

    answered = await portals.operator.ask(f"{CRM}/export", {"statementNoList": numbers, "pageSize": 1})

    assert answered.headers["Content-Type"] == "application/octet-stream"
    rows = list(load_workbook(BytesIO(answered.raw)).active.iter_rows(values_only=True))
    assert {row[0] for row in rows[1:]} == set(numbers)
    assert [row[5] for row in rows[1:]] == [10, 10, 10]


# ---- states ---------------------------------------------------------------------------------------------------------


async def test_a_statement_goes_its_way_and_no_other(portals: Portals, mt_database: Database, scene: Scene) -> None:
    statement = await scene.made()
    by_id, ids, numbers = (
        {"billId": statement["id"]},
        {"ids": [statement["id"]]},
        {"statementNoList": [statement["_id"]]},
    )

    refused = await portals.operator.ask(f"{CRM}/archive", ids)
    assert (refused.status, refused.code) == (200, codes.STATEMENT_STATE)
    await portals.operator.ok(f"{CRM}/recheck", by_id)
    for path, body in ((f"{CRM}/recheck", by_id), (f"{CRM}/delete", ids), (f"{CRM}/archive", ids)):
        assert (await portals.operator.ask(path, body)).code == codes.STATEMENT_STATE
    await portals.customer.ok(f"{CONSOLE}/confirm", numbers)
    assert (await portals.customer.ask(f"{CONSOLE}/confirm", numbers)).code == codes.STATEMENT_STATE
    line = (await scene.detail(statement))["billDetailList"][0]
    assert (await portals.operator.ask(f"{CRM}/removeSubBill", {"id": line["id"]})).code == codes.STATEMENT_STATE
    await portals.operator.ok(f"{CRM}/archive", ids)

    assert await state_of(mt_database, statement) is State.ARCHIVED
    moves = await Statements(mt_database).moves_of(statement["_id"])
    assert [(move["what"], move["by"]) for move in moves] == [
        ("make", "clock"),
        ("check", "operator/1"),
        ("confirm", "customer/21"),
        ("archive", "operator/1"),
    ]
    assert (moves[1]["before"]["state"], moves[1]["after"]["state"]) == ("made", "checked")


async def test_of_several_statements_none_moves_where_one_must_not(
    portals: Portals, mt_database: Database, scene: Scene
) -> None:
    made, confirmed = await scene.made(), await scene.confirmed()

    refused = await portals.operator.ask(f"{CRM}/delete", {"ids": [made["id"], confirmed["id"]]})

    assert refused.code == codes.STATEMENT_STATE
    assert confirmed["_id"] in refused.body["msg"]
    assert await state_of(mt_database, made) is State.MADE


async def test_an_operator_edits_merges_adds_and_takes_off_lines(portals: Portals, scene: Scene) -> None:
    statement = await scene.made()
    first, second = (await scene.detail(statement))["billDetailList"]

    def place() -> dict[str, Any]:
        return {"deptId": statement["dept_id"], "statementNo": statement["_id"]}

    await portals.operator.ok(f"{CRM}/saveSubBill", {"id": first["id"], "checkItem": "A100", "totalFee": 8})
    await portals.operator.ok(f"{CRM}/mergeDetail", {**place(), "mergeDetailIds": [first["id"], second["id"]]})
    added = {"statementNo": statement["_id"], "checkItem": "SETUP", "chargeCount": 2, "price": 0.25}
    await portals.operator.ok(f"{CRM}/saveSubBill", added)
    detail = await scene.detail(statement)
    assert [(line["checkItem"], line["totalFee"]) for line in detail["billDetailList"]] == [
        ("A100", Decimal("8.001")),
        ("SETUP", Decimal("0.5")),
    ]
    await portals.operator.ok(f"{CRM}/removeSubBill", {"id": detail["billDetailList"][0]["id"]})

    assert (await scene.detail(statement))["totalAmount"] == Decimal("0.5")
    wrong = {**added, "totalFee": 3, "settledAmount": 1, "receivableAmount": 1}
    assert (await portals.operator.ask(f"{CRM}/saveSubBill", wrong)).code == 40001


# ---- making ---------------------------------------------------------------------------------------------------------


async def test_many_that_bill_an_account_at_once_bill_it_once(mt_database: Database) -> None:
    dept_id = await an_account(mt_database)
    await use(mt_database, dept_id, "2026-01", fee_micro=5)
    await use(mt_database, dept_id, MONTH, fee_micro=7)

    async def bill(month: str) -> None:
        await Billing(mt_database).bill(dept_id, month, CLOCK, AT)

    await asyncio.gather(*(bill(month) for month in ("2026-01", MONTH) * 4))
    await use(mt_database, dept_id, "2026-01", fee_micro=100)
    await asyncio.gather(*(bill(MONTH) for _ in range(4)))

    statements = await Statements(mt_database).all_of({"dept_id": dept_id})
    assert sum(statement.total_micro for statement in statements) == 112
    # Whether January's usage has a statement of its own depends on who came first; no usage is in two.
    covered = [covered.key for each in statements for line in each.lines for covered in line.covers]
    assert len(covered) == len(set(covered))


async def test_what_was_decided_by_one_that_died_is_written_by_the_next(mt_database: Database) -> None:
    dept_id = await an_account(mt_database)
    await use(mt_database, dept_id, fee_micro=7)

    class Dying(MongoBooks):
        async def add(self, statement: Statement) -> bool:
            raise StoreAway(statement.statement_no)

    with pytest.raises(StoreAway):
        await bill_in(Dying(mt_database), dept_id, MONTH, CLOCK, AT)
    assert await Statements(mt_database).all_of({"dept_id": dept_id}) == []
    await use(mt_database, dept_id, fee_micro=3)

    await Billing(mt_database).bill(dept_id, MONTH, CLOCK, AT)

    (statement,) = await Statements(mt_database).all_of({"dept_id": dept_id})
    assert statement.total_micro == 10


async def test_a_job_makes_them_for_all_accounts_and_again_makes_nothing(
    portals: Portals, mt_database: Database
) -> None:
    await mt_database[CUST_MONTHLY].delete_many({})
    depts = [await an_account(mt_database) for _ in range(60)]
    for dept_id in depts:
        await use(mt_database, dept_id, fee_micro=dept_id)
    jobs = Jobs(mt_database)

    async def done(job_id: str) -> Any:
        job = await jobs.find(job_id)
        return job.result if job is not None and job.state == "done" else None

    async with doing_jobs(portals.settings):
        first = await start_making(jobs, MONTH, datetime.now(UTC), again="first")
        assert await eventually(lambda: done(first.id), 120) == {"accounts": 60, "statements": 60}
        second = await start_making(jobs, MONTH, datetime.now(UTC), again="second")
        assert await eventually(lambda: done(second.id), 120) == {"accounts": 60, "statements": 0}

    made = await Statements(mt_database).all_of({"dept_id": {"$in": depts}})
    assert {statement.dept_id: statement.total_micro for statement in made} == {dept: dept for dept in depts}


async def test_the_clock_starts_last_months_once_and_corrections_every_day(mt_database: Database) -> None:
    jobs = Jobs(mt_database)
    await mt_database["jobs"].delete_many({"kind": "statements"})
    month_end = MonthEnd(jobs, Zone("Asia/Shanghai"), timedelta(hours=2))

    async def started() -> list[str]:
        return sorted([job["_id"] async for job in mt_database["jobs"].find({"kind": "statements"})])

    # Half past one in the night of April 1: March is not taken for complete yet.
    await month_end.tick(datetime(2026, 3, 31, 17, 30, tzinfo=UTC))
    assert await started() == ["statements/2026-02", "statements/corrected/2026-03-31"]
    await month_end.tick(datetime(2026, 3, 31, 18, 30, tzinfo=UTC))
    await month_end.tick(datetime(2026, 3, 31, 19, 30, tzinfo=UTC))

    assert await started() == [
        "statements/2026-02",
        "statements/2026-03",
        "statements/corrected/2026-03-31",
        "statements/corrected/2026-04-01",
    ]


# ---- money ----------------------------------------------------------------------------------------------------------


async def two_months_confirmed(database: Database, merchant: int) -> None:
    """Two statements of ten yuan each."""
    dept_id = await an_account(database, merchant_id=merchant)
    for month in ("2026-01", MONTH):
        await use(database, dept_id, month, fee_micro=10_000_000, merchant_id=merchant)
        await Billing(database).bill(dept_id, month, CLOCK, AT)
    await database["statements"].update_many({"dept_id": dept_id}, {"$set": {"state": State.CONFIRMED.value}})


async def test_customers_that_ask_for_invoices_at_once_get_no_more_than_there_is(
    portals: Portals, mt_database: Database, scene: Scene
) -> None:
    one, other = await scene.confirmed(), await scene.confirmed()
    wanted = invoice_of(one, 7) | {"statementNoList": [one["_id"], other["_id"]]}

    answers = await asyncio.gather(*(portals.customer.ask(f"{CONSOLE}/applyInvoice", wanted) for _ in range(8)))

    taken = [answered.code for answered in answers].count(0)
    assert {answered.code for answered in answers} <= {0, codes.OVER_LIMIT, codes.NOTHING_OPEN, codes.CHANGED_MEANWHILE}
    assert 1 <= taken <= 2  # of 20 yuan in all
    invoiced = [(await scene.detail(each))["invoicedAmount"] for each in (one, other)]
    assert sum(invoiced) == 7 * taken
    assert await mt_database[INVOICES].count_documents({"unsettled": True, "state": -20}) == 0


async def test_a_rejected_invoice_gives_back_what_it_took(portals: Portals, scene: Scene) -> None:
    statement = await scene.confirmed()
    number = await scene.applied(statement, 10)
    assert (await scene.detail(statement))["notInvoicedAmount"] == 0

    await portals.operator.ok(f"{CRM}/invoice/audit", {"id": number, "auditType": "reject", "rejectReason": "no"})

    assert (await scene.detail(statement))["notInvoicedAmount"] == 10
    again = await portals.operator.ask(f"{CRM}/invoice/audit", {"id": number, "auditType": "pass"})
    assert again.code == codes.INVOICE_STATE


async def test_an_invoice_is_issued_after_its_audit_and_not_before(portals: Portals, scene: Scene) -> None:
    statement = await scene.confirmed()
    number = await scene.applied(statement, 4)
    finish = {"id": number, "invoiceUrl": "https://example.com/1.pdf"}

    assert (await portals.operator.ask(f"{CRM}/invoice/finish", finish)).code == codes.INVOICE_STATE
    await portals.operator.ok(f"{CRM}/invoice/audit", {"id": number, "auditType": "pass"})
    await portals.operator.ok(f"{CRM}/invoice/finish", finish)

    shown = await portals.customer.ok(f"{CONSOLE}/invoiceDetail", {"id": number})
    assert (shown["state"], shown["invoiceUrl"], shown["statementList"][0]["invoiceState"]) == (
        20,
        "https://example.com/1.pdf",
        10,
    )
    assert (await portals.other.ask(f"{CONSOLE}/invoiceDetail", {"id": number})).code == NOT_FOUND


async def test_an_invoice_left_in_the_middle_is_finished_by_the_clock(
    mt_database: Database, scene: Scene, portals: Portals
) -> None:
    statement = await scene.confirmed()
    number = await scene.applied(statement, 4)
    # As it stands where the gateway died after the first write.
    await mt_database[INVOICES].update_one({"_id": number}, {"$set": {"state": -20, "unsettled": True}})
    await mt_database["statements"].update_one(
        {"_id": statement["_id"]}, {"$set": {"invoice_shares": {}, "invoiced_micro": 0}}
    )

    assert await Invoices(mt_database).settle_abandoned(datetime.now(UTC) + timedelta(minutes=2)) == 1

    assert (await scene.detail(statement))["invoicedAmount"] == 4
    assert (await portals.customer.ok(f"{CONSOLE}/invoiceDetail", {"id": number}))["state"] == 0


async def test_a_payment_comes_as_an_event_and_settles_the_oldest_statements_once(
    portals: Portals, mt_database: Database, scene: Scene
) -> None:
    await mt_database["statements"].delete_many({"merchant_id": OTHER_MERCHANT})
    dept_id = await an_account(mt_database, merchant_id=OTHER_MERCHANT)
    for month in (MONTH, "2026-01"):
        await use(mt_database, dept_id, month, fee_micro=10_000_000, merchant_id=OTHER_MERCHANT)
    for month in ("2026-01", MONTH):
        (number,) = await Billing(mt_database).bill(dept_id, month, CLOCK, AT)
        found = await mt_database["statements"].find_one({"_id": number})
        await portals.operator.ok(f"{CRM}/recheck", {"billId": found["id"]})
    await portals.other.ok(f"{CONSOLE}/confirm", {})
    event = {
        "specversion": "1.0",
        "id": "TRANSFER-1",
        "source": "bank",
        "type": "payment.received",
        "data": {"merchant_id": OTHER_MERCHANT, "amount_micro": 15_500_000, "paid_on": "2026-03-09"},
    }
    query = {"customerIds": [OTHER_MERCHANT]}

    async def there() -> Any:
        return (await portals.operator.ok(f"{CRM}/payment/list", query))["results"]

    async with folding(portals.settings):
        await portals.publish(event, {**event, "time": "2026-03-09T10:00:00Z"})
        await portals.publish(event)
        (payment,) = await eventually(there)
    number = payment["paymentNo"]
    assert payment["state"] == 0
    audit = {"paymentNo": number, "auditType": "pass"}
    codes_of = [
        answered.code
        for answered in await asyncio.gather(*(portals.operator.ask(f"{CRM}/payment/audit", audit) for _ in range(4)))
    ]

    assert sorted(codes_of) == [0, *(3 * [codes.PAYMENT_STATE])]
    rows = (await portals.other.ok(f"{CONSOLE}/list", {}))["results"]
    assert [(row["billDate"], row["settledAmount"]) for row in rows] == [(MONTH, Decimal("5.5")), ("2026-01", 10)]
    (payment,) = (await portals.operator.ok(f"{CRM}/payment/list", query))["results"]
    assert (payment["residueAmount"], payment["afterDebtAmount"]) == (0, Decimal("4.5"))
    assert (await portals.operator.ok(f"{CRM}/payment/sum", query))["amountSum"] == Decimal("15.5")


async def test_payments_approved_at_once_leave_nothing_open_that_they_could_settle(
    portals: Portals, mt_database: Database, scene: Scene
) -> None:
    merchant = 50_007
    await two_months_confirmed(mt_database, merchant)
    numbers = [await scene.paid(10_000_000, f"at-once-{number}", merchant) for number in range(2)]

    await asyncio.gather(
        *(portals.operator.ok(f"{CRM}/payment/audit", {"paymentNo": number, "auditType": "pass"}) for number in numbers)
    )

    payments = [await Payments(mt_database).find(Scope(None), number) for number in numbers]
    assert [payment.residue_micro for payment in payments] == [0, 0]
    assert sorted(micro for payment in payments for micro in payment.settled.values()) == [10_000_000] * 2
    assert await Payments(mt_database).debt_micro(merchant) == 0


async def test_a_payment_left_in_the_middle_settles_what_another_has_left_open(
    mt_database: Database, scene: Scene
) -> None:
    merchant = 50_008
    await two_months_confirmed(mt_database, merchant)
    first, second = [await scene.paid(10_000_000, f"middle-{number}", merchant) for number in range(2)]
    payments = Payments(mt_database)

    class Dying(MongoTill):
        async def put(self, statement: Statement) -> bool:
            raise StoreAway(statement.statement_no)

    with pytest.raises(StoreAway):
        await approve_in(Dying(mt_database), await payments.find(Scope(None), first), CLOCK, AT)
    await payments.approve(Scope(None), second, CLOCK, AT)

    await payments.uncredited(200)

    assert await payments.debt_micro(merchant) == 0
    assert (await payments.find(Scope(None), first)).residue_micro == 0


async def test_a_payment_for_a_statement_waits_until_that_is_confirmed(
    portals: Portals, mt_database: Database, scene: Scene
) -> None:
    statement = await scene.checked()
    number = await scene.paid(10_000_000, "early-1")
    await mt_database["payments"].update_one({"payment_no": number}, {"$set": {"told": {statement["_id"]: 10_000_000}}})
    audit = {"paymentNo": number, "auditType": "pass"}

    refused = await portals.operator.ask(f"{CRM}/payment/audit", audit)
    assert (refused.status, refused.code) == (200, codes.NOT_CONFIRMED)
    assert statement["_id"] in refused.body["msg"]
    await portals.customer.ok(f"{CONSOLE}/confirm", {"statementNoList": [statement["_id"]]})
    await portals.operator.ok(f"{CRM}/payment/audit", audit)

    assert (await scene.detail(statement))["settledAmount"] == 10


async def test_an_approved_payment_is_credited_to_the_wallets_that_were_charged(
    portals: Portals, mt_database: Database, scene: Scene
) -> None:
    merchant = 50_001
    await a_wallet(mt_database, 90_001, merchant, PREPAID)
    await a_wallet(mt_database, 90_002, merchant, MONTHLY, app_code="own")
    statement = await scene.checked(merchant_id=merchant, app_code="own")
    assert (statement["wallet_id"], statement["open_micro"]) == (90_002, 10_000_000)
    await mt_database["statements"].update_one({"_id": statement["_id"]}, {"$set": {"state": 20}})
    number = await scene.paid(25_000_000, "credited-1", merchant)
    await portals.operator.ok(f"{CRM}/payment/audit", {"paymentNo": number, "auditType": "pass"})
    told = Silent()

    for _ in range(2):
        await Settling(mt_database, told).tick(datetime.now(UTC))

    told_of = {event.subject: event for event in told.published if number in event.id}
    assert {subject: b'"amountMicro":' in event.data for subject, event in told_of.items()} == {
        "90001": True,
        "90002": True,
    }
    assert b'"amountMicro":10000000' in told_of["90002"].data
    assert b'"amountMicro":15000000' in told_of["90001"].data
    assert len([event for event in told.published if number in event.id]) == 2
    assert await Payments(mt_database).debt_micro(merchant) == 0


async def test_a_statement_of_a_prepaid_customer_is_paid_as_it_is_made(mt_database: Database) -> None:
    merchant = 50_002
    await a_wallet(mt_database, 90_010, merchant, PREPAID)

    statement = await a_statement(mt_database, merchant_id=merchant)

    assert (statement["payment_state"], statement["open_micro"], statement["settled_micro"]) == (20, 0, 10_000_000)


async def test_what_the_wallet_of_an_app_has_paid_is_not_asked_for_again(mt_database: Database) -> None:
    merchant = 50_003
    await a_wallet(mt_database, 90_020, merchant, MONTHLY)
    await a_wallet(mt_database, 90_021, merchant, PREPAID, app_code="own")

    own = await a_statement(mt_database, merchant_id=merchant, app_code="own")
    other = await a_statement(mt_database, merchant_id=merchant, app_code="other")

    assert (own["wallet_id"], own["open_micro"]) == (90_021, 0)
    assert (other["wallet_id"], other["open_micro"]) == (90_020, 10_000_000)


async def test_what_a_wallet_opened_later_has_paid_is_not_asked_for_again(mt_database: Database) -> None:
    """Calls that nobody could pay for make a statement; then the wallet is opened, and they are rated again."""
    merchant = 50_004
    dept_id = await an_account(mt_database, merchant_id=merchant)
    await use(mt_database, dept_id, fee_micro=0, merchant_id=merchant)
    (number,) = await Billing(mt_database).bill(dept_id, MONTH, CLOCK, AT)
    await a_wallet(mt_database, 90_030, merchant, PREPAID)

    await use(mt_database, dept_id, fee_micro=300, count=0, merchant_id=merchant)
    await Billing(mt_database).bill(dept_id, MONTH, CLOCK, AT, make=False)

    statement = await Statements(mt_database).find(Scope(None), {"_id": number})
    assert (statement.total_micro, statement.open_micro, statement.wallet_id) == (300, 0, 90_030)
    assert statement.overdraft is Overdraft.PREPAID


async def test_an_account_has_statements_once_somebody_knows_whose_it_is(mt_database: Database) -> None:
    dept_id = a_dept()
    await use(mt_database, dept_id, fee_micro=0)
    assert await Billing(mt_database).bill(dept_id, MONTH, CLOCK, AT) == []

    await know(mt_database, dept_id, merchant_id=50_005, emails=("bills@example.com",))
    (number,) = await Billing(mt_database).bill(dept_id, MONTH, CLOCK, AT)

    statement = await Statements(mt_database).find(Scope(None), {"_id": number})
    assert (statement.merchant_id, statement.emails) == (50_005, ("bills@example.com",))


async def test_a_statement_that_was_made_for_nobody_comes_to_its_customer_with_its_next_change(
    mt_database: Database,
) -> None:
    dept_id = await an_account(mt_database, merchant_id=50_006, emails=("bills@example.com",))
    await use(mt_database, dept_id, fee_micro=0)
    (number,) = await Billing(mt_database).bill(dept_id, MONTH, CLOCK, AT)
    await mt_database["statements"].update_one({"_id": number}, {"$set": {"merchant_id": None, "emails": []}})

    await use(mt_database, dept_id, fee_micro=300, count=0)
    await Billing(mt_database).bill(dept_id, MONTH, CLOCK, AT, make=False)

    statement = await Statements(mt_database).find(Scope(None), {"_id": number})
    assert (statement.merchant_id, statement.emails) == (50_006, ("bills@example.com",))


async def test_only_workbooks_of_the_statement_itself_are_mailed(portals: Portals, scene: Scene) -> None:
    mine, other = await scene.checked(), await scene.checked()
    url = await portals.operator.ok(f"{CRM}/gainAttachment", {"billId": other["id"]})
    sent = {"billId": mine["id"], "receiverList": ["li@example.com"]}

    for wrong in (url, "https://evil.example.com/x.xlsx", "/files/statements"):
        refused = await portals.operator.ask(f"{CRM}/resend", {**sent, "attachmentUrl": wrong})
        assert refused.code == codes.NO_FILE
    assert (await scene.detail(mine))["sendRecordList"] == []


async def test_an_attachment_is_what_the_statement_says_and_customers_need_no_token_for_it(
    portals: Portals, scene: Scene
) -> None:
    statement = await scene.made()
    url = await portals.operator.ok(f"{CRM}/gainAttachment", {"billId": statement["id"]})

    async with portals.http.get(URL("/files/" + url.partition("/files/")[2], encoded=True)) as answer:
        assert answer.status == 200, await answer.text()
        content = await answer.read()

    rows = list(load_workbook(BytesIO(content)).active.iter_rows(values_only=True))
    assert [row[-1] for row in rows[1:]] == [9.999, 0.001, 10]
    assert rows[1][1] == "A100"
