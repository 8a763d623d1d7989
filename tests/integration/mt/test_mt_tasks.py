"""Batch tasks from the sample to the archive, and what a crash in the middle comes to."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pyzipper
from calls_tasks import API_TASK, SAMPLE, a_callable_product, a_finished_task, a_task, form, query, tasks_of
from chat_api import eventually
from mt_api import Portals
from product_server import HANGS

from schemas.mt.alert_codes import BAD_SAMPLE, CALL_FAILED, NO_ACCOUNT, NO_RESULT
from schemas.mt.codes import NOT_FOUND
from stores.mongo import Database
from tests.integration.jobs_at_work import doing_jobs
from tests.workbooks import workbook


async def result_of(portals: Portals, task: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of the archive, opened by the password that the list shows."""
    link = await portals.customer.ok(API_TASK + "downloadResult", {"id": task["id"]})
    # The link begins with the address that is public.
    async with portals.http.get(link.removeprefix(portals.settings.files.public_url)) as answer:
        assert answer.status == 200, await answer.text()
        packed = await answer.read()
    with pyzipper.AESZipFile(io.BytesIO(packed)) as archive:
        [inside] = archive.infolist()
        assert inside.flag_bits & 1, "the archive is locked"
        archive.setpassword(task["password"].encode())
        text = archive.read(inside).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


async def test_a_single_call_answers_what_the_product_said(portals: Portals) -> None:
    item = await a_callable_product(portals)

    said = await portals.customer.ok(API_TASK + "test", {"checkItem": item, "params": {"name": "Li Lei"}})

    [asked] = portals.products.of(item)
    assert asked["params"] == {"name": "Li Lei"}
    assert asked["seqNo"] in said
    portals.products.behaviours[item] = lambda _: (500, {"code": 1})
    failed = await portals.customer.ask(API_TASK + "test", {"checkItem": item, "params": {}})
    assert failed.code == CALL_FAILED
    strange = await portals.other.ask(API_TASK + "test", {"checkItem": item, "params": {}})
    assert strange.code == NO_ACCOUNT


async def test_every_row_of_a_sample_is_called_and_stands_in_the_locked_result(
    portals: Portals, mt_database: Database
) -> None:
    sample = workbook(["姓名", "idCard", "mobile"], ["李雷", "110101199003070011", 13812345678], ["韩梅梅", "1", None])

    task = await a_finished_task(portals, sample)

    assert (task["sampleCount"], task["finishedCount"]) == (2, 2)
    rows = await result_of(portals, task)
    assert [row["name"] for row in rows] == ["李雷", "韩梅梅"]
    assert [row["seqNo"] for row in rows] == [f"BT{task['id']}-1", f"BT{task['id']}-2"]
    assert [row["status"] for row in rows] == ["200", "200"]
    assert '"matches": true' in rows[0]["result"]
    assert portals.products.of(task["checkItem"])[0]["params"] == {
        "name": "李雷",
        "idCard": "110101199003070011",
        "mobile": "13812345678",
    }
    assert await mt_database["api_task_rows"].count_documents({"task": task["id"]}) == 0


async def test_personal_data_is_sent_as_digests_where_that_is_asked_for(portals: Portals) -> None:
    sample = "name,scene\nLi Lei,a\nD2AF37B7E6F4E0A1E1AD8C0E0C4E0A11,b\n"

    task = await a_finished_task(portals, sample, encryptionType="2")

    asked = [body["params"] for body in portals.products.of(task["checkItem"])]
    assert asked == [
        {"name": "1cbaa614519da37d7f8a387bc2804628", "scene": "a"},  # MD5 of Li Lei
        {"name": "d2af37b7e6f4e0a1e1ad8c0e0c4e0a11", "scene": "b"},
    ]


