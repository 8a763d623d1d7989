"""The walk's calls of products, sources, grants and planned changes."""

from datetime import UTC, datetime

import msgspec
from mt_api import Portals, signed
from mt_contract import Builder, Request
from mt_products import (
    CHECK_ITEM,
    DEPT_ITEM,
    a_bundle,
    a_grant,
    a_price_task,
    a_product,
    a_source,
    an_account,
    an_application,
    an_upstream,
    later,
    product_id,
)

from schemas.mt.api_docs import ApiDoc
from stores.mongo import open_database
from stores.mt.api_docs import put_doc
from stores.mt.schedule import due_tasks, execute

ROYALTIES = [
    {"spreaderId": 7, "royaltyType": "rate", "royaltyPrice": 0.1, "royaltyRate": 0.05, "effectMonth": "2026-03"}
]


def from_other(*bodies: dict[str, object]) -> list[Request]:
    return [Request(body, headers=signed(body)) for body in bodies]


# ---- products -------------------------------------------------------------------------------------------------------


def new_product(code: str) -> dict[str, object]:
    return {
        "syncOtherEnv": False,
        "checkItem": code,
        "itemName": "New",
        "checkType": 100,
        "cacheFlag": 1,
        "cacheTime": 30,
        "feeType": 20,
        "riskThreshold": 0.5,
        "price": 1.25,
        "floorPrice": 0.5,
        "isFusion": False,
        "applicable": True,
        "encryptableList": [1, 2],
    }


async def product_added(_portals: Portals) -> list[Request]:
    return [Request(new_product("WALK_ADDED"))]


async def product_sync_added(_portals: Portals) -> list[Request]:
    body = new_product("WALK_SYNCED")
    return from_other(body, {**body, "price": 2})


async def product_listed(portals: Portals) -> list[Request]:
    dept_id = await an_account(portals)
    item = await a_product(portals)
    bundle = await a_bundle(portals, [item])
    await a_grant(portals, dept_id, item)
    return [
        Request({}),
        Request({"nonPage": True}),
        Request({"checkItemList": [bundle]}),
        Request({"excludeDeptId": dept_id, "compareDeptId": dept_id, "excludeCheckItemList": ["X"], "keyword": "Prod"}),
        Request({"applicable": True, "isFusion": False, "state": 10, "checkType": 100, "cacheFlag": 1, "feeType": 10}),
    ]


async def product_edited(portals: Portals) -> list[Request]:
    code = await a_product(portals)
    by_id = {"id": await product_id(portals, code), "itemName": "Other", "isOpen": 1, "floorPrice": 0.25}
    return [Request({"itemCode": code, "price": 3}), Request(by_id)]


async def product_sync_edited(portals: Portals) -> list[Request]:
    return from_other({"itemCode": await a_product(portals), "price": 3})


async def sub_items(portals: Portals) -> dict[str, object]:
    part = await a_product(portals)
    return {"checkItem": await a_bundle(portals, [part]), "subItems": [part, await a_product(portals)]}


async def sub_items_saved(portals: Portals) -> list[Request]:
    return [Request(await sub_items(portals))]


async def sub_items_synced(portals: Portals) -> list[Request]:
    return from_other(await sub_items(portals))


async def product_deleted(portals: Portals) -> list[Request]:
    return [Request({"id": await product_id(portals, await a_product(portals))})]


async def holders(portals: Portals) -> list[Request]:
    item = await a_product(portals)
    await a_grant(portals, await an_account(portals), item)
    return [Request({"checkItem": item})]


async def state_changed(portals: Portals) -> list[Request]:
    item, dept_id = await a_product(portals), await an_account(portals)
    await a_grant(portals, dept_id, item)
    noticed = {"deptId": dept_id, "userId": 1, "deptName": "A", "mobile": "13800138000", "email": "a@example.com"}
    planned = {"checkItem": item, "state": 5, "noticeScope": 10, "noticeCustomers": [noticed], "confirmed": True}
    return [
        Request({**planned, "effectTime": later(days=1), "noticeMethods": ["email"], "note": "soon"}),
        Request({"checkItem": item, "state": -1, "noticeScope": 20, "confirmed": True}),
        Request({"checkItem": item, "state": 10, "noticeScope": 0}),
    ]


# ---- sources --------------------------------------------------------------------------------------------------------


