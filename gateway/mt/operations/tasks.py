"""/mt/beeback/apiTask: products tried with a single call, and batch tasks over sample files."""

import secrets
from collections.abc import Sequence

import msgspec
from ulid import ULID

from channels.product_endpoint import address_of, open_products
from gateway.file_links import Links
from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.samples import read_sample
from gateway.system import Reply
from gateway.uploads import file_in
from handlers.product_calls import signed_call
from schemas.errors import Refused
from schemas.mt.alert_codes import CALL_FAILED, NO_ENDPOINT, NO_RESULT
from schemas.mt.alert_codes import TASK_STATE as NO_SUCH_MOVE
from schemas.mt.codes import MtRefused
from schemas.mt.common import IdRequest, page_of
from schemas.mt.tasks import EncryptionType, SingleTest, TaskQuery, TaskRow, TaskState
from stores.collections import JOBS
from stores.files import Files
from stores.job_desk import JobDesk
from stores.jobs import Job, Jobs, State
from stores.mt.api_tasks import API_TASKS, ApiTask, ApiTasks
from stores.mt.callers import caller_for
from stores.mt.names import account_names, product_names
from stores.mt.numbers import next_number
from stores.mt.pages import containing, find_by, find_page

KIND = "api_task"
NAME_CHARS = 128
PASSWORD_BYTES = 12
BEGUN = (TaskState.WAITING, TaskState.RUNNING)


class Tasks:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._settings = tools.settings.tasks
        self._unpaged_rows = tools.settings.metering.unpaged_rows
        self._vault = tools.vault
        self._zone = tools.zone
        self._tasks = ApiTasks(tools.database, tools.vault)
        self._links = Links(tools.settings.files)

    async def test(self, asked: Asked) -> Reply:
        """The product's answer to one call, as it came."""
        body: SingleTest = asked.body
        self._require_address(body.check_item)
        params = {name: str(value) for name, value in msgspec.to_builtins(body.params).items() if name != "deptId"}
        caller = await caller_for(self._database, self._vault, asked.scope, body.check_item, body.params.dept_id)
        signed = signed_call(
            app_id=caller.app_id,
            secret=caller.secret,
            seq_no=f"T{ULID()}",
            item=body.check_item,
            params=params,
            encryption=EncryptionType.PLAIN,
            timestamp=int(asked.at.timestamp()),
        )
        async with open_products(self._settings) as products:
            called = await products.call(body.check_item, signed)
        if called.status is None or not 200 <= called.status < 300:
            raise MtRefused(CALL_FAILED, f"{body.check_item}: {called.status or called.text}")
        return Reply(called.text)

    async def submit(self, asked: Asked) -> Reply:
        """Keep a sample, and begin to call, unless it is a draft."""
        name, item = _text(asked, "taskName"), _text(asked, "checkItem")
        encryption, is_draft = _encryption(asked), _flag(asked, "saveAsDraft")
        self._require_address(item)
        upload = file_in(asked.call, "file")
        sample = read_sample(upload.content, self._settings.sample_rows)
        caller = await caller_for(self._database, self._vault, asked.scope, item)
        task = ApiTask(
            id=await next_number(self._database, "api_task"),
            merchant_id=caller.merchant_id,
            dept_id=caller.dept_id,
            app_id=caller.app_id,
            item=item,
            task_name=name,
            encryption_type=int(encryption),
            state=int(TaskState.DRAFT if is_draft else TaskState.WAITING),
            columns=sample.columns,
            sample_count=len(sample.rows),
            password_secret=self._vault.encrypt(secrets.token_urlsafe(PASSWORD_BYTES)),
            created_by=asked.principal.user_id,
            created_at=asked.at,
            executed_at=None if is_draft else asked.at,
        )
        await self._tasks.add(task, sample.rows)
        if not is_draft:
            await self._start(task, asked)
        return Reply()

    async def page(self, asked: Asked) -> Reply:
        """Newest first. The password of a result is shown once there is one."""
        query: TaskQuery = asked.body
        match = {**asked.scope.match(), "deleted_at": None}
        if query.check_item is not None:
            match["item"] = query.check_item
        if query.keyword:
            match["task_name"] = containing(query.keyword)
        found, total = await find_page(
            self._database, API_TASKS, match, query, [("created_at", -1), ("_id", -1)], self._unpaged_rows
        )
        return Reply(page_of(await self._task_rows([msgspec.convert(each, ApiTask) for each in found]), total, query))

    async def execute(self, asked: Asked) -> Reply:
        """Begin a draft, or go on with a task that was given up. One that has begun already is let be."""
        body: IdRequest = asked.body
        task = await self._tasks.find(body.id, asked.scope)
        if task.state == TaskState.FINISHED:
            raise MtRefused(NO_SUCH_MOVE, f"task {task.id} is finished")
        self._require_address(task.item)
        await self._tasks.move(task.id, [TaskState.DRAFT], TaskState.WAITING, {"executed_at": asked.at})
        job = await self._start(task, asked)
        if job.state in (State.FAILED, State.CANCELLED):
            await JobDesk(self._database).retry(job.id, asked.at)
        return Reply()

    async def delete(self, asked: Asked) -> Reply:
        """With its sample and its result. Calls that are under way end with the one in hand."""
        body: IdRequest = asked.body
        task = await self._tasks.find(body.id, asked.scope)
        await self._tasks.delete(task.id, asked.at)
        if task.file_id is not None:
            await Files(self._database).delete(task.file_id)
        return Reply()

    async def download(self, asked: Asked) -> Reply:
        """A link to the archive, which its password opens."""
        body: IdRequest = asked.body
        task = await self._tasks.find(body.id, asked.scope)
        file = None if task.file_id is None else await Files(self._database).find(task.file_id, asked.at)
        if file is None:
            raise MtRefused(
                NO_RESULT, f"task {task.id} has no result: it is not finished, or the result's time is over"
            )
        return Reply(self._links.make(file, asked.at).url)

    async def _start(self, task: ApiTask, asked: Asked) -> Job:
        return await Jobs(self._database).start(
            job_of(task.id), kind=KIND, owner=f"customer/{task.merchant_id}", args={"task": task.id}, now=asked.at
        )

    def _require_address(self, item: str) -> None:
        if address_of(self._settings, item) is None:
            raise MtRefused(NO_ENDPOINT, f"{item} has no address to be called at")

    async def _task_rows(self, tasks: Sequence[ApiTask]) -> list[TaskRow]:
        accounts = await account_names(self._database, [task.dept_id for task in tasks])
        products = await product_names(self._database, [task.item for task in tasks])
        begun = [job_of(task.id) for task in tasks if task.state in BEGUN]
        ended = {job["_id"] for job in await find_by(self._database, JOBS, "_id", begun, {"state": State.FAILED.value})}
        return [
            TaskRow(
                id=task.id,
                task_no=task.number,
                task_name=task.task_name,
                dept_id=task.dept_id,
                dept_name=accounts.get(task.dept_id),
                app_id=task.app_id,
                check_item=task.item,
                item_name=products.get(task.item),
                state=int(TaskState.FAILED) if job_of(task.id) in ended else task.state,
                task_params=msgspec.json.encode(
                    {"columns": task.columns, "encryptionType": task.encryption_type}
                ).decode(),
                sample_count=task.sample_count,
                finished_count=task.finished_count,
                password=None if task.file_id is None else self._vault.decrypt(task.password_secret),
                execute_time=None if task.executed_at is None else self._zone.text(task.executed_at),
                finish_time=None if task.finished_at is None else self._zone.text(task.finished_at),
                create_date=self._zone.text(task.created_at),
            )
            for task in tasks
        ]


