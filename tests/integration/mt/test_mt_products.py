"""Products, grants and their prices through the portals: scopes, states, what is planned and what is refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from mt_api import OTHER_MERCHANT, Portals, signed
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
    grant_of,
    later,
    product_id,
)
from openpyxl import load_workbook

from handlers.usage.prices import PriceBook
from schemas.mt import product_codes as codes
from schemas.mt.codes import NOT_FOUND
from stores.mongo import Database
from stores.mt.grants import to_grant
from stores.mt.price_book import OVERLAP, PriceBooks
from stores.mt.schedule import ABANDONED, Task, due_tasks, execute, settle_abandoned, to_task
from tests.integration.chat_api import eventually
from tests.integration.command import Fanfold
from tests.integration.jobs_at_work import doing_jobs
from tests.integration.published import published
from workers.planned_changes import PlannedChanges

MINE = "/mt/beeback/deptItem/mineList"
TASKS = "/mt/crm/schedule/"


async def results(portal: Any, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await portal.ok(path, query))["results"]
    return found


async def refusal(portals: Portals, path: str, **body: Any) -> int:
    """The code of an operator's call that is understood and cannot be done."""
    answered = await portals.operator.ask(path, body)
    assert answered.status == 200, answered
    return answered.code


@pytest.fixture
async def item(portals: Portals) -> str:
    return await a_product(portals)


@pytest.fixture
async def dept_id(portals: Portals) -> int:
    return await an_account(portals)


@pytest.fixture
async def grant(portals: Portals, dept_id: int, item: str) -> int:
    """Of a product at 2 yuan."""
    return await a_grant(portals, dept_id, item)


# ---- whose they are -------------------------------------------------------------------------------------------------


async def test_a_customer_sees_own_grants_alone_and_an_operator_all(portals: Portals, item: str) -> None:
    own, others = await an_account(portals), await an_account(portals, OTHER_MERCHANT)
    await a_grant(portals, own, item)
    await a_grant(portals, others, item)

    for portal, seen in ((portals.customer, {own}), (portals.other, {others})):
        assert {row["deptId"] for row in await results(portal, MINE, checkItemList=[item])} == seen
    assert {row["deptId"] for row in await results(portals.operator, DEPT_ITEM + "list", checkItemList=[item])} == {
        own,
        others,
    }
    assert await results(portals.customer, MINE, merchantId=OTHER_MERCHANT) == []
    assert await results(portals.customer, MINE, deptIdList=[others]) == []


async def test_a_search_shows_the_own_grants_of_a_product_alone(portals: Portals, item: str) -> None:
    others = await an_account(portals, OTHER_MERCHANT)
    await a_grant(portals, others, item)

    (row,) = await results(
        portals.customer, "/mt/beeback/deptItem/searchItems", checkItemList=[item], compareDeptId=others
    )

    assert "deptId" not in row
    assert "state" not in row


async def test_a_grant_that_is_hidden_is_not_shown_to_its_customer(portals: Portals, grant: int, item: str) -> None:
    await portals.operator.ok(DEPT_ITEM + "editExtra", {"itemList": [{"deptItemId": grant, "isHidden": True}]})

    assert await results(portals.customer, MINE, checkItemList=[item]) == []
    assert len(await results(portals.operator, DEPT_ITEM + "list", checkItemList=[item])) == 1


async def test_favourites_are_everybodys_own(portals: Portals, item: str) -> None:
    search = "/mt/beeback/deptItem/searchItems"
    await portals.customer.ok("/mt/portal/apiDoc/dealCollect", {"checkItem": item})

    assert [row["isCollected"] for row in await results(portals.customer, search, checkItemList=[item])] == [True]
    assert [row["isCollected"] for row in await results(portals.other, search, checkItemList=[item])] == [False]
    await portals.customer.ok("/mt/portal/apiDoc/dealCollect", {"checkItem": item})
    assert [row["isCollected"] for row in await results(portals.customer, search, checkItemList=[item])] == [False]


# ---- states ---------------------------------------------------------------------------------------------------------


