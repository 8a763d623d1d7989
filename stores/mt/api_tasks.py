"""Batch tasks and their rows. Rows hold personal data, so they are encrypted, and go when the result is there.

A row's result is written down right after its call: whoever goes on after a crash repeats
the one call that was under way, under the number it had.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from pymongo import ReturnDocument

from schemas.mt.access import Scope
from schemas.mt.codes import not_found
from schemas.mt.tasks import TaskState
from stores.mongo import Database, Document, translated
from stores.vault import Vault

API_TASKS = "api_tasks"
API_TASK_ROWS = "api_task_rows"
INSERTED_AT_ONCE = 1_000


class ApiTask(msgspec.Struct, rename={"id": "_id"}, frozen=True, kw_only=True):
    id: int
    merchant_id: int
    dept_id: int
    app_id: str
    item: str
    task_name: str
    encryption_type: int
    state: int
    columns: tuple[str, ...]
    sample_count: int
    finished_count: int = 0
    password_secret: str
    """Of the result, encrypted."""
    created_by: int
    created_at: datetime
    executed_at: datetime | None = None
    finished_at: datetime | None = None
    file_id: str | None = None
    deleted_at: datetime | None = None

    @property
    def number(self) -> str:
        """The batch number that people see."""
        return f"BT{self.id:08d}"


class TaskCall(msgspec.Struct, frozen=True):
    """One row: what is asked, and what came of it. Rows count from 1."""

    row: int
    params: dict[str, str]
    attempts: int = 0
    status: int | None = None
    answer: str | None = None
    """None: not called yet."""


class ApiTasks:
    """Everything may raise StoreAway, and Refused (not_configured) by the vault."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._tasks = database[API_TASKS]
        self._rows = database[API_TASK_ROWS]
        self._vault = vault

    async def add(self, task: ApiTask, rows: Sequence[Mapping[str, str]]) -> None:
        """The rows before the task: one that is there is whole."""
        documents = [
            {
                "_id": f"{task.id}/{number}",
                "task": task.id,
                "row": number,
                "attempts": 0,
                "params": self._locked(params),
            }
            for number, params in enumerate(rows, 1)
        ]
        for start in range(0, len(documents), INSERTED_AT_ONCE):
            with translated():
                await self._rows.insert_many(documents[start : start + INSERTED_AT_ONCE], ordered=False)
        with translated():
            await self._tasks.insert_one(msgspec.to_builtins(task, builtin_types=(datetime,)))

    async def find(self, task_id: int, scope: Scope) -> ApiTask:
        """Refuses not_found."""
        with translated():
            found = await self._tasks.find_one({"_id": task_id, "deleted_at": None, **scope.match()})
        if found is None:
            raise not_found(f"task {task_id}")
        return msgspec.convert(found, ApiTask)

    async def known(self, task_id: int) -> ApiTask | None:
        """A task that is not deleted."""
        with translated():
            found = await self._tasks.find_one({"_id": task_id, "deleted_at": None})
        return None if found is None else msgspec.convert(found, ApiTask)

    async def move(
        self, task_id: int, states: Sequence[TaskState], to: TaskState, fields: Mapping[str, Any] | None = None
    ) -> ApiTask | None:
        """The task as it is then; None where it was in none of these states, or is deleted."""
        which: Document = {"_id": task_id, "deleted_at": None, "state": {"$in": [int(state) for state in states]}}
        with translated():
            found = await self._tasks.find_one_and_update(
                which, {"$set": {"state": int(to), **(fields or {})}}, return_document=ReturnDocument.AFTER
            )
        return None if found is None else msgspec.convert(found, ApiTask)

    async def delete(self, task_id: int, at: datetime) -> None:
        """Safe to repeat."""
        with translated():
            await self._tasks.update_one({"_id": task_id, "deleted_at": None}, {"$set": {"deleted_at": at}})
        await self.drop_rows(task_id)

    async def drop_rows(self, task_id: int) -> None:
        with translated():
            await self._rows.delete_many({"task": task_id})

    # ---- rows -------------------------------------------------------------------------------------------------------

    async def rows(self, task_id: int, after: int, limit: int) -> list[TaskCall]:
        """The next rows, in their order."""
        with translated():
            found = (
                await self._rows.find({"task": task_id, "row": {"$gt": after}}).sort("row", 1).limit(limit).to_list()
            )
        return [
            TaskCall(
                each["row"],
                msgspec.json.decode(self._vault.decrypt(each["params"]), type=dict[str, str]),
                each["attempts"],
                each.get("status"),
                None if "answer" not in each else self._vault.decrypt(each["answer"]),
            )
            for each in found
        ]

    async def tried(self, task_id: int, row: int) -> None:
        """A call got no answer that stands."""
        with translated():
            await self._rows.update_one({"_id": f"{task_id}/{row}"}, {"$inc": {"attempts": 1}})

    async def answered(self, task_id: int, row: int, status: int | None, answer: str) -> None:
        """Write down what came of a call; the task is so far then."""
        kept = {"status": status, "answer": self._vault.encrypt(answer)}
        with translated():
            await self._rows.update_one({"_id": f"{task_id}/{row}"}, {"$set": kept})
            await self._tasks.update_one({"_id": task_id}, {"$max": {"finished_count": row}})

    def _locked(self, params: Mapping[str, str]) -> str:
        return self._vault.encrypt(msgspec.json.encode(params).decode())
