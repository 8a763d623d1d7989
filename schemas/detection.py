"""The outcome of a check of accounts, as it was reported."""

from typing import Annotated, Any, Literal

import msgspec

from schemas.account import BanStatus
from schemas.catalogue import EventType
from schemas.numbers import Int32, Int64, Key, LongText, Text, check_free_form
from schemas.times import Instant, Timed, check_instants

MAX_RECORDS = 5_000
MAX_RECIPIENTS = 100


class Inspection(Timed, frozen=True, kw_only=True):
    """One account of a check. `checked` False: the check failed, so `status` says nothing."""

    user_id: Key
    checked: bool
    status: BanStatus | None = None
    jid: Int64 | None = None
    since: Instant | None = None
    until: Instant | None = None
    created_at: Instant | None = None
    code: Text | None = None
    content: Text | None = None
    user_name: Text | None = None
    seat_no: Text | None = None
    channel: Text | None = None
    transfer_status: Int32 | None = None
    name: Text | None = None
    alias: Text | None = None


class DetectionNoticed(msgspec.Struct, frozen=True, kw_only=True):
    """A check of accounts came to an outcome, or to a part of it."""

    kind: Literal["automatic", "manual", "repeated"] | None = None
    code: Text | None = None
    task_name: Text | None = None
    name: Text | None = None
    user_name: Text | None = None
    channel: Text | None = None
    mode: Text | None = None
    action: Text | None = None
    complete: Text | None = None
    started_at: Instant | None = None
    transfer_status: Int32 | None = None
    total: Int32 | None = None
    valid_total: Int32 | None = None
    banned_count: Int32 | None = None
    normal_count: Int32 | None = None
    receive_emails: Annotated[tuple[Key, ...], msgspec.Meta(max_length=MAX_RECIPIENTS)] = ()
    receive_user_id: Key | None = None
    title: Text | None = None
    content: LongText | None = None
    details: Annotated[tuple[Text, ...], msgspec.Meta(max_length=1_000)] = ()
    params: dict[str, Any] | None = None
    records: Annotated[tuple[Inspection, ...], msgspec.Meta(max_length=MAX_RECORDS)] = ()

    def __post_init__(self) -> None:
        check_instants(self)
        check_free_form(self.params, "params")


EVENT_TYPES = (EventType("detection.noticed", DetectionNoticed, "A check of accounts came to an outcome"),)
