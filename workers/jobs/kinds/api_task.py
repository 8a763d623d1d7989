"""Batch tasks: a product is called for each row of a sample, at a limited rate; the results leave as a locked archive.

Each result is written down before the next call, so a crash repeats the one call that was under way, under the
number it had. A product that is away holds the task up; a row that it fails at again and again is given up.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

import pyzipper
from aiolimiter import AsyncLimiter

from channels.product_endpoint import Called, ProductEndpoint, address_of, open_products
from gateway.mt.operations.tasks import BEGUN
from gateway.mt.operations.tasks import KIND as NAME
from gateway.mt.sheets import CHUNK_BYTES, Cell, Column, csv_table
from handlers.product_calls import row_number, signed_call
from schemas.errors import Refused, Transient
from schemas.mt.access import Scope
from schemas.mt.tasks import EncryptionType, TaskState
from stores.jobs import Job
from stores.mt.api_tasks import ApiTask, ApiTasks, TaskCall
from stores.mt.callers import Caller, caller_for
from stores.vault import Vault
from workers.jobs.kind import Hopeless, Step, Tools

STEP_SECONDS = 10.0
"""About so long calls are made before other jobs have their turn."""
ROWS_AT_ONCE = 200
SETTING = "FANFOLD_METERING__SECRETS_KEYS"


class EndpointAway(Transient):
    """The product gave no answer that stands; the row is called again."""


class ApiTaskKind:
    name = NAME

    async def step(self, job: Job, tools: Tools) -> Step:
        """The next calls, or the archive once there is nothing to call any more."""
        vault = Vault(tools.settings.metering.secrets_keys, SETTING)
        tasks = ApiTasks(tools.database, vault)
        task = await tasks.known(int(job.args["task"]))
        if task is None:
            await tasks.drop_rows(int(job.args["task"]))
            return Step(finished=True, result={"deleted": True})
        await tasks.move(task.id, [TaskState.WAITING], TaskState.RUNNING)
        total = task.sample_count
        if task.file_id is None:
            after = int(job.cursor.get("row", 0))
            rows = await tasks.rows(task.id, after, self._rows_of_step(tools))
            if rows:
                last = await self._call(task, rows, tasks, vault, tools)
                return Step(cursor={"row": last}, done=last, total=total)
            await self._file(task, tasks, vault, tools)
        await tasks.drop_rows(task.id)
        return Step(cursor=job.cursor, done=total, total=total, finished=True, result={"rows": total})

    def _rows_of_step(self, tools: Tools) -> int:
        return max(1, min(ROWS_AT_ONCE, int(tools.settings.tasks.calls_per_second * STEP_SECONDS)))

    async def _call(self, task: ApiTask, rows: list[TaskCall], tasks: ApiTasks, vault: Vault, tools: Tools) -> int:
        """Call for these rows, as far as time allows; the number of the last. What was answered is passed over."""
        settings = tools.settings.tasks
        if address_of(settings, task.item) is None:
            raise Hopeless(f"{task.item} has no address to be called at")
        caller = await self._caller(task, vault, tools)
        # One at a time, evenly: a burst is what a limit is to keep away.
        pace = AsyncLimiter(1, 1 / settings.calls_per_second)
        over = time.monotonic() + STEP_SECONDS
        async with open_products(settings) as products:
            for row in rows:
                if row.answer is not None:
                    continue
                async with pace:
                    called = await self._one(task, row, caller, products, tools)
                if called.again and row.attempts + 1 < settings.attempts:
                    await tasks.tried(task.id, row.row)
                    raise EndpointAway(f"row {row.row}: {called.status or called.text}")
                await tasks.answered(task.id, row.row, called.status, called.text)
                if time.monotonic() > over:
                    return row.row
        return rows[-1].row

    async def _caller(self, task: ApiTask, vault: Vault, tools: Tools) -> Caller:
        try:
            scope = Scope(frozenset({task.merchant_id}))
            return await caller_for(tools.database, vault, scope, task.item, task.dept_id)
        except Refused as refused:
            raise Hopeless(str(refused)) from None

    async def _one(
        self, task: ApiTask, row: TaskCall, caller: Caller, products: ProductEndpoint, tools: Tools
    ) -> Called:
        signed = signed_call(
            app_id=caller.app_id,
            secret=caller.secret,
            seq_no=row_number(task.id, row.row),
            item=task.item,
            params=row.params,
            encryption=EncryptionType(task.encryption_type),
            timestamp=int(tools.now().timestamp()),
        )
        return await products.call(task.item, signed)

    async def _file(self, task: ApiTask, tasks: ApiTasks, vault: Vault, tools: Tools) -> None:
        """The archive, and then the task's word that it is there."""
        now = tools.now()
        password = vault.decrypt(task.password_secret)
        async with aclosing(archive(f"{task.number}.csv", table(task, tasks), password)) as chunks:
            file = await tools.files.write(
                f"{NAME}/{task.id}",
                chunks,
                name=f"{task.number}.zip",
                content_type="application/zip",
                now=now,
                expires_at=now + timedelta(days=tools.settings.tasks.result_days),
            )
        done = {"file_id": file.id, "finished_at": now, "finished_count": task.sample_count}
        if await tasks.move(task.id, BEGUN, TaskState.FINISHED, done) is None:
            # Deleted meanwhile.
            await tools.files.delete(file.id)


def table(task: ApiTask, tasks: ApiTasks) -> AsyncGenerator[bytes, None]:
    """What was asked and answered, as CSV."""
    columns = [Column(title) for title in ("row", "seqNo", *task.columns, "status", "result")]

    async def rows() -> AsyncGenerator[list[Cell], None]:
        after = 0
        while found := await tasks.rows(task.id, after, ROWS_AT_ONCE):
            for each in found:
                asked = [each.params.get(name) for name in task.columns]
                yield [each.row, row_number(task.id, each.row), *asked, each.status, each.answer]
            after = found[-1].row

    return csv_table(columns, rows())


async def archive(name: str, content: AsyncGenerator[bytes, None], password: str) -> AsyncGenerator[bytes, None]:
    """A zip with one file in it, encrypted by AES-256 (WinZip's AE-2). Nothing of it is on disk in clear."""
    with tempfile.TemporaryFile() as made:
        with pyzipper.AESZipFile(made, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as packed:
            packed.setpassword(password.encode())
            with packed.open(name, "w", force_zip64=True) as inside:
                async for chunk in content:
                    await asyncio.to_thread(inside.write, chunk)
        made.seek(0)
        while chunk := await asyncio.to_thread(made.read, CHUNK_BYTES):
            yield chunk


KIND = ApiTaskKind()