async def source_listed(portals: Portals) -> list[Request]:
    number, code = await a_source(portals)
    return [Request({}), Request({"keyword": code, "dataSourceIdList": [number]})]


async def source_saved(portals: Portals) -> list[Request]:
    number, code = await a_source(portals)
    return [
        Request({"dataSourceName": "New", "dataSourceCode": "WALK_SRC"}),
        Request({"id": number, "dataSourceName": "Renamed", "dataSourceCode": code}),
    ]


async def source_synced(_portals: Portals) -> list[Request]:
    return from_other(
        {"dataSourceName": "New", "dataSourceCode": "WALK_SYNC"},
        {"dataSourceName": "Renamed", "dataSourceCode": "WALK_SYNC"},
    )


async def source_deleted(portals: Portals) -> list[Request]:
    return [Request({"id": (await a_source(portals))[0]})]


async def upstream_listed(portals: Portals) -> list[Request]:
    item = await a_product(portals)
    await an_upstream(portals, item)
    number, _ = await a_source(portals)
    return [Request({"checkItem": item, "excludeSourceIdList": [number]}), Request({"dataSourceId": number})]


def new_upstream(item: str, code: str) -> dict[str, object]:
    return {
        "priority": 1,
        "datasourceCode": code,
        "service": "Demo",
        "checkItem": item,
        "reqKey": "key",
        "reqSecret": "hush",
        "reqUrl": "https://upstream.example/",
        "cost": 0.125,
        "costDetail": "{}",
        "extra": "{}",
        "scene": "night",
    }


async def upstream_saved(portals: Portals) -> list[Request]:
    item = await a_product(portals)
    (_, code), number = await a_source(portals), await an_upstream(portals, item)
    edited = {"id": number, "service": "Demo", "checkItem": item, "cost": 0.5, "reqSecret": "******"}
    return [Request(new_upstream(item, code)), Request(edited)]


async def upstream_synced(portals: Portals) -> list[Request]:
    item, (_, code) = await a_product(portals), await a_source(portals)
    body = new_upstream(item, code)
    return from_other(body, {**body, "cost": 0.5})


async def upstream_deleted(portals: Portals) -> list[Request]:
    return [Request({"id": await an_upstream(portals, await a_product(portals))})]


# ---- grants ---------------------------------------------------------------------------------------------------------


async def granted(portals: Portals) -> list[Request]:
    dept_id = await an_account(portals)
    item = {
        "itemCode": await a_product(portals),
        "itemName": "A",
        "chargeType": 20,
        "feeType": 20,
        "fee": 2.5,
        "freeCount": 10,
        "applyRemark": "please",
        "orgCode": "o",
        "riskThreshold": 0.5,
        "usedVersion": "v2",
        "isHidden": False,
        "spreaderRoyalties": ROYALTIES,
    }
    other = {"itemCode": await a_product(portals), "deptId": await an_account(portals)}
    return [Request({"deptId": dept_id, "checkItemList": [item, other], "applyRemark": "both"})]


async def bundle_granted(portals: Portals) -> list[Request]:
    dept_id, held, new = await an_account(portals), await a_product(portals), await a_product(portals)
    bundle = await a_bundle(portals, [held, new])
    await a_grant(portals, dept_id, held)
    body = {
        "deptId": dept_id,
        "checkItem": bundle,
        "chargeType": 10,
        "feeType": 10,
        "feeDetail": f'{{"{held}": 0.5, "{new}": 0.25}}',
        "freeCount": 5,
        "applyRemark": "bundle",
        "subItemList": [{"itemCode": held, "isAdded": False}, {"itemCode": new, "fee": 1, "isAdded": True}],
        "spreaderRoyalties": ROYALTIES,
    }
    return [Request(body)]


async def grants_listed(portals: Portals) -> list[Request]:
    dept_id, item = await an_account(portals), await a_product(portals)
    bundle = await a_bundle(portals, [item])
    await documented(portals, item)
    grant = await a_grant(portals, dept_id, item, spreaderRoyalties=ROYALTIES, feeType=20)
    whole = await a_grant(portals, dept_id, bundle)
    await portals.operator.ok(
        DEPT_ITEM + "adjust", {"effectTime": later(days=1), "itemList": [{"deptItemId": grant, "fee": 3}]}
    )
    return [
        Request({}),
        Request({"idList": [grant], "queryAdjusting": True, "querySpreader": True, "merchantId": 1001}),
        Request({"deptIdList": [dept_id], "keyword": "Product", "stateList": [10], "applicable": True}),
        Request({"fusionDeptItemId": whole, "isFusion": False, "contractStateList": [100], "nonPage": True}),
        Request({"categoryCode": "walk", "taskType": 10, "spreaderId": 7, "matchSpreaderMonth": "2026-04"}),
    ]


