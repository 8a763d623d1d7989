"""Call records as a workbook: one stream from the cursor into the file, however many there are."""

from contextlib import aclosing
from typing import Any

import msgspec

from gateway.mt.call_records import EXPORTS_KEPT, RECORD_EXPORT, RecordReader, columns_for
from gateway.mt.sheets import XLSX, xlsx
from schemas.mt.access import Role, Scope
from schemas.mt.common import Zone
from schemas.mt.records import CallRecordQuery
from stores.jobs import Job
from workers.jobs.kind import Step, Tools


class RecordExport:
    name = RECORD_EXPORT

    async def step(self, job: Job, tools: Tools) -> Step:
        """The whole file: cut off, it is begun again, and nobody sees half of it."""
        args: dict[str, Any] = job.args
        role, merchants = Role(args["role"]), args["merchants"]
        scope = Scope(None if merchants is None else frozenset(merchants))
        query = msgspec.convert(args["query"], CallRecordQuery)
        metering = tools.settings.metering
        reader = RecordReader(tools.database, Zone(metering.zone), metering)
        which = await reader.filter_of(query, scope, args["asked_at"])
        async with aclosing(xlsx("records", columns_for(role), reader.table(which, role))) as chunks:
            file = await tools.files.write(
                job.id,
                chunks,
                name="records.xlsx",
                content_type=XLSX,
                now=tools.now(),
                expires_at=args["asked_at"] + EXPORTS_KEPT,
            )
        return Step(done=1, total=1, finished=True, result={"file": file.id, "bytes": file.size})


KIND = RecordExport()
