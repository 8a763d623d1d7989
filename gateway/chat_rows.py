"""Accounts and log entries as the contract's rows: what is not known is left out, for it allows no null."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import UNSET

from schemas.account import BanStatus
from schemas.api_time import format_api_time
from schemas.chat import LoginLog, WeComUser
from schemas.times import unix_milliseconds
from stores.accounts import Account
from stores.login_log import LoginEntry

_OF_PROFILE = {
    "project_id": "project_id",
    "crop_name": "corp_name",
    "name": "name",
    "gender": "gender",
    "email": "email",
    "department": "department",
    "main_department": "main_department",
    "is_leader_in_dept": "is_leader_in_dept",
    "avatar": "avatar",
    "thumb_avatar": "thumb_avatar",
    "mobile": "mobile",
    "alias": "alias",
    "open_userid": "open_userid",
    "qr_code": "qr_code",
    "role_ids": "role_ids",
    "login_type": "login_type",
    "automatic_logon": "automatic_logon",
    "support_automatic_login": "supports_automatic_login",
    "classify_id": "classify_id",
}
_OF_SETTINGS = (
    "creator",
    "administrators",
    "min_second",
    "max_second",
    "upper_limit",
    "short_name",
    "ascription",
    "account_attribute",
)


def user_row(account: Account, now: datetime, zone: ZoneInfo) -> WeComUser:
    """An account at that moment: whether it is banned depends on it."""
    profile, settings = account.profile, account.settings
    until = account.ban.until if account.ban and account.banned(now) else None
    created = min((t for t in (settings.get("created_at"), account.first_event_at) if t), default=None)
    known: dict[str, Any] = {
        **{field: profile.get(source) for field, source in _OF_PROFILE.items()},
        **{field: settings.get(field) for field in _OF_SETTINGS},
        "corp_id": settings.get("corp_id", profile.get("corp_id")),
        "sale_no": settings.get("sale_no", profile.get("seat_no")),
        "chat_user_id": chat_user_id(account),
        "create_date": unix_milliseconds(created) if created else None,
        "update_date": _shown(settings.get("updated_at"), zone),
        "unlock_time": _shown(until, zone),
    }
    return WeComUser(
        user_id=account.user_id,
        status=int(account.status),
        unlock_status=int(BanStatus.BANNED if account.banned(now) else BanStatus.NORMAL),
        **{field: UNSET if value is None else value for field, value in known.items()},
    )


def chat_user_id(account: Account) -> str:
    """An account whose chat user id is not known goes by its user id."""
    return str(account.profile.get("chat_user_id", account.user_id))


def log_row(entry: LoginEntry, zone: ZoneInfo) -> LoginLog:
    at = format_api_time(entry.at, zone)
    return LoginLog(
        id=entry.number,
        user_id=entry.user_id,
        status=0 if entry.online else 1,
        create_time_stamp=at,
        update_time_stamp=at,
        user_name=UNSET if entry.user_name is None else entry.user_name,
        corp_id=UNSET if entry.corp_id is None else entry.corp_id,
    )


def _shown(time: datetime | None, zone: ZoneInfo) -> str | None:
    return None if time is None else format_api_time(time, zone)
