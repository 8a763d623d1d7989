"""Grants as a workbook: one stream from the cursor into the file, however many there are."""

from contextlib import aclosing
from typing import Any

import msgspec

from gateway.mt.call_records import EXPORTS_KEPT
from gateway.mt.grant_export import COLUMNS, GRANT_EXPORT, table
from gateway.mt.grant_lists import GrantLists
from gateway.mt.sheets import XLSX, xlsx
from schemas.mt.access import Principal, Scope
from schemas.mt.common import Zone
from schemas.mt.grants import GrantQuery
from stores.jobs import Job
from workers.jobs.kind import Step, Tools


class GrantExport:
    name = GRANT_EXPORT

    async def step(self, job: Job, tools: Tools) -> Step:
        """The whole file: cut off, it is begun again, and nobody sees half of it."""
        args: dict[str, Any] = job.args
        merchants = args["merchants"]
        scope = Scope(None if merchants is None else frozenset(merchants))
        who = msgspec.convert(args["principal"], Principal)
        metering = tools.settings.metering
        lists = GrantLists(tools.database, Zone(metering.zone), metering.unpaged_rows)
        match = await lists.match(msgspec.convert(args["query"], GrantQuery), scope, who.role)
        rows = table(tools.database, Zone(metering.zone), match, who, args["asked_at"])
        async with aclosing(xlsx("grants", COLUMNS, rows)) as chunks:
            file = await tools.files.write(
                job.id,
                chunks,
                name="grants.xlsx",
                content_type=XLSX,
                now=tools.now(),
                expires_at=args["asked_at"] + EXPORTS_KEPT,
            )
        return Step(done=1, total=1, finished=True, result={"file": file.id, "bytes": file.size})


KIND = GrantExport()