def job_of(task_id: int) -> str:
    return f"{KIND}/{task_id}"


def _text(asked: Asked, name: str) -> str:
    text = asked.call.query.get(name, "").strip()
    if not 0 < len(text) <= NAME_CHARS or "\0" in text:
        raise Refused("bad_field", f"{name}: a text of at most {NAME_CHARS} characters is expected in the query")
    return text


def _encryption(asked: Asked) -> EncryptionType:
    text = asked.call.query.get("encryptionType", "1")
    if text not in {str(int(each)) for each in EncryptionType}:
        raise Refused("bad_field", "encryptionType: 1 (plain), 2 (MD5), 3 (SHA256) or 4 (SM3) is expected")
    return EncryptionType(int(text))


def _flag(asked: Asked, name: str) -> bool:
    text = asked.call.query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise Refused("bad_field", f"{name}: true or false is expected")
    return text == "true"


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = Tasks(tools)
    base = "/mt/beeback/apiTask"
    return (
        MtOperation("apiTaskTest", "POST", f"{base}/test", own.test, SingleTest),
        MtOperation("apiTaskSubmitBatch", "POST", f"{base}/submitBatch", own.submit),
        MtOperation("apiTaskTaskList", "POST", f"{base}/taskList", own.page, TaskQuery),
        MtOperation("apiTaskExecute", "POST", f"{base}/execute", own.execute, IdRequest),
        MtOperation("apiTaskDelete", "POST", f"{base}/delete", own.delete, IdRequest),
        MtOperation("apiTaskDownloadResult", "POST", f"{base}/downloadResult", own.download, IdRequest),
    )