async def adjustments_listed(portals: Portals) -> list[Request]:
    dept_id, item = await an_account(portals), await a_product(portals)
    grant = await a_grant(portals, dept_id, item)
    await portals.operator.ok(DEPT_ITEM + "adjust", {"itemList": [{"deptItemId": grant, "fee": 3}]})
    return [
        Request({"deptId": dept_id}),
        Request({"deptId": dept_id, "deptItemIdList": [grant], "stateList": [0, 5, 10, 20, -10]}),
    ]


async def grant_edited(portals: Portals) -> list[Request]:
    dept_id, item = await an_account(portals), await a_product(portals)
    grant = await a_grant(portals, dept_id, item)
    named = {"deptId": dept_id, "deptItemId": grant, "itemCode": item}
    fields = {"fee": 4, "feeType": 20, "freeCount": 3, "orgCode": "o", "spreaderRoyalties": ROYALTIES}
    waiting = await an_application(portals)
    passed = {"deptId": waiting[0], "deptItemId": waiting[1], "itemCode": waiting[2], "isAuditPass": True, "fee": 1}
    return [Request(named), Request({**named, **fields}), Request(passed)]


async def a_grant_id(portals: Portals) -> int:
    return await a_grant(portals, await an_account(portals), await a_product(portals))


async def cache_days_set(portals: Portals) -> list[Request]:
    grant = await a_grant_id(portals)
    return [Request({"deptItemId": grant, "cacheFetchDays": 7}), Request({"deptItemId": grant})]


async def royalties_set(portals: Portals) -> list[Request]:
    return [Request({"deptItemId": await a_grant_id(portals), "spreaderRoyalties": ROYALTIES})]


async def free_counts_set(portals: Portals) -> list[Request]:
    return [Request({"itemList": [{"deptItemId": await a_grant_id(portals), "freeCount": 100}]})]


async def extra_set(portals: Portals) -> list[Request]:
    item = {"deptItemId": await a_grant_id(portals), "isHidden": True, "usedVersion": "v3"}
    return [Request({"itemList": [item]}), Request({})]


async def adjusted(portals: Portals) -> list[Request]:
    grant = await a_grant_id(portals)
    return [
        Request({"itemList": [{"deptItemId": grant, "fee": 3.000001}]}),
        Request({"effectTime": later(days=2), "itemList": [{"deptItemId": grant, "feeType": 20, "chargeType": 20}]}),
    ]


async def some_grants(portals: Portals) -> dict[str, object]:
    dept_id = await an_account(portals)
    return {"deptId": dept_id, "deptItemIds": [await a_grant(portals, dept_id, await a_product(portals))]}


async def grants_touched(portals: Portals) -> list[Request]:
    return [Request(await some_grants(portals))]


async def grants_enabled(portals: Portals) -> list[Request]:
    grants = await some_grants(portals)
    await portals.operator.ok(DEPT_ITEM + "disable", grants)
    return [Request(grants)]


async def parts_dealt(portals: Portals) -> list[Request]:
    bundle = await a_bundle(portals, [await a_product(portals)])
    grant, part = await a_grant(portals, await an_account(portals), bundle), await a_product(portals)
    return [
        Request({"deptItemId": grant, "checkItemList": [part], "dealType": 10}),
        Request({"deptItemId": grant, "checkItemList": [part], "dealType": 20}),
    ]


async def source_config(portals: Portals) -> dict[str, object]:
    dept_id, item = await an_account(portals), await a_product(portals)
    await a_grant(portals, dept_id, item)
    sources = [{"sourceId": await an_upstream(portals, item), "priority": 1}]
    return {"deptId": dept_id, "checkItem": item, "sourceList": sources}


async def source_config_saved(portals: Portals) -> list[Request]:
    body = await source_config(portals)
    return [Request(body), Request(body)]


async def source_config_listed(portals: Portals) -> list[Request]:
    body = await source_config(portals)
    await portals.operator.ok(DEPT_ITEM + "saveSourceConfig", body)
    return [Request({"deptId": body["deptId"], "checkItem": body["checkItem"]})]


