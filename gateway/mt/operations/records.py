"""Call records: apiData of the client console, api/record* of the operators' platform.

Both list the same records, each within its scope. A customer is not told which sources
answered and at what cost. Personal data is masked in lists and details alike.
"""

from collections.abc import Sequence

import msgspec
from ulid import ULID

from gateway.file_links import Links, Promised
from gateway.mt.call_records import EXPORTS_KEPT, RECORD_EXPORT, RecordReader
from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from schemas.events import Event
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.common import micro_of, page_of
from schemas.mt.record_codes import NOTHING_TO_COMPENSATE, RECORD_NOT_FOUND
from schemas.mt.records import CallRecordQuery, CompensateRequest, EditRecordRequest
from schemas.usage import MAX_RERATED, UsageCorrected, UsageRerateRequested
from stores.jobs import Jobs
from stores.mt.customers import customers_with_user
from stores.mt.records import Records

SOURCE = "metering"
MAX_COMPENSATED = 10_000


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
        return Reply(self._links.make(Promised(job.id, asked.at + EXPORTS_KEPT), asked.at).url)

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
        """Calls that had no price are rated as they would have been, by the prices there are now for their time."""
        wanted: CompensateRequest = asked.body
        if wanted.seq_nos:
            accounts = await self._records.accounts_of(wanted.seq_nos, asked.scope)
        elif wanted.user_id is not None:
            merchants = await customers_with_user(self._database, wanted.user_id)
            if not merchants:
                raise not_found("the customer")
            accounts = await self._records.unrated_of(sorted(merchants), MAX_COMPENSATED)
        else:
            accounts = await self._records.unrated_of(None, MAX_COMPENSATED)
        if not accounts:
            raise MtRefused(NOTHING_TO_COMPENSATE, "none of these calls waits for a price")
        return Reply(facts=tuple(_rerates(asked, accounts)))


_EDITABLE = ("result", "is_fee", "success", "result_msg", "result_code", "tag", "extend")


def _rerates(asked: Asked, accounts: dict[str, int]) -> list[Event]:
    """Requests by account, each of so many calls as one event takes."""
    by_account: dict[int, list[str]] = {}
    for seq_no, dept_id in accounts.items():
        by_account.setdefault(dept_id, []).append(seq_no)
    return [
        _fact(
            asked,
            "usage.rerate.requested",
            dept_id,
            UsageRerateRequested(
                dept_id=dept_id, seq_nos=tuple(seq_nos[start : start + MAX_RERATED]), by=asked.principal.user_id
            ),
        )
        for dept_id, seq_nos in by_account.items()
        for start in range(0, len(seq_nos), MAX_RERATED)
    ]


def _fact(asked: Asked, kind: str, dept_id: int, payload: msgspec.Struct) -> Event:
    return Event(
        id=str(ULID.from_datetime(asked.at)),
        source=SOURCE,
        type=kind,
        subject=str(dept_id),
        time=asked.at,
        data=msgspec.json.encode(payload),
        traceparent=asked.call.traceparent,
    )


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
