"""The signed facts: login callbacks, ban synchronisation, detection notices. They read nothing from the store."""

import re
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from gateway.chat_facts import signed_fact
from gateway.system import Call, Reply
from schemas.account import BanStatus, BanSynced, SessionChanged
from schemas.api_time import parse_api_time
from schemas.chat import AccountBanSync, DetectionNotice, InspectionTaskRecord, LoginCallback
from schemas.detection import MAX_RECIPIENTS, DetectionNoticed, Inspection
from schemas.errors import Refused

KINDS: dict[str, Literal["automatic", "manual", "repeated"]] = {"1": "automatic", "2": "manual", "3": "repeated"}
MAX_ADDRESS_CHARS = 256


class Callbacks:
    """`zone` is that of the API's times."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    async def login_call_back(self, call: Call) -> Reply:
        body: LoginCallback = call.body
        changed = SessionChanged(
            user_id=body.user_id,
            online=body.on_offline == 0,
            cause="callback",
            request_id=body.request_id or None,
            login_type=None if body.login_type is None else str(body.login_type),
            user_name=body.user_name or None,
            corp_id=body.corp_id or None,
            corp_name=body.corp_name or None,
            name=body.name or None,
            real_name=body.real_name or None,
            email=body.email or None,
            mobile=body.mobile or None,
            avatar=body.head_url or None,
            qr_code=body.qr_code or None,
            seat_no=body.seat_no or None,
        )
        fact = signed_fact(call, "loginCallBack", "account.session.changed", body.user_id, changed)
        return Reply(True, (fact,))

    async def sync_user_info(self, call: Call) -> Reply:
        body: AccountBanSync = call.body
        synced = BanSynced(
            user_id=body.user_id,
            status=BanStatus(body.status),
            origin="sync",
            since=self._time(body.lock_start_time, "lockStartTime"),
            until=self._time(body.unlock_time, "unlockTime"),
            channel=body.channel or None,
            transfer_status=body.transfer_status,
            code=body.code or None,
            task_trigger=body.task_trigger,
            threshold_code=body.threshold_code or None,
        )
        return Reply(True, (signed_fact(call, "syncUserInfo", "account.ban.synced", body.user_id, synced),))

    async def detection_notice(self, call: Call) -> Reply:
        body: DetectionNotice = call.body
        noticed = DetectionNoticed(
            kind=KINDS.get(body.type or ""),
            code=body.code or None,
            task_name=body.task_code_name or None,
            name=body.name or None,
            user_name=body.user_name or None,
            channel=body.channel or None,
            mode=body.mode or None,
            action=body.action or None,
            complete=body.complete or None,
            started_at=self._time(body.create_date, "createDate"),
            transfer_status=body.transfer_status,
            total=body.total,
            valid_total=body.valid_total,
            banned_count=body.interdiction_count,
            normal_count=body.normal_count,
            receive_emails=addresses(body.receive_email),
            receive_user_id=body.receive_user_id or None,
            title=body.title or None,
            content=body.content or None,
            details=body.details or (),
            params=body.params,
            records=tuple(self._inspection(i, record) for i, record in enumerate(body.record_list or ())),
        )
        return Reply(True, (signed_fact(call, "detectionNotice", "detection.noticed", body.code, noticed),))

    def _inspection(self, index: int, record: InspectionTaskRecord) -> Inspection:
        place = f"recordList[{index}]"
        checked = record.check_status == "1"
        if checked and not record.inspection_status:
            raise Refused("bad_field", f"{place}.inspectionStatus: needed where checkStatus is 1")
        return Inspection(
            user_id=record.user_id,
            checked=checked,
            status=BanStatus(int(record.inspection_status)) if record.inspection_status else None,
            jid=record.jid,
            since=self._time(record.lock_start_time, f"{place}.lockStartTime"),
            until=self._time(record.un_lock_time, f"{place}.unLockTime"),
            created_at=self._time(record.create_date, f"{place}.createDate"),
            code=record.code or None,
            content=record.content or None,
            user_name=record.user_name or None,
            seat_no=record.seat_no or None,
            channel=record.channel or None,
            transfer_status=record.transfer_status,
            name=record.name or None,
            alias=record.alias or None,
        )

    def _time(self, text: str | None, field: str) -> datetime | None:
        return parse_api_time(text, self._zone, field)


def addresses(text: str | None) -> tuple[str, ...]:
    """The mail addresses in `receiveEmail`, each once: one, or several by comma or semicolon."""
    found = tuple(dict.fromkeys(part for part in re.split(r"[,;\s]+", text or "") if part))
    if len(found) > MAX_RECIPIENTS or any(len(address) > MAX_ADDRESS_CHARS for address in found):
        raise Refused(
            "bad_field", f"receiveEmail: at most {MAX_RECIPIENTS} addresses of {MAX_ADDRESS_CHARS} characters"
        )
    return found
