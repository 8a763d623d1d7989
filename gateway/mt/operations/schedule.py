"""/mt/crm/schedule: planned changes of prices and products, cancelled before their time or retried after a failure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.grant_rows import GrantRows
from gateway.system import Reply
from schemas.mt.common import IdRequest, page_of
from schemas.mt.grants import AdjustmentRow
from schemas.mt.schedule import (
    NoticeCustomerRow,
    PriceAdjustTaskRow,
    ProductChangeRow,
    ProductChangeTaskRow,
    TaskQuery,
)
from stores.mongo import Document
from stores.mt.names import account_names, product_names
from stores.mt.pages import find_by, find_page
from stores.mt.schedule import (
    ADJUSTMENTS,
    PRICE_TASK,
    PRODUCT_TASK,
    TASKS,
    ProductChange,
    Task,
    cancel,
    retry,
    to_task,
)


class Schedule:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._zone = tools.zone
        self._unpaged_rows = tools.settings.metering.unpaged_rows
        self._rows = GrantRows(tools.database, tools.zone)

    async def price_tasks(self, asked: Asked) -> Reply:
        tasks, total = await self._tasks(asked, PRICE_TASK)
        documents = await find_by(self._database, ADJUSTMENTS, "task_id", [task.id for task in tasks])
        documents.sort(key=lambda document: document["_id"])
        by_task: dict[int, list[AdjustmentRow]] = {}
        for document, row in zip(documents, await self._rows.adjustments(documents), strict=True):
            by_task.setdefault(document["task_id"], []).append(row)
        names = await account_names(self._database, [task.dept_id for task in tasks if task.dept_id is not None])
        rows = [
            PriceAdjustTaskRow(
                **self._common(task),
                dept_name=None if task.dept_id is None else names.get(task.dept_id),
                task_detail=by_task.get(task.id, ()),
            )
            for task in tasks
        ]
        return Reply(page_of(rows, total, asked.body))

    async def product_tasks(self, asked: Asked) -> Reply:
        tasks, total = await self._tasks(asked, PRODUCT_TASK)
        names = await product_names(self._database, [task.change.item for task in tasks if task.change])
        rows = [
            ProductChangeTaskRow(**self._common(task), task_detail=_change_row(task.change, names))
            for task in tasks
            if task.change is not None
        ]
        return Reply(page_of(rows, total, asked.body))

    async def _tasks(self, asked: Asked, kind: str) -> tuple[list[Task], int]:
        """The newest first."""
        query: TaskQuery = asked.body
        match: Document = {**asked.scope.match(), "task_key": kind}
        if query.task_key is not None and query.task_key not in ("", kind):
            match["_id"] = {"$in": []}
        if query.dept_id_list is not None:
            match["dept_id"] = {"$in": query.dept_id_list}
        if query.state_list is not None:
            match["state"] = {"$in": query.state_list}
        if query.check_item is not None:
            match["items"] = query.check_item
        found, total = await find_page(self._database, TASKS, match, query, [("_id", -1)], self._unpaged_rows)
        return [to_task(document) for document in found], total

    def _common(self, task: Task) -> dict[str, Any]:
        return {
            "id": task.id,
            "create_by": task.created_by,
            "create_time": self._zone.text(task.created_at),
            "modify_time": self._zone.text(task.updated_at),
            "task_key": task.task_key,
            "biz_key": task.biz_key,
            "state": task.state,
            "schedule_time": self._zone.text(task.plan_at),
            "finish_time": None if task.finished_at is None else self._zone.text(task.finished_at),
            "error_msg": task.error,
            "cost_mills": task.cost_ms,
            "execute_count": task.runs,
        }

    async def cancel(self, asked: Asked) -> Reply:
        await cancel(self._database, asked.body.id, asked.scope, asked.at)
        return Reply()

    async def retry(self, asked: Asked) -> Reply:
        await retry(self._database, asked.body.id, asked.scope, asked.at)
        return Reply()


def _change_row(change: ProductChange, names: dict[str, str]) -> ProductChangeRow:
    return ProductChangeRow(
        id=change.product_id,
        check_item=change.item,
        item_name=names.get(change.item),
        to_state=change.to_state,
        notice_scope=change.notice_scope,
        notice_methods=list(change.notice_methods),
        notice_customers=[
            msgspec.convert(noticed, NoticeCustomerRow, from_attributes=True) for noticed in change.noticed
        ],
    )


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = Schedule(tools)
    base = "/mt/crm/schedule/"
    return (
        MtOperation("crmScheduleAdjustTaskList", "POST", base + "adjustTaskList", own.price_tasks, TaskQuery),
        MtOperation(
            "crmScheduleChangeCheckItemTaskList", "POST", base + "changeCheckItemTaskList", own.product_tasks, TaskQuery
        ),
        MtOperation("crmScheduleCancel", "POST", base + "cancel", own.cancel, IdRequest),
        MtOperation("crmScheduleRetry", "POST", base + "retry", own.retry, IdRequest),
    )
