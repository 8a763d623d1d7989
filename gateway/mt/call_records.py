"""Call records from the store to what portals show: filters, rows of lists, details, tables for export."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from config.settings import MeteringSettings
from gateway.mt.sheets import Cell, Column
from handlers.usage.rating import State
from schemas.mt.access import Role, Scope
from schemas.mt.common import Zone, yuan
from schemas.mt.records import CallRecord, CallRecordQuery, ConsoleCallRecord, UpstreamCallRecord
from stores.mongo import Database, Document
from stores.mt.names import account_names, product_names, source_names
from stores.mt.records import RecordFilter, Records
from stores.usage.personal import UPSTREAM_SEALED, Personal

RECORD_EXPORT = "record_export"
"""The kind of the job that makes a file of records."""
EXPORTS_KEPT = timedelta(days=7)
SEARCHED = timedelta(days=90)
"""How far back is looked for a person or trade number where no time is given."""
ROWS_AT_ONCE = 500
FEE_TEXTS = {State.CHARGED: "charged", State.FREE: "free", State.UNCHARGED: "not charged", State.UNRATED: "not rated"}


class RecordReader:
    """Reads records for a caller. Everything may raise StoreAway."""

    def __init__(self, database: Database, zone: Zone, settings: MeteringSettings) -> None:
        self._database = database
        self._records = Records(database)
        self._zone = zone
        self._personal = Personal(settings.secrets_keys)

    async def filter_of(self, query: CallRecordQuery, scope: Scope, now: datetime) -> RecordFilter:
        """What a query asks for, within the scope. Refuses bad_field for times that are none."""
        zone = self._zone
        which = RecordFilter(
            scope=scope,
            since=zone.moment(query.create_date_gte, "createDateGte") if query.create_date_gte else None,
            until=zone.moment_after(query.create_date_lte, "createDateLte") if query.create_date_lte else None,
            dept_ids=query.dept_id_list or None,
            items=query.item_code_list or None,
            charged=_flag(query.is_fee),
            success=_flag(query.success),
            cached=_flag(query.cache_flag),
            id_card_hashes=self._personal.hashes("id_card", query.id_card) if query.id_card else None,
        )
        if query.keyword and await self._records.find(query.keyword, scope) is not None:
            return msgspec.structs.replace(which, seq_no=query.keyword)
        if (query.keyword or query.id_card) and which.since is None:
            which = msgspec.structs.replace(which, since=now - SEARCHED)
        return msgspec.structs.replace(which, trade_no=query.keyword) if query.keyword else which

    async def rows(self, records: Sequence[Document], role: Role) -> list[ConsoleCallRecord]:
        """For a list, as the role's portal shows it."""
        depts, items = await self._names(records)
        make = self._console_row if role is Role.CUSTOMER else self._row
        return [make(record, depts, items) for record in records]

    async def detail(self, record: Document, role: Role) -> CallRecord:
        """One record whole. What sources did, and for what, is not for customers."""
        depts, items = await self._names([record])
        row = self._row(record, depts, items)
        if role is Role.CUSTOMER:
            row.final_source = None
        else:
            sources = await source_names(self._database, {call["source"] for call in record["upstream"]})
            row.upstream_record_list = self._upstream(record, depts, sources)
        return row

    async def table(self, which: RecordFilter, role: Role) -> AsyncIterator[Sequence[Cell]]:
        """The cells of `columns_for(role)`, oldest record first, a bounded number of records in memory."""
        columns = _columns(role)
        batch: list[Document] = []
        async for record in self._records.each(which):
            batch.append(record)
            if len(batch) == ROWS_AT_ONCE:
                for row in await self.rows(batch, role):
                    yield [getattr(row, name) for name in columns]
                batch = []
        for row in await self.rows(batch, role):
            yield [getattr(row, name) for name in columns]

    async def _names(self, records: Sequence[Document]) -> tuple[Mapping[int, str], Mapping[str, str]]:
        depts = await account_names(self._database, {record["dept_id"] for record in records})
        return depts, await product_names(self._database, {record["item"] for record in records})

    def _console_row(self, record: Document, depts: Mapping[int, str], items: Mapping[str, str]) -> ConsoleCallRecord:
        return ConsoleCallRecord(**self._common(record, depts, items))

    def _row(self, record: Document, depts: Mapping[int, str], items: Mapping[str, str]) -> CallRecord:
        return CallRecord(
            **self._common(record, depts, items),
            is_fee_desc=FEE_TEXTS[State(record["state"])],
            cache_flag=int(record["cached"]),
            final_source=record.get("source"),
            org_code=record.get("org_code"),
        )

    def _common(self, record: Document, depts: Mapping[int, str], items: Mapping[str, str]) -> dict[str, Any]:
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
            "create_date": self._zone.text(record["created_at"]),
        }

    def _upstream(
        self, record: Document, depts: Mapping[int, str], sources: Mapping[str, str]
    ) -> list[UpstreamCallRecord]:
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
                create_date=self._zone.text(record["created_at"]),
            )
            for call, exchanged in zip(record["upstream"], sealed, strict=True)
        ]


def columns_for(role: Role) -> list[Column]:
    return [Column(name, _WIDTHS.get(name, 14)) for name in _columns(role).values()]


def _columns(role: Role) -> dict[str, str]:
    """Field to title: the contract's names, which those who read tables by program know."""
    row = ConsoleCallRecord if role is Role.CUSTOMER else CallRecord
    names = zip(row.__struct_fields__, row.__struct_encode_fields__, strict=True)
    return {field: title for field, title in names if field != "upstream_record_list"}


_WIDTHS = {"seqNo": 28, "checkItemName": 24, "deptName": 24, "createDate": 20, "resultMsg": 24}
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


def _flag(sent: int | None) -> bool | None:
    return None if sent is None else bool(sent)