async def test_what_is_applied_for_has_no_price_until_it_is_approved(portals: Portals, mt_database: Database) -> None:
    await an_account(portals)
    dept_id, grant, item = await an_application(portals)
    waiting = await grant_of(portals, dept_id, item)
    book = await PriceBooks(mt_database).latest(datetime.now(UTC))
    audit = {"deptId": dept_id, "deptItemId": grant, "itemCode": item, "auditType": "pass", "fee": 1.75}

    await portals.operator.ok(CHECK_ITEM + "deptItem/audit", audit)

    assert waiting["state"] == 0
    assert "fee" not in waiting
    assert book.price_at(dept_id, item, datetime.now(UTC)) is None
    passed = await grant_of(portals, dept_id, item)
    assert (passed["state"], passed["fee"]) == (10, Decimal("1.75"))
    assert passed["auditTime"]
    assert await refusal(portals, CHECK_ITEM + "deptItem/audit", **audit) == codes.GRANT_STATE


async def test_a_batch_with_one_illegal_move_changes_nothing(portals: Portals, dept_id: int, item: str) -> None:
    open_one, disabled = (
        await a_grant(portals, dept_id, item),
        await a_grant(portals, dept_id, await a_product(portals)),
    )
    await portals.operator.ok(DEPT_ITEM + "disable", {"deptId": dept_id, "deptItemIds": [disabled]})

    both = {"deptId": dept_id, "deptItemIds": [open_one, disabled]}
    assert await refusal(portals, DEPT_ITEM + "disable", **both) == codes.GRANT_STATE

    assert (await grant_of(portals, dept_id, item))["state"] == 10


@pytest.mark.usefixtures("dept_id")
async def test_a_product_that_cannot_be_applied_for_is_refused(portals: Portals) -> None:
    closed = await a_product(portals, applicable=False)

    answered = await portals.customer.ask("/mt/beeback/deptItem/apply", {"checkItemList": [{"itemCode": closed}]})

    assert answered.code == codes.OFF_SHELF


async def test_a_grant_that_was_deleted_can_come_again_and_keeps_its_history(
    portals: Portals, mt_database: Database, dept_id: int, item: str, grant: int
) -> None:
    before = datetime.now(UTC)
    await portals.operator.ok(DEPT_ITEM + "delete", {"deptId": dept_id, "deptItemIds": [grant]})
    gone = await PriceBooks(mt_database).latest(before)

    again = await a_grant(portals, dept_id, item, fee=5)

    assert again == grant
    book = await PriceBooks(mt_database).latest(before)
    soon = datetime.now(UTC) + timedelta(seconds=2)
    assert gone.price_at(dept_id, item, soon) is None
    assert [_fee(book, dept_id, item, at) for at in (before, soon)] == [2_000_000, 5_000_000]


async def test_a_deleted_grant_that_is_applied_for_again_keeps_the_price_of_late_calls(
    portals: Portals, mt_database: Database
) -> None:
    await an_account(portals)
    dept_id, grant, item = await an_application(portals)
    audit = {"deptId": dept_id, "deptItemId": grant, "itemCode": item}
    await portals.operator.ok(CHECK_ITEM + "deptItem/audit", {**audit, "auditType": "pass", "fee": 1.75})
    before = datetime.now(UTC)
    await portals.operator.ok(DEPT_ITEM + "delete", {"deptId": dept_id, "deptItemIds": [grant]})

    await portals.customer.ok("/mt/beeback/deptItem/apply", {"checkItemList": [{"itemCode": item}]})
    waiting = await PriceBooks(mt_database).latest(before)
    await portals.operator.ok(CHECK_ITEM + "deptItem/audit", {**audit, "auditType": "reject"})
    rejected = await PriceBooks(mt_database).latest(before)

    later_on = datetime.now(UTC) + timedelta(seconds=2)
    for book in (waiting, rejected):
        assert [_fee(book, dept_id, item, at) for at in (before, later_on)] == [1_750_000, None]


async def test_free_calls_cannot_be_fewer_than_were_used(
    portals: Portals, mt_database: Database, dept_id: int, item: str, grant: int
) -> None:
    await mt_database["free_usage"].insert_one({"_id": f"{dept_id}/{item}", "used": 5})

    def asked(count: int) -> dict[str, Any]:
        return {"itemList": [{"deptItemId": grant, "freeCount": count}]}

    assert await refusal(portals, DEPT_ITEM + "editFreeCount", **asked(4)) == codes.FREE_USED
    await portals.operator.ok(DEPT_ITEM + "editFreeCount", asked(5))
    assert (await grant_of(portals, dept_id, item))["freeCount"] == 5


