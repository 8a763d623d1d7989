"""The record of a call as it is kept: the call as reported, and what was decided about its price.

`_id` is the seqNo, `origin` where it was first read. Personal data is in no field as it
came: the store adds masked texts, hashes and a sealed box. A record that was changed keeps
each change with what it added to the totals before and after.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from handlers.usage.rating import Call, Part, Rated, SourceCost, State, Upstream
from schemas.events import Event, Origin
from schemas.mt.common import Zone
from schemas.usage import UsageCorrected, UsageRecorded

USAGE_RECORDS = "usage_records"
Document = dict[str, Any]

RATED_FIELDS = (
    "dept_id",
    "item",
    "tag",
    "app_id",
    "hour",
    "success",
    "cached",
    "source",
    "merchant_id",
    "state",
    "reason",
    "fee_micro",
    "wallet_id",
)


class Change(msgspec.Struct, frozen=True):
    """A change of a record: by which event it was made, and what the record added to totals before and after."""

    event: str
    """The event's identity."""
    origin: Origin
    before: Rated
    after: Rated


class Stored(msgspec.Struct, frozen=True):
    """What the store has of a record."""

    origin: Origin
    call: Call
    rated: Rated
    changes: tuple[Change, ...] = ()

    @property
    def original(self) -> Rated:
        """What was decided when it was recorded."""
        return self.changes[0].before if self.changes else self.rated


# ---- from events ----------------------------------------------------------------------------------------------------


def call_of(event: Event, usage: UsageRecorded, zone: Zone) -> Call:
    at = called_at(event, usage, zone)
    return Call(
        dept_id=usage.dept_id,
        item=usage.check_item,
        tag=usage.tag,
        app_id=usage.app_id,
        at=at,
        hour=zone.hour(at),
        success=bool(usage.success),
        cached=bool(usage.cache_flag),
        source=usage.final_source,
        parts=tuple(Part(part.check_item, bool(part.success)) for part in usage.sub_items),
        upstream=tuple(
            Upstream(
                call.data_source_code,
                call.item or usage.check_item,
                bool(call.is_fee),
                call.cost_micro,
                call.check_config_id,
            )
            for call in usage.upstream_record_list
        ),
    )


def called_at(event: Event, usage: UsageRecorded, zone: Zone) -> datetime:
    """The call's own time, in UTC: as reported, else the event's."""
    return event.time if usage.create_date is None else zone.utc(usage.create_date)


# ---- to documents ---------------------------------------------------------------------------------------------------


def document_of(usage: UsageRecorded, call: Call, rated: Rated) -> Document:
    """The record without what says where it came from, and without personal data."""
    document: Document = {
        "created_at": call.at,
        **rated_fields(rated),
        "upstream": [_upstream(usage, index, call, cost) for index, cost in enumerate(rated.costs)],
    }
    if rated.free_no is not None:
        document["free"] = {"grant": rated.grant, "no": rated.free_no}
    if call.parts:
        document["parts"] = [{"item": part.item, "success": part.success} for part in call.parts]
    for name in _AS_REPORTED:
        value = getattr(usage, name)
        if value is not None:
            document[name] = value
    if usage.time is not None:
        document["took_ms"] = str(usage.time)
    return document


_AS_REPORTED = (
    "trade_no",
    "org_code",
    "result",
    "result_code",
    "result_msg",
    "request_ip",
    "encryption_type",
    "sign",
    "phone_region",
    "extend",
)


def _upstream(usage: UsageRecorded, index: int, call: Call, cost: SourceCost) -> Document:
    document: Document = {
        "source": cost.source,
        "item": cost.item,
        "is_fee": cost.billable,
        "cost_micro": cost.cost_micro,
    }
    if not cost.known:
        document["cost_unknown"] = True
    if not usage.upstream_record_list:
        return document
    reported = usage.upstream_record_list[index]
    if reported.cost_micro is not None:
        document["cost_reported"] = True
    for name in ("check_config_id", "third_seq_no", "time", "outer_name", "outer_type"):
        value = getattr(reported, name)
        if value is not None:
            document[name] = value
    return document