async def test_of_a_worker_that_is_cut_off_the_call_in_flight_alone_is_repeated_under_its_number(
    portals: Portals,
) -> None:
    item = await a_callable_product(portals)
    sample = "name\n" + "".join(f"person {number}\n" for number in range(1, 7))
    hung: list[str] = []

    def behave(body: dict[str, Any]) -> tuple[int, Any]:
        if body["params"]["name"] == "person 4" and not hung:
            hung.append(body["seqNo"])
            return HANGS, {}
        return 200, {"code": 0}

    portals.products.behaviours[item] = behave
    await a_task(portals, sample, item, saveAsDraft="false")

    async def is_hung() -> bool:
        return bool(hung)

    async with doing_jobs(portals.settings):
        await eventually(is_hung)
    [task] = await tasks_of(portals, item)
    assert task["finishedCount"] == 3
    async with doing_jobs(portals.settings):
        await eventually(lambda: _finished(portals, task["id"]))

    numbers = [f"BT{task['id']}-{number}" for number in range(1, 7)]
    assert [body["seqNo"] for body in portals.products.of(item)] == [*numbers[:4], *numbers[3:]]


async def test_a_product_that_is_away_holds_the_task_up_and_a_row_that_fails_again_and_again_is_given_up(
    portals: Portals, mt_database: Database
) -> None:
    item = await a_callable_product(portals)
    portals.products.behaviours[item] = lambda body: (503 if body["params"]["name"] == "bad" else 200, {"code": 0})
    await a_task(portals, "name\ngood\nbad\ngood\n", item, saveAsDraft="false")

    async def tried() -> Any:
        return await mt_database["api_task_rows"].find_one({"attempts": 1})

    async with doing_jobs(portals.settings):
        row = await eventually(tried)
    # As often as it takes, but for the last time.
    await mt_database["api_task_rows"].update_one({"_id": row["_id"]}, {"$set": {"attempts": 4}})
    await mt_database["jobs"].update_many({"open": True}, {"$set": {"due_at": row_due()}})
    async with doing_jobs(portals.settings):
        await eventually(lambda: _finished(portals, row["task"]))

    [task] = await tasks_of(portals, item)
    assert [each["status"] for each in await result_of(portals, task)] == ["200", "503", "200"]


async def test_a_draft_waits_until_it_is_executed(portals: Portals) -> None:
    task = await a_task(portals)
    await portals.customer.ok(API_TASK + "execute", {"id": task})

    async with doing_jobs(portals.settings):
        await eventually(lambda: _finished(portals, task))

    assert await _finished(portals, task)


async def test_what_is_deleted_is_gone_with_its_sample_and_result(portals: Portals, mt_database: Database) -> None:
    draft, finished = await a_task(portals), await a_finished_task(portals)
    for task in (draft, finished["id"]):
        await portals.customer.ok(API_TASK + "delete", {"id": task})

    assert await mt_database["api_task_rows"].count_documents({"task": draft}) == 0
    for what in ("execute", "delete", "downloadResult"):
        assert (await portals.customer.ask(API_TASK + what, {"id": finished["id"]})).code == NOT_FOUND
    assert await tasks_of(portals, finished["checkItem"]) == []


async def test_there_is_no_result_and_no_password_before_the_end(portals: Portals) -> None:
    item = await a_callable_product(portals)
    task = await a_task(portals, item=item)

    assert (await portals.customer.ask(API_TASK + "downloadResult", {"id": task})).code == NO_RESULT
    assert "password" not in (await tasks_of(portals, item))[0]


async def test_another_customer_does_not_know_of_it(portals: Portals) -> None:
    task = await a_task(portals)

    for what in ("execute", "delete", "downloadResult"):
        assert (await portals.other.ask(API_TASK + what, {"id": task})).code == NOT_FOUND
    page = await portals.other.ok(API_TASK + "taskList", {})
    assert task not in [each["id"] for each in page["results"]]


async def test_a_sample_that_cannot_be_used_is_refused_with_its_row(portals: Portals) -> None:
    item = await a_callable_product(portals)

    refused = await portals.customer.ask(
        API_TASK + "submitBatch", query=query(item), form=form(SAMPLE + "one,two,three\n")
    )

    assert refused.code == BAD_SAMPLE
    assert "row 4" in refused.body["msg"]
    assert await tasks_of(portals, item) == []


async def _finished(portals: Portals, task_id: int) -> bool:
    page = await portals.customer.ok(API_TASK + "taskList", {"pageSize": 100})
    return any(each["id"] == task_id and each["state"] == 30 for each in page["results"])


def row_due() -> datetime:
    return datetime.now(UTC)