async def test_a_price_below_the_lowest_is_refused_wherever_it_is_set(portals: Portals, dept_id: int) -> None:
    item = await a_product(portals, floorPrice=1)
    low = {"itemCode": item, "fee": 0.999999}
    assert await refusal(portals, DEPT_ITEM + "accredit", deptId=dept_id, checkItemList=[low]) == codes.BELOW_FLOOR
    grant = await a_grant(portals, dept_id, item, fee=1)

    adjusted = {"itemList": [{"deptItemId": grant, "fee": 0.5}]}
    assert await refusal(portals, DEPT_ITEM + "adjust", **adjusted) == codes.BELOW_FLOOR
    edited = {"deptId": dept_id, "deptItemId": grant, "itemCode": item, "fee": 0.5}
    assert await refusal(portals, DEPT_ITEM + "edit", **edited) == codes.BELOW_FLOOR
    assert (await grant_of(portals, dept_id, item))["fee"] == 1


async def test_a_bundle_keeps_one_part_at_least(portals: Portals, dept_id: int, item: str) -> None:
    bundle = await a_bundle(portals, [item])
    grant = await a_grant(portals, dept_id, bundle)

    dealt = {"deptItemId": grant, "checkItemList": [item], "dealType": 20}
    assert await refusal(portals, DEPT_ITEM + "dealSub", **dealt) == codes.NOT_A_BUNDLE


@pytest.mark.usefixtures("grant")
async def test_a_product_that_is_held_is_not_deleted_and_leaves_the_shelf_only_when_confirmed(
    portals: Portals, item: str
) -> None:
    off = {"checkItem": item, "state": -1, "noticeScope": 0}

    assert await refusal(portals, CHECK_ITEM + "delete", id=await product_id(portals, item)) == codes.IN_USE
    assert await refusal(portals, CHECK_ITEM + "changeState", **off) == codes.NOT_CONFIRMED
    await portals.operator.ok(CHECK_ITEM + "changeState", {**off, "confirmed": True})
    assert await refusal(portals, CHECK_ITEM + "changeState", **off, confirmed=True) == codes.PRODUCT_STATE


@pytest.mark.usefixtures("grant")
async def test_whoever_holds_a_product_is_told_of_its_change(
    portals: Portals, mt_database: Database, item: str
) -> None:
    off = {"checkItem": item, "state": -1, "noticeScope": 20, "confirmed": True, "note": "It had its time."}

    await portals.operator.ok(CHECK_ITEM + "changeState", off)

    assert (await mt_database["products"].find_one({"_id": item}) or {})["state"] == -1
    told = [event for event in await published(portals.settings.kafka) if item.encode() in event.data]
    assert [(event.type, event.subject) for event in told] == [("push.requested", "email/people@example.com")]


@pytest.mark.usefixtures("grant")
async def test_of_whom_a_planned_change_is_told_the_number_is_kept_masked(
    portals: Portals, mt_database: Database, dept_id: int, item: str
) -> None:
    noticed = {"deptId": dept_id, "mobile": "13800138000", "email": "people@example.com"}
    planned = {"checkItem": item, "state": 5, "noticeScope": 10, "noticeCustomers": [noticed], "confirmed": True}

    await portals.operator.ok(CHECK_ITEM + "changeState", planned | {"effectTime": later(days=1)})

    page = await portals.operator.ok("/mt/crm/schedule/changeCheckItemTaskList", {"checkItem": item})
    assert page["results"][0]["taskDetail"]["noticeCustomers"] == [noticed | {"mobile": "138****8000"}]
    assert "13800138000" not in repr(await mt_database["schedule_tasks"].find_one({"items": item}))


# ---- answers from the cache -----------------------------------------------------------------------------------------


async def test_whether_answers_from_the_cache_are_charged_is_said_from_a_time_on(
    portals: Portals, mt_database: Database, item: str
) -> None:
    fanfold, books, now = Fanfold(portals.settings), PriceBooks(mt_database), datetime.now(UTC)
    await books.latest(now)

    planned = await fanfold("products", "cache-hits", item, "charged", "--since", later(days=1))
    assert (planned.status, planned.err) == (0, "")
    at_once = await fanfold("products", "cache-hits", item, "free", "--json")

    assert [said["charged"] for said in at_once.json] == [False, True]
    product = (await books.latest(now)).product(item)
    soon = datetime.now(UTC) + timedelta(seconds=2)
    assert [product.charges_cache(at) for at in (now, soon, now + timedelta(days=2))] == [True, False, True]


