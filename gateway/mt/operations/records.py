"""Call records: apiData of the client console, api/record* of the operators' platform.

Both list the same records, each within its scope. A customer is not told which sources
answered and at what cost. Personal data is masked in lists and details alike.
"""

from collections.abc import Sequence, Sized

import msgspec
from ulid import ULID

from gateway.file_links import Links, Promised
from gateway.mt.call_records import EXPORTS_KEPT, RECORD_EXPORT, RecordReader
from gateway.mt.facts import fact
from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from schemas.events import Event
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.common import micro_of, page_of
from schemas.mt.record_codes import NOTHING_TO_COMPENSATE, RECORD_NOT_FOUND
from schemas.mt.records import CallRecordQuery, CompensateRequest, EditRecordRequest
from schemas.usage import UsageCorrected
from stores.jobs import Jobs
from stores.mt.customers import customers_with_user
from stores.mt.records import Records
from stores.usage.unrated import accounts_waiting, named_calls, requests

USAGE_RERATE = "usage_rerate"
"""The kind of the job that has calls rated again."""


class CallRecords:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._records = Records(tools.database)
        self._reader = RecordReader(tools.database, tools.zone, tools.settings.metering)
        self._jobs = Jobs(tools.database)
        self._unpaged_rows = tools.settings.metering.unpaged_rows
        self._links = Links(tools.settings.files)

    async def page(self, asked: Asked) -> Reply:
        """Newest first. A search without a time looks through the last SEARCHED; a serial number is found whatever its
        age."""
        query: CallRecordQuery = asked.body
        which = await self._reader.filter_of(query, asked.scope, asked.at)
        rows, total = await self._records.page(which, query, self._unpaged_rows, asked.at)
        return Reply(page_of(await self._reader.rows(rows, asked.principal.role), total, query))

    async def export(self, asked: Asked) -> Reply:
        """A job makes the file; its link is answered at once, and good when the job is done."""
        query: CallRecordQuery = asked.body
        await self._reader.filter_of(query, asked.scope, asked.at)  # refuses now what the job could not do
        merchants = asked.scope.merchants
        job = await self._jobs.start(
            f"record-export/{ULID.from_datetime(asked.at)}",
            kind=RECORD_EXPORT,
            owner=f"{asked.principal.role}/{asked.principal.user_id}",
            args={
                "query": msgspec.to_builtins(query),
                "merchants": None if merchants is None else sorted(merchants),
                "role": str(asked.principal.role),
                "asked_at": asked.at,
            },
            now=asked.at,
        )
        return Reply(self._links.promise(Promised(job.id, asked.at + EXPORTS_KEPT)).url)

    async def detail(self, asked: Asked) -> Reply:
        record = await self._records.find(asked.param("seqNo"), asked.scope)
        if record is None:
            raise MtRefused(RECORD_NOT_FOUND, "there is no such call record")
        return Reply(await self._reader.detail(record, asked.principal.role))

    async def edit(self, asked: Asked) -> Reply:
        """The change is a fact: record and totals follow it once it is folded."""
        wanted: EditRecordRequest = asked.body
        record = await self._records.find(wanted.seq_no, asked.scope)
        if record is None:
            raise MtRefused(RECORD_NOT_FOUND, "there is no such call record")
        changed = {name: getattr(wanted, name) for name in _EDITABLE}
        correction = UsageCorrected(
            seq_no=wanted.seq_no,
            dept_id=record["dept_id"],
            by=asked.principal.user_id,
            fee_micro=None if wanted.fee is None else micro_of(wanted.fee, "fee"),
            **changed,
        )
        return Reply(facts=(_fact(asked, "usage.corrected", correction.dept_id, correction),))

    async def compensate(self, asked: Asked) -> Reply:
        """Calls that had no price are rated as they would have been, by the prices there are now for their time.

        Those that are named at once; all of a customer's, or all there are, by a job.
        """
        wanted: CompensateRequest = asked.body
        if wanted.seq_nos:
            calls = await named_calls(self._database, wanted.seq_nos, asked.scope)
            _check_any(calls)
            events = requests(calls, asked.at, asked.principal.user_id)
            return Reply(facts=tuple(msgspec.structs.replace(e, traceparent=asked.call.traceparent) for e in events))
        merchants = None
        if wanted.user_id is not None:
            merchants = sorted(await customers_with_user(self._database, wanted.user_id))
            if not merchants:
                raise not_found("the customer")
        _check_any(await accounts_waiting(self._database, merchants))
        await self._jobs.start(
            f"usage-rerate/{ULID.from_datetime(asked.at)}",
            kind=USAGE_RERATE,
            owner=f"{asked.principal.role}/{asked.principal.user_id}",
            args={"merchants": merchants, "by": asked.principal.user_id},
            now=asked.at,
        )
        return Reply()


def _check_any(waiting: Sized) -> None:
    if not waiting:
        raise MtRefused(NOTHING_TO_COMPENSATE, "none of these calls waits for a price")


_EDITABLE = ("result", "is_fee", "success", "result_msg", "result_code", "tag", "extend")


def _fact(asked: Asked, kind: str, dept_id: int, payload: msgspec.Struct) -> Event:
    return fact(asked, kind, str(dept_id), payload, str(ULID.from_datetime(asked.at)))


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = CallRecords(tools)
    return (
        MtOperation("apiDataRecordList", "POST", "/mt/beeback/apiData/recordList", own.page, CallRecordQuery),
        MtOperation("apiDataRecordExport", "POST", "/mt/beeback/apiData/recordExport", own.export, CallRecordQuery),
        MtOperation("apiDataRecordDetail", "GET", "/mt/beeback/apiData/recordDetail/{seqNo}", own.detail),
        MtOperation("crmApiRecordList", "POST", "/mt/crm/api/recordList", own.page, CallRecordQuery),
        MtOperation("crmApiRecordExport", "POST", "/mt/crm/api/recordExport", own.export, CallRecordQuery),
        MtOperation("crmApiRecordDetail", "GET", "/mt/crm/api/recordDetail/{seqNo}", own.detail),
        MtOperation("crmApiEditApiRecord", "POST", "/mt/crm/api/editApiRecord", own.edit, EditRecordRequest),
        MtOperation("crmApiRetryDexMock", "POST", "/mt/crm/api/retryDexMock", own.compensate, CompensateRequest),
    )
