"""Call records: apiData of the client console, api/record* of the operators' platform.

Both list the same records, each within its scope. A customer is not told which sources
answered and at what cost. Personal data is masked in lists and details alike.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from ulid import ULID

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from handlers.usage.rating import State
from schemas.events import Event
from schemas.mt.access import Role
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.common import micro_of, page_of, yuan
from schemas.mt.record_codes import NOTHING_TO_COMPENSATE, RECORD_NOT_FOUND
from schemas.mt.records import (
    CallRecord,
    CallRecordQuery,
    CompensateRequest,
    ConsoleCallRecord,
    EditRecordRequest,
    UpstreamCallRecord,
)
from schemas.usage import MAX_RERATED, UsageCorrected, UsageRerateRequested
from stores.mongo import Document
from stores.mt.customers import customers_with_user
from stores.mt.names import account_names, product_names, source_names
from stores.mt.records import RecordFilter, Records
from stores.usage.personal import UPSTREAM_SEALED, Personal

SOURCE = "metering"
MAX_COMPENSATED = 10_000
SEARCHED = timedelta(days=90)
FEE_TEXTS = {State.CHARGED: "charged", State.FREE: "free", State.UNCHARGED: "not charged", State.UNRATED: "not rated"}


class CallRecords:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._records = Records(tools.database)
        self._personal = Personal(tools.settings.metering.secrets_keys)

    async def page(self, asked: Asked) -> Reply:
        """Newest first. A search without a time looks through the last SEARCHED; a serial number is found whatever its
        age."""
        query: CallRecordQuery = asked.body
        which = await self.filter_of(asked, query)
        rows, total = await self._records.page(which, query, self._tools.settings.metering.unpaged_rows)
        return Reply(page_of(await self._rows(rows, asked.principal.role), total, query))

    async def filter_of(self, asked: Asked, query: CallRecordQuery) -> RecordFilter:
        """What a query asks for, within the caller's scope. Refuses bad_field for times that are none."""
        zone = self._tools.zone
        which = RecordFilter(
            scope=asked.scope,
            since=zone.moment(query.create_date_gte, "createDateGte") if query.create_date_gte else None,
            until=zone.moment_after(query.create_date_lte, "createDateLte") if query.create_date_lte else None,
            dept_ids=query.dept_id_list or None,
            items=query.item_code_list or None,
            charged=_flag(query.is_fee),
            success=_flag(query.success),
            cached=_flag(query.cache_flag),
            id_card_hashes=self._personal.hashes("id_card", query.id_card) if query.id_card else None,
        )
        if query.keyword and await self._records.find(query.keyword, asked.scope) is not None:
            return msgspec.structs.replace(which, seq_no=query.keyword)
        if (query.keyword or query.id_card) and which.since is None:
            which = msgspec.structs.replace(which, since=asked.at - SEARCHED)
        return msgspec.structs.replace(which, trade_no=query.keyword) if query.keyword else which

    async def detail(self, asked: Asked) -> Reply:
        record = await self._records.find(asked.param("seqNo"), asked.scope)
        if record is None:
            raise MtRefused(RECORD_NOT_FOUND, "there is no such call record")
        (row,) = await self._details([record], asked.principal.role)
        return Reply(row)

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
            merchants = await customers_with_user(self._tools.database, wanted.user_id)
            if not merchants:
                raise not_found("the customer")
            accounts = await self._records.unrated_of(sorted(merchants), MAX_COMPENSATED)
        else:
            accounts = await self._records.unrated_of(None, MAX_COMPENSATED)
        if not accounts:
            raise MtRefused(NOTHING_TO_COMPENSATE, "none of these calls waits for a price")
        return Reply(facts=tuple(_rerates(asked, accounts)))

    # ---- rows -------------------------------------------------------------------------------------------------------

    async def _rows(self, records: Sequence[Document], role: Role) -> list[ConsoleCallRecord]:
        database = self._tools.database
        depts = await account_names(database, {record["dept_id"] for record in records})
        items = await product_names(database, {record["item"] for record in records})
        make = self._console_row if role is Role.CUSTOMER else self._row
        return [make(record, depts, items) for record in records]

    async def _details(self, records: Sequence[Document], role: Role) -> list[CallRecord]:
        database = self._tools.database
        depts = await account_names(database, {record["dept_id"] for record in records})
        items = await product_names(database, {record["item"] for record in records})
        sources = await source_names(database, {call["source"] for record in records for call in record["upstream"]})
        rows = []
        for record in records:
            row = self._row(record, depts, items)
            if role is Role.CUSTOMER:
                row.final_source = None
            else:
                row.upstream_record_list = self._upstream(record, depts, sources)
            rows.append(row)
        return rows

    def _console_row(self, record: Document, depts: dict[int, str], items: dict[str, str]) -> ConsoleCallRecord:
        return ConsoleCallRecord(**self._common(record, depts, items))

    def _row(self, record: Document, depts: dict[int, str], items: dict[str, str]) -> CallRecord:
        return CallRecord(
            **self._common(record, depts, items),
            is_fee_desc=FEE_TEXTS[State(record["state"])],
            cache_flag=int(record["cached"]),
            final_source=record.get("source"),
            org_code=record.get("org_code"),
        )

    def _common(self, record: Document, depts: dict[int, str], items: dict[str, str]) -> dict[str, Any]:
        return {
            **{name: record.get(name) for name in _AS_STORED},
            "seq_no": record["_id"],
            "check_item": record["item"],
            "check_item_name": items.get(record["item"]),
            "dept_name": depts.get(record["dept_id"]),
            "tag": record["tag"],
            "is_fee": int(record["state"] == State.CHARGED),
            "fee": yuan(record["fee_micro"]),
            "success": int(record["success"]),
            "time": record.get("took_ms"),
            "create_date": self._tools.zone.text(record["created_at"]),
        }

    def _upstream(self, record: Document, depts: dict[int, str], sources: dict[str, str]) -> list[UpstreamCallRecord]:
        sealed: list[dict[str, Any]] = list(self._personal.open(record).upstream) or [{}] * len(record["upstream"])
        return [
            UpstreamCallRecord(
                **{name: call.get(name) for name in ("third_seq_no", "time", "outer_name", "outer_type", "item")},
                **{name: exchanged.get(name) for name in UPSTREAM_SEALED},
                seq_no=record["_id"],
                data_source_code=call["source"],
                data_source_name=sources.get(call["source"]),
                is_fee=int(call["is_fee"]),
                dept_name=depts.get(record["dept_id"]),
                app_id=record.get("app_id"),
                tag=record["tag"],
                create_date=self._tools.zone.text(record["created_at"]),
            )
            for call, exchanged in zip(record["upstream"], sealed, strict=True)
        ]


_AS_STORED = (
    "app_id",
    "dept_id",
    "trade_no",
    "result",
    "result_msg",
    "result_code",
    "name",
    "id_card",
    "mobile",
    "sign",
    "encryption_type",
    "phone_region",
    "request_ip",
    "extend",
)
_EDITABLE = ("result", "is_fee", "success", "result_msg", "result_code", "tag", "extend")


def _flag(sent: int | None) -> bool | None:
    return None if sent is None else bool(sent)


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
        MtOperation("apiDataRecordDetail", "GET", "/mt/beeback/apiData/recordDetail/{seqNo}", own.detail),
        MtOperation("crmApiRecordList", "POST", "/mt/crm/api/recordList", own.page, CallRecordQuery),
        MtOperation("crmApiRecordDetail", "GET", "/mt/crm/api/recordDetail/{seqNo}", own.detail),
        MtOperation("crmApiEditApiRecord", "POST", "/mt/crm/api/editApiRecord", own.edit, EditRecordRequest),
        MtOperation("crmApiRetryDexMock", "POST", "/mt/crm/api/retryDexMock", own.compensate, CompensateRequest),
    )