async def test_what_was_said_of_the_cache_is_not_rewritten(portals: Portals, mt_database: Database, item: str) -> None:
    fanfold, now = Fanfold(portals.settings), datetime.now(UTC)
    assert (await fanfold("products", "cache-hits", item, "free")).status == 0
    soon = datetime.now(UTC) + timedelta(seconds=2)

    for past in ("2020-01-01 00:00:00", "yesterday"):
        assert (await fanfold("products", "cache-hits", item, "charged", "--since", past)).status != 0
    unknown = await fanfold("products", "cache-hits", "NOT_THERE", "free")
    assert (unknown.status, "NOT_THERE" in unknown.err) == (1, True)
    await portals.operator.ok(CHECK_ITEM + "delete", {"id": await product_id(portals, item)})
    await portals.operator.ok(CHECK_ITEM + "add", {"checkItem": item, "itemName": "Again"})

    product = (await PriceBooks(mt_database).latest(now)).product(item)
    assert (product.charges_cache(now), product.charges_cache(soon)) == (True, False)


# ---- prices that are planned ----------------------------------------------------------------------------------------


def _fee(book: PriceBook, dept_id: int, item: str, at: datetime) -> int | None:
    terms = book.price_at(dept_id, item, at)
    return None if terms is None else terms.fee_micro


async def test_a_planned_price_is_in_the_book_from_its_time_on_whoever_marks_it(
    portals: Portals, mt_database: Database, dept_id: int, item: str, grant: int
) -> None:
    books, now = PriceBooks(mt_database), datetime.now(UTC)
    assert _fee(await books.latest(now), dept_id, item, now) == 2_000_000
    planned = {"effectTime": later(days=1), "itemList": [{"deptItemId": grant, "fee": 3}]}

    await portals.operator.ok(DEPT_ITEM + "adjust", planned)

    book = await books.latest(now)
    assert [_fee(book, dept_id, item, now + timedelta(hours=hours)) for hours in (0, 23, 25)] == [
        2_000_000,
        2_000_000,
        3_000_000,
    ]
    row = await grant_of(portals, dept_id, item, queryAdjusting=True)
    assert row["fee"] == 2
    assert (row["adjusting"]["beforeFee"], row["adjusting"]["afterFee"], row["adjusting"]["state"]) == (2, 3, 0)


async def test_a_cancelled_price_never_holds_and_its_task_is_not_executed(
    portals: Portals, mt_database: Database, dept_id: int, item: str, grant: int
) -> None:
    planned = {"effectTime": later(days=1), "itemList": [{"deptItemId": grant, "fee": 3}]}
    await portals.operator.ok(DEPT_ITEM + "adjust", planned)
    (task,) = await results(portals.operator, TASKS + "adjustTaskList", deptIdList=[dept_id])

    await portals.operator.ok(TASKS + "cancel", {"id": task["id"]})

    now = datetime.now(UTC)
    book = await PriceBooks(mt_database).latest(now)
    assert _fee(book, dept_id, item, now + timedelta(days=2)) == 2_000_000
    (cancelled,) = await results(portals.operator, TASKS + "adjustTaskList", deptIdList=[dept_id])
    assert (cancelled["state"], cancelled["taskDetail"][0]["state"]) == (-1, -1)
    assert await refusal(portals, TASKS + "cancel", id=task["id"]) == codes.TASK_STATE
    assert await refusal(portals, TASKS + "retry", id=task["id"]) == codes.TASK_STATE
    assert task["id"] not in await due_tasks(mt_database, now + timedelta(days=2))


async def test_the_clock_marks_a_price_as_changed_and_then_it_is_too_late_to_cancel(
    portals: Portals, mt_database: Database
) -> None:
    number = await a_price_task(portals)
    tomorrow = datetime.now(UTC) + timedelta(days=1, minutes=1)

    await PlannedChanges(mt_database).tick(tomorrow)

    task = await _task(mt_database, number)
    assert (task.state, task.runs, task.error) == (20, 1, None)
    adjustment = await mt_database["price_adjustments"].find_one({"task_id": number})
    assert adjustment is not None
    assert (adjustment["state"], adjustment["effect_time"]) == (20, task.plan_at)
    assert await refusal(portals, TASKS + "cancel", id=number) == codes.TASK_STATE
    assert not await execute(mt_database, number, tomorrow)


