"""Detection notices: kept whole, and passed on to the accounts, recipients and readers they concern.

Those are other keys' documents, so nothing is written to them here: each gets an
event of its own, keyed by it.
"""

from datetime import datetime

import msgspec

from handlers.outcome import Emit, Fact, Outcome
from schemas.account import AccountInspected, BanSynced
from schemas.detection import DetectionNoticed, Inspection
from schemas.events import Event
from schemas.push import PushRequested

DETECTIONS = "detections"


def spread_detection(event: Event, notice: DetectionNoticed) -> Outcome:
    """One ban and one check per account that was checked, a push per recipient; the reader's lands in the inbox too."""
    body = {"at": event.time, "notice": msgspec.to_builtins(notice, builtin_types=(datetime,))}
    emits = (
        *(emit for index, record in enumerate(notice.records) for emit in _about_account(index, record, notice)),
        *(_push(f"email/{index}", f"email/{to}", notice) for index, to in enumerate(notice.receive_emails)),
        *((_push("user", f"user/{reader}", notice),) if (reader := notice.receive_user_id) is not None else ()),
    )
    return Outcome(Fact(DETECTIONS, body), emits=emits)


def _about_account(index: int, record: Inspection, notice: DetectionNoticed) -> tuple[Emit, ...]:
    """Nothing where the check failed. Order matters: of two records on one account the later holds."""
    if not record.checked or record.status is None:
        return ()
    code, channel = record.code or notice.code, record.channel or notice.channel
    inspected = AccountInspected(
        user_id=record.user_id,
        status=record.status,
        code=code,
        channel=channel,
        content=record.content,
        checked_at=record.created_at,
    )
    ban = BanSynced(
        user_id=record.user_id,
        status=record.status,
        origin="detection",
        since=record.since,
        until=record.until,
        channel=channel,
        transfer_status=record.transfer_status,
        code=code,
    )
    return (
        Emit(f"inspected/{index}", "account.inspected", record.user_id, inspected),
        Emit(f"ban/{index}", "account.ban.synced", record.user_id, ban),
    )


def _push(name: str, recipient: str, notice: DetectionNoticed) -> Emit:
    request = PushRequested(
        recipient=recipient,
        kind="detection.noticed",
        title=notice.title,
        body=notice.content,
        fields=_told(notice),
    )
    return Emit(f"push/{name}", "push.requested", recipient, request)


def _told(notice: DetectionNoticed) -> dict[str, str | int]:
    """What a template may name, and programs are told; left out what the notice lacks."""
    known = {
        "code": notice.code,
        "task_name": notice.task_name,
        "channel": notice.channel,
        "total": notice.total,
        "banned_count": notice.banned_count,
        "normal_count": notice.normal_count,
    }
    return {name: value for name, value in known.items() if value is not None}