def rated_fields(rated: Rated) -> Document:
    """What a decision puts into its record, beside the free call and the costs of sources."""
    fields = {name: value for name in RATED_FIELDS if (value := getattr(rated, name)) is not None}
    return fields | {"state": str(rated.state), "cost_micro": rated.cost_micro}


def revised_fields(rated: Rated) -> tuple[Document, tuple[str, ...]]:
    """What a new decision sets in its record, and which fields it takes out."""
    fields = rated_fields(rated)
    if rated.free_no is not None:
        fields["free"] = {"grant": rated.grant, "no": rated.free_no}
    gone = [name for name in RATED_FIELDS if getattr(rated, name) is None]
    for index, cost in enumerate(rated.costs):
        fields[f"upstream.{index}.cost_micro"] = cost.cost_micro
        if cost.known:
            gone.append(f"upstream.{index}.cost_unknown")
    return fields, tuple(gone)


def corrected_fields(correction: UsageCorrected) -> Document:
    """What an operator's change sets beside the price."""
    names = ("result", "result_code", "result_msg", "extend")
    return {name: value for name in names if (value := getattr(correction, name)) is not None}


def change_document(change: Change, event: Event, by: int | None, replaced: Mapping[str, Any]) -> Document:
    """`replaced`: other fields of the record that it changed, as they were."""
    return {
        "event": change.event,
        "origin": {"fence": change.origin.fence, "offset": change.origin.offset},
        "type": event.type,
        "at": event.time,
        "by": by,
        "before": rated_document(change.before),
        "after": rated_document(change.after),
        "replaced": dict(replaced),
    }


# ---- from documents -------------------------------------------------------------------------------------------------


def stored_of(document: Document) -> Stored:
    changes = tuple(
        Change(change["event"], Origin(**change["origin"]), rated_from(change["before"]), rated_from(change["after"]))
        for change in document.get("changes", ())
    )
    return Stored(Origin(**document["origin"]), call_from(document), rated_of(document), changes)


STORED_FIELDS = (*RATED_FIELDS, "origin", "created_at", "free", "upstream", "parts", "changes")
"""What `stored_of` reads."""


def rated_of(document: Document) -> Rated:
    """What a record says of its price, and adds to totals."""
    return _rated(document, document.get("free", {}).get("no"), document["upstream"])


def call_from(document: Document) -> Call:
    """The call of a record, to be rated once more."""
    return Call(
        dept_id=document["dept_id"],
        item=document["item"],
        tag=document["tag"],
        app_id=document.get("app_id"),
        at=document["created_at"],
        hour=document["hour"],
        success=document["success"],
        cached=document["cached"],
        source=document.get("source"),
        parts=tuple(Part(part["item"], part["success"]) for part in document.get("parts", ())),
        upstream=tuple(
            Upstream(
                call["source"],
                call["item"],
                call["is_fee"],
                call["cost_micro"] if "cost_reported" in call else None,
                call.get("check_config_id"),
            )
            for call in document["upstream"]
        ),
    )


def rated_document(rated: Rated) -> Document:
    """A decision by itself."""
    costs = [
        {"source": cost.source, "item": cost.item, "is_fee": cost.billable, "cost_micro": cost.cost_micro}
        | ({} if cost.known else {"cost_unknown": True})
        for cost in rated.costs
    ]
    return rated_fields(rated) | {"free_no": rated.free_no, "costs": costs}


def rated_from(document: Document) -> Rated:
    return _rated(document, document["free_no"], document["costs"])


def _rated(document: Document, free_no: int | None, costs: list[Document]) -> Rated:
    return Rated(
        dept_id=document["dept_id"],
        item=document["item"],
        tag=document["tag"],
        app_id=document.get("app_id"),
        hour=document["hour"],
        success=document["success"],
        cached=document["cached"],
        source=document.get("source"),
        merchant_id=document.get("merchant_id"),
        state=State(document["state"]),
        reason=document.get("reason"),
        fee_micro=document["fee_micro"],
        wallet_id=document.get("wallet_id"),
        free_no=free_no,
        costs=tuple(
            SourceCost(cost["source"], cost["item"], cost["is_fee"], cost["cost_micro"], "cost_unknown" not in cost)
            for cost in costs
        ),
    )