async def test_a_price_at_once_is_listed_as_changed(portals: Portals, dept_id: int, grant: int) -> None:
    await portals.operator.ok(DEPT_ITEM + "adjust", {"itemList": [{"deptItemId": grant, "fee": 3}]})

    (row,) = await results(portals.operator, DEPT_ITEM + "adjustList", deptId=dept_id, stateList=[20])

    assert (row["state"], row["beforeFee"], row["afterFee"]) == (20, 2, 3)
    assert "planTime" not in row
    assert row["effectTime"]


async def test_prices_are_not_changed_backwards(portals: Portals, dept_id: int, grant: int) -> None:
    past = {"effectTime": later(hours=-1), "itemList": [{"deptItemId": grant, "fee": 3}]}

    answered = await portals.operator.ask(DEPT_ITEM + "adjust", past)

    assert (answered.status, answered.code) == (400, 40001)
    assert await results(portals.operator, DEPT_ITEM + "adjustList", deptId=dept_id) == []


async def test_a_task_whose_grant_is_gone_fails_is_shown_and_can_be_retried(
    portals: Portals, mt_database: Database
) -> None:
    number = await a_price_task(portals)
    task = await _task(mt_database, number)
    # As an operator's clean-up of the store might leave it: the API itself takes back what is planned.
    await mt_database["grants"].delete_one({"_id": task.adjusted[0].grant_id})

    await execute(mt_database, number, task.plan_at)

    failed = await _task(mt_database, number)
    assert (failed.state, failed.waits) == (0, False)
    assert failed.error == f"not granted any more: {task.adjusted[0].item}"
    await portals.operator.ok(TASKS + "retry", {"id": number})
    assert (await _task(mt_database, number)).waits


async def test_to_delete_a_grant_cancels_what_is_planned_for_it(
    portals: Portals, dept_id: int, item: str, grant: int
) -> None:
    planned = {"effectTime": later(days=1), "itemList": [{"deptItemId": grant, "fee": 3}]}
    await portals.operator.ok(DEPT_ITEM + "adjust", planned)

    await portals.operator.ok(DEPT_ITEM + "delete", {"deptId": dept_id, "deptItemIds": [grant]})

    (row,) = await results(portals.operator, DEPT_ITEM + "adjustList", deptId=dept_id)
    assert (row["checkItem"], row["state"]) == (item, -1)
    (task,) = await results(portals.operator, TASKS + "adjustTaskList", deptIdList=[dept_id])
    assert task["state"] == -1


async def test_a_change_that_was_left_half_written_is_finished(
    portals: Portals, mt_database: Database, dept_id: int, grant: int
) -> None:
    planned = {"effectTime": later(days=1), "itemList": [{"deptItemId": grant, "fee": 3}]}
    await portals.operator.ok(DEPT_ITEM + "adjust", planned)
    # As if the gateway had died after the task was written, before the grant was.
    await mt_database["grants"].update_one({"_id": grant}, {"$pop": {"prices": 1}})
    await mt_database["schedule_tasks"].update_one({"dept_id": dept_id}, {"$set": {"settled": False}})

    assert await settle_abandoned(mt_database, datetime.now(UTC) + ABANDONED + timedelta(seconds=1))

    found = await mt_database["grants"].find_one({"_id": grant})
    assert found is not None
    assert [price.terms.fee_micro for price in to_grant(found).history] == [2_000_000, 3_000_000]


async def _task(database: Database, number: int) -> Task:
    found = await database["schedule_tasks"].find_one({"_id": number})
    assert found is not None
    return to_task(found)


async def test_a_book_that_is_read_on_is_the_same_as_one_read_anew(
    portals: Portals, mt_database: Database, dept_id: int, item: str, grant: int
) -> None:
    now = datetime.now(UTC)
    books = PriceBooks(mt_database)
    await books.latest(now)
    upstream = await an_upstream(portals, item)
    await portals.operator.ok(DEPT_ITEM + "adjust", {"itemList": [{"deptItemId": grant, "fee": 3}]})
    edited = {"id": upstream, "service": "Demo", "checkItem": item, "cost": 0.5}
    await portals.operator.ok(CHECK_ITEM + "upstream/save", edited)
    await an_account(portals)

    read_on = await books.latest(now + OVERLAP / 2)

    anew = await PriceBooks(mt_database).latest(now)
    assert (read_on.revision, read_on.grants, read_on.costs) == (anew.revision, anew.grants, anew.costs)
    assert dept_id in read_on.accounts