async def source_config_deleted(portals: Portals) -> list[Request]:
    (listed,) = await source_config_listed(portals)
    (row,) = await portals.operator.ok(DEPT_ITEM + "sourceConfigList", listed.body)
    return [Request({"id": row["id"]})]


# ---- audits ---------------------------------------------------------------------------------------------------------


async def audited_list(portals: Portals) -> list[Request]:
    dept_id, _, item = await an_application(portals)
    return [
        Request({"deptIdList": [dept_id], "checkItemList": [item], "stateList": [0], "querySpreader": True}),
        Request({}),
    ]


async def audited(portals: Portals) -> list[Request]:
    requests = []
    for audit_type in ("pass", "reject"):
        await an_account(portals)
        dept_id, grant, item = await an_application(portals)
        body = {"deptId": dept_id, "deptItemId": grant, "itemCode": item, "auditType": audit_type, "fee": 2}
        sources = [{"sourceId": await an_upstream(portals, item), "priority": 0}]
        requests.append(Request({**body, "rejectReason": "no", "sourceList": sources, "isAuditPass": True}))
    return requests


async def audited_in_bulk(portals: Portals) -> list[Request]:
    requests = []
    for audit_type in ("pass", "reject"):
        await an_account(portals)
        items = []
        for _ in range(2):
            dept_id, grant, item = await an_application(portals)
            items.append({"deptId": dept_id, "deptItemId": grant, "itemCode": item, "fee": 2, "freeCount": 3})
        requests.append(Request({"auditType": audit_type, "itemList": items, "rejectReason": "no"}))
    return requests


# ---- customers ------------------------------------------------------------------------------------------------------


async def applied(portals: Portals) -> list[Request]:
    await an_account(portals)
    items = [{"itemCode": await a_product(portals), "itemName": "A"}]
    return [Request({"checkItemList": items, "applyRemark": "please"})]


async def own_listed(portals: Portals) -> list[Request]:
    await a_grant(portals, await an_account(portals), await a_product(portals))
    return [Request({}), Request({"queryAdjusting": True, "stateList": [10], "keyword": "prod"})]


async def searched(portals: Portals) -> list[Request]:
    dept_id, item = await an_account(portals), await a_product(portals)
    await a_grant(portals, dept_id, item)
    return [
        Request({}),
        Request({"keyword": item, "compareDeptId": dept_id, "deptItemStateList": [10], "state": 10}),
        Request({"excludeDeptId": dept_id, "queryCollected": True, "applicable": True, "checkType": 100}),
        Request({"checkItemList": [item], "deptIdList": [dept_id], "categoryCode": "walk", "feeType": 10}),
    ]


# ---- schedule -------------------------------------------------------------------------------------------------------


async def price_tasks(portals: Portals) -> list[Request]:
    await a_price_task(portals)
    return [Request({}), Request({"taskKey": "price.adjust", "stateList": [0, 10, 20, -1], "deptIdList": [1]})]


async def product_tasks(portals: Portals) -> list[Request]:
    item = await a_product(portals)
    body = {"checkItem": item, "state": -1, "noticeScope": 0, "effectTime": later(days=1)}
    await portals.operator.ok(CHECK_ITEM + "changeState", body)
    return [Request({"checkItem": item}), Request({"stateList": [0]})]


async def cancelled(portals: Portals) -> list[Request]:
    return [Request({"id": await a_price_task(portals)})]


async def retried(portals: Portals) -> list[Request]:
    """A product that is gone when it is to be changed; retried, the change fails again, and says so."""
    item = await a_product(portals)
    planned = {"checkItem": item, "state": -1, "noticeScope": 0, "effectTime": later(seconds=3)}
    await portals.operator.ok(CHECK_ITEM + "changeState", planned)
    await portals.operator.ok(CHECK_ITEM + "delete", {"id": await product_id(portals, item)})
    page = await portals.operator.ok("/mt/crm/schedule/changeCheckItemTaskList", {"checkItem": item})
    number = page["results"][0]["id"]
    async with open_database(portals.settings.mongo) as database:
        await execute(database, number, datetime.now(UTC))
        assert number not in await due_tasks(database, datetime.max.replace(tzinfo=UTC))
    return [Request({"id": number})]


# ---- documents ------------------------------------------------------------------------------------------------------


