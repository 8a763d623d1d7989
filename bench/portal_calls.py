"""What `bench.queries` asks the portals: each list and each figure, as it opens and with its usual filter."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bench.stored_portals import PERSON
from bench.stored_usage import merchant
from schemas.mt.common import Zone

OPERATOR, CUSTOMER = "operator-token", "customer-token"
BASELINE = "health"
DEPT = 10
"""The account of the customer who asks."""


class Ask(msgspec.Struct, frozen=True):
    token: str
    method: str
    path: str
    body: Any = None


def calls(now: datetime, zone: Zone, count: int) -> Mapping[str, Ask]:
    """By name."""
    return {
        BASELINE: Ask(OPERATOR, "GET", "/mt/crm/api/health"),
        **records(now, zone, count),
        **figures(now, zone),
        **bills(now, zone),
        **lists(now, zone),
    }


def records(now: datetime, zone: Zone, count: int) -> Mapping[str, Ask]:
    own, all_ = "/mt/beeback/apiData/recordList", "/mt/crm/api/recordList"
    week = {"createDateGte": zone.day(now - timedelta(days=7))}
    return {
        "own records": _own(own, {}),
        "own records, page 100": _own(own, {"pageNo": 100}),
        "own records, a week of a product": _own(own, {**week, "itemCodeList": ["P3"]}),
        "own records, misses": _own(own, {**week, "success": 0}),
        "own record by number": _own(own, {"keyword": f"seq-{_of_first(count):09}"}),
        "all records": _all(all_, {}),
        "all records, a week": _all(all_, week),
        "a record": Ask(OPERATOR, "GET", f"/mt/crm/api/recordDetail/seq-{count // 2:09}"),
    }


def figures(now: datetime, zone: Zone) -> Mapping[str, Ask]:
    first = now - timedelta(days=30)
    days = {"unit": "DAYS", "startDate": zone.day(first), "endDate": zone.day(now)}
    months = {"unit": "MONTHS", "startDate": zone.month(first), "endDate": zone.month(now)}
    index = "/mt/crm/index/bee"
    return {
        "own calls by day": _own("/mt/beeback/index/apiStatistics", days),
        "own calls by month": _own("/mt/beeback/index/apiStatistics", months),
        "own key figures": Ask(CUSTOMER, "GET", "/mt/beeback/index/coreStatistics"),
        "key figures": _all(f"{index}/coreStatistics", {"dateType": 30}),
        "what waits": Ask(OPERATOR, "GET", f"{index}/backlog"),
        "trend by day": _all(f"{index}/apiCallStatistics", days),
        "trend by month": _all(f"{index}/apiCallStatistics", months),
        "ranking": _all(f"{index}/customerRanking", {"dateType": 30}),
        "calls of a customer": _all(f"{index}/customerCallStatistics", {"dateType": 30, "deptId": DEPT}),
    }


def bills(now: datetime, zone: Zone) -> Mapping[str, Ask]:
    month, week = zone.month(now - timedelta(days=31)), zone.day(now - timedelta(days=7))
    bill, own = "/mt/crm/bill", "/mt/beeback/billStatement"
    months = {"billDateGte": month, "billDateLte": month}
    asked = {
        "own statements": _own(f"{own}/list", {}),
        "own statements of a month": _own(f"{own}/list", months),
        "statements": _all(f"{bill}/list", {}),
        "statements of a month": _all(f"{bill}/list", months),
        "statements to be checked": _all(f"{bill}/list", {"stateList": [0]}),
        "statements of an account": _all(f"{bill}/list", {"deptIdList": [DEPT]}),
        "statements, sums of a month": _all(f"{bill}/statistics", months),
        "own invoices": _own(f"{own}/invoiceList", {}),
        "own invoices that wait": _own(f"{own}/invoiceList", {"stateList": [0]}),
        "what may be invoiced, own": _own(f"{own}/invoiceCalculate", {}),
        "invoices": _all(f"{bill}/invoice/list", {}),
        "invoices of an account": _all(f"{bill}/invoice/list", {"deptId": DEPT}),
        "what may be invoiced": _all(f"{bill}/invoice/calculate", {"deptId": DEPT}),
        "payments": _all(f"{bill}/payment/list", {}),
        "payments of a customer": _all(f"{bill}/payment/list", {"customerIds": [1]}),
        "payments of a week": _all(f"{bill}/payment/list", {"paymentDateGte": week}),
        "payments, sum of a week": _all(f"{bill}/payment/sum", {"paymentDateGte": week}),
    }
    for kind, since in (("daily", week), ("monthly", month)):
        cust, source = {"billType": f"cust_{kind}"}, {"billType": f"source_{kind}"}
        asked |= {
            f"bills by product, {kind}": _all(f"{bill}/beeBill/list", cust),
            f"bills by product, {kind}, lately": _all(f"{bill}/beeBill/list", {**cust, "billDateGte": since}),
            f"bills by product, {kind}, of an account": _all(f"{bill}/beeBill/list", {**cust, "deptIds": [DEPT]}),
            f"bills by source, {kind}": _all(f"{bill}/upstream/list", source),
            f"bills by source, {kind}, lately": _all(f"{bill}/upstream/list", {**source, "startDate": since}),
            f"bills by source, {kind}, of a source": _all(f"{bill}/upstream/list", {**source, "dataSourceIdList": [1]}),
            f"bills by source, {kind}, sum lately": _all(f"{bill}/upstream/statistics", {**source, "startDate": since}),
        }
    return asked


def lists(now: datetime, zone: Zone) -> Mapping[str, Ask]:
    week = zone.text(now - timedelta(days=7))
    customer, product, schedule = "/mt/crm/customer", "/mt/crm/checkItem", "/mt/crm/schedule"
    own = "/mt/beeback"
    return {
        "own wallets": Ask(CUSTOMER, "POST", f"{own}/wallet/wallet/list"),
        "own flows": _own(f"{own}/wallet/wallet/flowList", {"assignWalletId": 1}),
        "own flows of a week": _own(f"{own}/wallet/wallet/flowList", {"assignWalletId": 1, "createTimeGte": week}),
        "own flows into the wallet": _own(f"{own}/wallet/wallet/flowList", {"assignWalletId": 1, "flowType": "in"}),
        "wallets of a customer": _all(f"{customer}/wallet/list", {"merchantId": 1}),
        "flows of a wallet": _all(f"{customer}/wallet/flowList", {"assignWalletId": 1}),
        "own accounts": _own(f"{own}/dept/developerInfo", {"env": "prod"}),
        "own products": _own(f"{own}/deptItem/mineList", {}),
        "own products that are open": _own(f"{own}/deptItem/mineList", {"stateList": [10]}),
        "products to apply for": _own(f"{own}/deptItem/searchItems", {}),
        "own alerts": _own(f"{own}/forewarn/itemList", {}),
        "products without an alert": _own(f"{own}/forewarn/itemList", {"queryForAdd": True}),
        "own contacts": Ask(CUSTOMER, "GET", f"{own}/forewarn/queryAllContacts"),
        "own contracts": _own(f"{own}/deptContract/list", {}),
        "own contracts of a week": _own(f"{own}/deptContract/list", {"createDateGte": week}),
        "own batch tasks": _own(f"{own}/apiTask/taskList", {}),
        "own batch tasks of a product": _own(f"{own}/apiTask/taskList", {"checkItem": "P3"}),
        "categories of documents": Ask(OPERATOR, "GET", "/mt/portal/apiDoc/categoryList"),
        "documents": _all("/mt/portal/apiDoc/queryList", {}),
        "grants": _all(f"{customer}/deptItem/list", {}),
        "grants of a customer": _all(f"{customer}/deptItem/list", {"merchantId": 1}),
        "grants of an account": _all(f"{customer}/deptItem/list", {"deptIdList": [DEPT]}),
        "grants of a product": _all(f"{customer}/deptItem/list", {"checkItemList": ["P3"]}),
        "grants to be audited": _all(f"{product}/deptItem/list", {"stateList": [0]}),
        "upstreams of a grant": _all(f"{customer}/deptItem/sourceConfigList", {"deptId": DEPT, "checkItem": "P3"}),
        "price changes of an account": _all(f"{customer}/deptItem/adjustList", {"deptId": DEPT}),
        "products": _all(f"{product}/list", {}),
        "who holds a product": _all(f"{product}/queryOpenedDeptList", {"checkItem": "P3"}),
        "sources": _all(f"{product}/datasource/list", {}),
        "upstreams of a product": _all(f"{product}/upstream/list", {"checkItem": "P3"}),
        "upstreams of a source": _all(f"{product}/upstream/list", {"dataSourceId": 1}),
        "price tasks": _all(f"{schedule}/adjustTaskList", {}),
        "price tasks of an account": _all(f"{schedule}/adjustTaskList", {"deptIdList": [DEPT]}),
        "product tasks": _all(f"{schedule}/changeCheckItemTaskList", {}),
        "cached answers of a product": _all("/mt/crm/api/cacheList", {"checkItem": "P3"}),
        "cached answers of a person": _all("/mt/crm/api/cacheList", {"mobile": PERSON.mobile}),
    }


def _own(path: str, body: Mapping[str, Any]) -> Ask:
    return Ask(CUSTOMER, "POST", path, body)


def _all(path: str, body: Mapping[str, Any]) -> Ask:
    return Ask(OPERATOR, "POST", path, body)


def _of_first(count: int) -> int:
    """A record of the customer who asks."""
    return next(number for number in range(count // 2, count) if merchant(number) == 1)