# ---- sources and secrets --------------------------------------------------------------------------------------------


async def test_the_secret_of_an_upstream_is_encrypted_and_shown_to_nobody(
    portals: Portals, mt_database: Database, item: str
) -> None:
    number = await an_upstream(portals, item)
    kept = await mt_database["mt_upstreams"].find_one({"_id": number})
    (row,) = await results(portals.operator, CHECK_ITEM + "upstream/list", checkItem=item)

    assert row["reqSecret"] == "******"
    assert "hush" not in str(kept)
    edited = {"id": number, "service": "Demo", "checkItem": item, "reqSecret": "******", "cost": 1}
    await portals.operator.ok(CHECK_ITEM + "upstream/save", edited)
    again = await mt_database["mt_upstreams"].find_one({"_id": number})
    assert kept is not None
    assert again is not None
    assert again["secret"] == kept["secret"]
    assert [cost["cost_micro"] for cost in again["costs"]] == [250_000, 1_000_000]


async def test_a_source_that_is_used_is_not_deleted(portals: Portals, item: str) -> None:
    source_id, code = await a_source(portals)
    body = {"dataSourceId": source_id, "checkItem": item, "service": "Demo"}
    await portals.operator.ok(CHECK_ITEM + "upstream/save", body)

    assert await refusal(portals, CHECK_ITEM + "datasource/delete", id=source_id) == codes.IN_USE
    taken = {"dataSourceName": "Twice", "dataSourceCode": code}
    assert await refusal(portals, CHECK_ITEM + "datasource/save", **taken) == codes.CODE_TAKEN
    assert await refusal(portals, CHECK_ITEM + "upstream/save", **body) == codes.CODE_TAKEN


@pytest.mark.usefixtures("grant")
async def test_an_upstream_of_another_product_is_not_assigned(portals: Portals, dept_id: int, item: str) -> None:
    other = await an_upstream(portals, await a_product(portals))
    body = {"deptId": dept_id, "checkItem": item, "sourceList": [{"sourceId": other, "priority": 1}]}

    assert await refusal(portals, DEPT_ITEM + "saveSourceConfig", **body) == NOT_FOUND
    assert not (await grant_of(portals, dept_id, item))["hasAssignSource"]


# ---- the other environment ------------------------------------------------------------------------------------------


async def test_a_change_is_taken_from_the_other_environment_only_with_its_signature(portals: Portals) -> None:
    body = {"dataSourceName": "Theirs", "dataSourceCode": "FROM_OTHER"}
    path = CHECK_ITEM + "datasource/syncSave"

    unsigned = await portals.operator.ask(path, body)
    changed = await portals.operator.ask(path, body, headers=signed({**body, "dataSourceName": "Ours"}))
    stale = await portals.operator.ask(path, body, headers={**signed(body), "webhook-timestamp": "1700000000"})

    assert [answered.code for answered in (unsigned, changed, stale)] == [40102, 40102, 40103]
    assert await results(portals.operator, CHECK_ITEM + "datasource/list", keyword="FROM_OTHER") == []


async def test_where_the_other_environment_does_not_answer_nothing_is_changed_here(portals: Portals, item: str) -> None:
    body = {"itemCode": item, "itemName": "Renamed", "syncOtherEnv": True}

    assert await refusal(portals, CHECK_ITEM + "edit", **body) == codes.OTHER_ENVIRONMENT

    (row,) = await results(portals.operator, CHECK_ITEM + "list", checkItemList=[item])
    assert row["itemName"] == f"Product {item}"


# ---- files ----------------------------------------------------------------------------------------------------------


async def test_grants_are_exported_as_a_workbook(portals: Portals, dept_id: int, item: str, grant: int) -> None:
    link = await portals.operator.ok(DEPT_ITEM + "export", {"deptIdList": [dept_id]})
    link = link.removeprefix(portals.settings.files.public_url)

    async def downloaded() -> bytes | None:
        answer = await portals.nobody.ask(link, method="GET")
        return answer.raw if answer.status == 200 else None

    async with doing_jobs(portals.settings):
        made = await eventually(downloaded)

    _, row = load_workbook(BytesIO(made), read_only=True).worksheets[0].values
    assert (row[0], row[1], row[3], row[5], row[6]) == (grant, dept_id, item, "open", 2)
