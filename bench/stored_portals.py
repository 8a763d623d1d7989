"""What the portals list besides usage: customers, grants, bills, money and tasks, written into the store in bulk."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bench.stored_usage import BATCH, CUSTOMERS, PRODUCTS, SOURCES, book, merchant
from handlers.ledger import LEDGER, recharge
from handlers.payments import PAYMENTS
from handlers.products.moves import AdjustmentState, GrantState, TaskState
from handlers.products.prices import EVER
from handlers.statements.statement import Covered, Figures, Line, State, Statement
from schemas.mt.api_docs import ApiDoc
from schemas.mt.common import Zone
from schemas.mt.records import MD5
from stores.mongo import Database, Document
from stores.mt.accounts import Account
from stores.mt.alert_contacts import ALERT_CONTACTS, ALERT_RULES, AlertContact
from stores.mt.alert_rules import AlertRule, rule_id
from stores.mt.api_cache import API_CACHE, Person, digest_of, key_of
from stores.mt.api_docs import API_DOCS
from stores.mt.api_tasks import API_TASKS, ApiTask
from stores.mt.assignments import ASSIGNMENTS, Assignment
from stores.mt.contracts import CONTRACTS, Contract
from stores.mt.customers import CUSTOMERS as MT_CUSTOMERS
from stores.mt.grants import GRANTS, Grant, StoredPrice
from stores.mt.invoices import INVOICES, Invoice, InvoiceState
from stores.mt.payment_steps import AuditState, Payment
from stores.mt.price_book import ACCOUNTS, WALLETS
from stores.mt.products import PRODUCTS as MT_PRODUCTS
from stores.mt.products import Product
from stores.mt.schedule import (
    ADJUSTMENTS,
    PRICE_TASK,
    PRODUCT_TASK,
    TASKS,
    Adjusted,
    ProductChange,
    StoredTerms,
    Task,
)
from stores.mt.sources import SOURCES as MT_SOURCES
from stores.mt.sources import UPSTREAMS, Cost, Source, Upstream
from stores.mt.statements import STATEMENTS, to_document

SHARE = 50
"""Of so many calls there is one statement, invoice, payment, flow, task..."""
FEWEST = 500
SALESMEN = 5
PERSON = Person(mobile="13800138000")


async def fill_portals(database: Database, zone: Zone, records: int, now: datetime) -> None:
    """As many rows of each list as belong to so many calls."""
    rows = max(FEWEST, records // SHARE)
    for collection, documents in _stores(zone, rows, now).items():
        batch: list[Document] = []
        for document in documents:
            batch.append(document)
            if len(batch) == BATCH:
                await database[collection].insert_many(batch, ordered=False)
                batch = []
        if batch:
            await database[collection].insert_many(batch, ordered=False)
    # The wallets are there already: usage was charged to them.
    for wallet in range(1, CUSTOMERS + 1):
        own = {"wallet_id": wallet, "merchant_id": wallet, "is_default": True, "created_at": now, "updated_at": now}
        await database[WALLETS].update_one({"_id": str(wallet)}, {"$set": own}, upsert=True)


def _stores(zone: Zone, rows: int, now: datetime) -> Mapping[str, Iterator[Document]]:
    def each(make: Callable[[int, datetime], Any], count: int) -> Iterator[Document]:
        """Of times that are spread over a year, the newest last."""
        for number in range(1, count + 1):
            yield _document(make(number, now - timedelta(days=365) * ((count - number) / count)))

    return {
        MT_CUSTOMERS: each(_customer, CUSTOMERS),
        ACCOUNTS: each(_account, CUSTOMERS),
        MT_PRODUCTS: each(_product, PRODUCTS),
        API_DOCS: each(_doc, PRODUCTS),
        MT_SOURCES: each(_source, SOURCES),
        UPSTREAMS: each(_upstream, SOURCES * PRODUCTS),
        GRANTS: each(_grant, len(book().grants)),
        ASSIGNMENTS: each(_assignment, len(book().grants)),
        ADJUSTMENTS: each(_adjustment, rows),
        TASKS: each(_task, rows),
        STATEMENTS: each(lambda number, at: _statement(number, at, zone), rows),
        INVOICES: each(_invoice, rows),
        PAYMENTS: each(lambda number, at: _payment(number, at, zone), rows),
        LEDGER: each(_flow, rows),
        CONTRACTS: each(_contract, rows),
        API_TASKS: each(_api_task, rows),
        API_CACHE: each(lambda number, _: _cached(number, now), rows),
        ALERT_CONTACTS: each(_contact, 2 * CUSTOMERS),
        ALERT_RULES: each(_rule, CUSTOMERS * PRODUCTS),
    }


def _document(made: Any) -> Document:
    document: Document = made if isinstance(made, dict) else msgspec.to_builtins(made, builtin_types=(datetime,))
    return document


def _dept(number: int) -> int:
    return 10 * merchant(number)


def _item(number: int) -> str:
    return f"P{number // CUSTOMERS % PRODUCTS}"


def _one_of(number: int, some: Sequence[Any]) -> Any:
    return some[number % len(some)]


def _customer(number: int, at: datetime) -> Document:
    salesman = 100 + number % SALESMEN
    return {"_id": number, "merchant_id": number, "name": f"C{number}", "salesman_id": salesman, "updated_at": at}


def _account(number: int, at: datetime) -> Document:
    account = Account(dept_id=10 * number, merchant_id=number, name=f"A{number}", app_id=f"app-{number}")
    return {**_document(account), "created_at": at, "updated_at": at}


def _product(number: int, at: datetime) -> Product:
    return Product(
        code=f"P{number - 1}", id=number, name=f"Product {number}", created_at=at, updated_at=at, applicable=True
    )


def _doc(number: int, at: datetime) -> Document:
    item, category = f"P{number - 1}", f"K{number % 3}"
    doc = ApiDoc(check_item=item, api_name=f"Document {number}", category_code=category)
    fields = {"category": category, "name": doc.api_name, "task_able": True, "task_batch": True}
    return {"_id": item, "id": number, **fields, "doc": _document(doc), "created_at": at, "updated_at": at}


def _source(number: int, at: datetime) -> Source:
    return Source(id=number, code=f"S{number - 1}", name=f"Source {number}", created_at=at, updated_at=at)


def _upstream(number: int, at: datetime) -> Upstream:
    source = number % SOURCES
    return Upstream(
        id=number,
        source_id=source + 1,
        source_code=f"S{source}",
        item=f"P{number // SOURCES % PRODUCTS}",
        service="Demo",
        created_at=at,
        updated_at=at,
        costs=(Cost(EVER, 3_000),),
    )


def _grant(number: int, at: datetime) -> Grant:
    waits = number % 20 == 0
    return Grant(
        id=number,
        dept_id=_dept(number),
        merchant_id=merchant(number),
        item=_item(number),
        state=GrantState.WAITING if waits else GrantState.OPEN,
        prices=() if waits else (StoredPrice(since=EVER, fee_micro=10_000),),
        created_at=at,
        updated_at=at,
    )


def _assignment(number: int, at: datetime) -> Assignment:
    return Assignment(
        id=number,
        dept_id=_dept(number),
        merchant_id=merchant(number),
        item=_item(number),
        upstream_id=1 + number % (SOURCES * PRODUCTS),
        priority=1,
        created_at=at,
        updated_at=at,
    )


TERMS = StoredTerms(fee_micro=10_000, fee_type=20, charge_type=20, fee_detail={})


def _adjustment(number: int, at: datetime) -> Document:
    return {
        "_id": number,
        "grant_id": 1 + number % len(book().grants),
        "dept_id": _dept(number),
        "merchant_id": merchant(number),
        "item": _item(number),
        "before": _document(TERMS),
        "after": _document(TERMS),
        "state": int(_one_of(number, (AdjustmentState.CHANGED, AdjustmentState.CHANGED, AdjustmentState.CANCELLED))),
        "plan_time": at,
        "effect_time": at,
        "task_id": number,
        "created_by": 1,
        "created_at": at,
        "updated_at": at,
    }


def _task(number: int, at: datetime) -> Task:
    of_price = number % 4 > 0
    done = Adjusted(number, 1 + number % len(book().grants), _item(number), TERMS, TERMS)
    return Task(
        id=number,
        task_key=PRICE_TASK if of_price else PRODUCT_TASK,
        biz_key=str(number),
        state=TaskState.DONE,
        plan_at=at,
        settled=True,
        waits=False,
        dept_id=_dept(number) if of_price else None,
        merchant_id=merchant(number) if of_price else None,
        items=(_item(number),),
        adjusted=(done,) if of_price else (),
        change=None if of_price else ProductChange(product_id=1, item=_item(number), to_state=10),
        created_by=1,
        created_at=at,
        updated_at=at,
        finished_at=at,
    )


def _statement(number: int, at: datetime, zone: Zone) -> Document:
    month = zone.month(at)
    figures = Figures(count=100, charged=80, fee_micro=800_000, cost_micro=300_000)
    covered = Covered(month, _item(number), "", figures)
    line = Line(no=1, month=month, item=_item(number), figures=figures, covers=(covered,), made_at=at)
    made = Statement(
        statement_no=f"ST{number:09}",
        id=number,
        merchant_id=merchant(number),
        dept_id=_dept(number),
        month=month,
        dept_name=f"A{merchant(number)}",
        app_id=f"app-{merchant(number)}",
        wallet_id=merchant(number),
        state=_one_of(number, (State.ARCHIVED, State.CONFIRMED, State.CHECKED, State.MADE, State.ARCHIVED)),
        lines=(line,),
        next_line=2,
        payment_shares={f"pay-{number}": 800_000} if number % 3 else {},
        made_at=at,
    )
    return to_document(made)


def _invoice(number: int, at: datetime) -> Invoice:
    state = _one_of(number, (InvoiceState.ISSUED, InvoiceState.WAITING, InvoiceState.REJECTED, InvoiceState.ISSUED))
    return Invoice(
        id=number,
        merchant_id=merchant(number),
        dept_ids=(_dept(number),),
        kind="normal",
        amount_micro=800_000,
        shares={f"ST{number:09}": 800_000},
        header="A company",
        tin="91350100M000100Y43",
        email="bills@example.com",
        state=state,
        becomes=InvoiceState.WAITING,
        by="customer/2",
        created_at=at,
    )


def _payment(number: int, at: datetime, zone: Zone) -> Payment:
    return Payment(
        id=f"payments/pay-{number}",
        payment_no=f"pay-{number}",
        merchant_id=merchant(number),
        amount_micro=800_000,
        paid_on=zone.day(at),
        state=_one_of(number, (AuditState.APPROVED, AuditState.WAITING, AuditState.REJECTED)),
        created_at=at,
    )


def _flow(number: int, at: datetime) -> Document:
    entry = recharge(str(number), merchant(number), 1_000_000, at, method="manual")
    return {"_id": entry.id, **entry.body}


def _contract(number: int, at: datetime) -> Contract:
    return Contract(
        contract_no=f"CT{number:09}",
        merchant_id=merchant(number),
        dept_id=_dept(number),
        name=f"Contract {number}",
        state=_one_of(number, (0, 10, 20)),
        created_at=at,
    )


def _api_task(number: int, at: datetime) -> ApiTask:
    return ApiTask(
        id=number,
        merchant_id=merchant(number),
        dept_id=_dept(number),
        app_id=f"app-{merchant(number)}",
        item=_item(number),
        task_name=f"Task {number}",
        encryption_type=1,
        state=0,
        columns=("name",),
        sample_count=10,
        password_secret="",
        created_by=2,
        created_at=at,
    )


def _cached(number: int, now: datetime) -> Document:
    item = f"P{number % PRODUCTS}"
    digest = digest_of(PERSON if number <= PRODUCTS else Person(mobile=f"139{number:08}"), MD5)
    expires_at = now + timedelta(days=1, seconds=number)
    return {"_id": key_of(item, digest), "item": item, "digest": digest, "value": "", "expires_at": expires_at}


def _contact(number: int, at: datetime) -> AlertContact:
    return AlertContact(
        id=number,
        merchant_id=merchant(number),
        linkman=f"Somebody {number}",
        email="alerts@example.com",
        is_default=number <= CUSTOMERS,
        created_at=at,
        updated_at=at,
    )


def _rule(number: int, at: datetime) -> AlertRule:
    return AlertRule(
        id=rule_id(merchant(number), _item(number)),
        merchant_id=merchant(number),
        item=_item(number),
        period_seconds=300,
        error_count=10,
        contacts=(merchant(number),),
        since=at,
        set_by=2,
    )