async def documented(portals: Portals, item: str) -> None:
    table = {"type": "table", "title": "", "columns": [{"columnId": "n", "columnTitle": "Name"}], "rows": [{"n": "id"}]}
    doc = {
        "checkItem": item,
        "apiName": "Walk",
        "categoryCode": "walk",
        "categoryName": "Walking",
        "taskAble": True,
        "paramSchema": [table],
        "fieldSchema": {"s1": table},
        "tags": ["new"],
    }
    async with open_database(portals.settings.mongo) as database:
        await put_doc(database, msgspec.convert(doc, ApiDoc), datetime.now(UTC))


async def categories(portals: Portals) -> list[Request]:
    item = await a_product(portals)
    await documented(portals, item)
    await a_grant(portals, await an_account(portals), item)
    return [Request(), Request(query={"hasDeptItem": "true"})]


async def docs_listed(portals: Portals) -> list[Request]:
    await documented(portals, await a_product(portals))
    return [Request({}), Request({"categoryCode": "walk", "keyword": "walk"})]


async def doc_shown(portals: Portals) -> list[Request]:
    item = await a_product(portals)
    await documented(portals, item)
    rows = await portals.customer.ok("/mt/portal/apiDoc/queryList", {"keyword": item})
    return [Request({"checkItem": item}), Request({"id": rows[0]["id"]})]


async def marked(portals: Portals) -> list[Request]:
    body = {"checkItem": await a_product(portals)}
    return [Request(body), Request(body)]


CALLS: dict[str, Builder] = {
    "crmCheckItemList": product_listed,
    "crmCheckItemAdd": product_added,
    "crmCheckItemSyncAdd": product_sync_added,
    "crmCheckItemEdit": product_edited,
    "crmCheckItemSyncEdit": product_sync_edited,
    "crmCheckItemSaveDefaultSubItems": sub_items_saved,
    "crmCheckItemSyncSaveDefaultSubItems": sub_items_synced,
    "crmCheckItemDelete": product_deleted,
    "crmCheckItemQueryOpenedDeptList": holders,
    "crmCheckItemChangeState": state_changed,
    "crmCheckItemDatasourceList": source_listed,
    "crmCheckItemDatasourceSave": source_saved,
    "crmCheckItemDatasourceSyncSave": source_synced,
    "crmCheckItemDatasourceDelete": source_deleted,
    "crmCheckItemUpstreamList": upstream_listed,
    "crmCheckItemUpstreamSave": upstream_saved,
    "crmCheckItemUpstreamSyncSave": upstream_synced,
    "crmCheckItemUpstreamDelete": upstream_deleted,
    "crmCheckItemDeptItemList": audited_list,
    "crmCheckItemDeptItemAudit": audited,
    "crmCheckItemDeptItemBatchAudit": audited_in_bulk,
    "crmCustomerDeptItemList": grants_listed,
    "crmCustomerDeptItemAdjustList": adjustments_listed,
    "crmCustomerDeptItemExport": grants_listed,
    "crmCustomerDeptItemAccredit": granted,
    "crmCustomerDeptItemAccreditFusion": bundle_granted,
    "crmCustomerDeptItemEdit": grant_edited,
    "crmCustomerDeptItemEditCacheFetch": cache_days_set,
    "crmCustomerDeptItemEditSpreaderRoyalties": royalties_set,
    "crmCustomerDeptItemEditFreeCount": free_counts_set,
    "crmCustomerDeptItemEditExtra": extra_set,
    "crmCustomerDeptItemAdjust": adjusted,
    "crmCustomerDeptItemDelete": grants_touched,
    "crmCustomerDeptItemEnable": grants_enabled,
    "crmCustomerDeptItemDisable": grants_touched,
    "crmCustomerDeptItemDealSub": parts_dealt,
    "crmCustomerDeptItemSourceConfigList": source_config_listed,
    "crmCustomerDeptItemSaveSourceConfig": source_config_saved,
    "crmCustomerDeptItemDeleteSourceConfig": source_config_deleted,
    "deptItemSearchItems": searched,
    "deptItemApply": applied,
    "deptItemMineList": own_listed,
    "crmScheduleAdjustTaskList": price_tasks,
    "crmScheduleChangeCheckItemTaskList": product_tasks,
    "crmScheduleCancel": cancelled,
    "crmScheduleRetry": retried,
    "apiDocCategoryList": categories,
    "apiDocQueryList": docs_listed,
    "apiDocQueryDetail": doc_shown,
    "apiDocDealCollect": marked,
}
