"""What happens to an account: sessions, bans, checks, logins by QR code.

All are keyed by the account's user id, so one partition tells one account's story.
"""

from enum import IntEnum
from typing import Annotated, Literal

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import Int32, Int64, Key, Text
from schemas.times import Instant, Timed


class BanStatus(IntEnum):
    """Codes of `unlockStatus` in the chat contract."""

    NORMAL = 1
    BANNED = 2


class AccountStatus(IntEnum):
    """Codes of `WeComUser.status` in the chat contract."""

    DELETED = -1
    DISABLED = 0
    ENABLED = 1


class SessionChanged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account went on or offline. Fields of the profile that the sender left out stay as they are known."""

    user_id: Key
    online: bool
    cause: Literal["callback", "command"]
    request_id: Text | None = None
    login_type: Text | None = None
    automatic_logon: bool | None = None
    user_name: Text | None = None
    corp_id: Text | None = None
    corp_name: Text | None = None
    name: Text | None = None
    real_name: Text | None = None
    email: Text | None = None
    mobile: Text | None = None
    avatar: Text | None = None
    qr_code: Text | None = None
    seat_no: Text | None = None


class AccountProfiled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a person behind an account and no call of the chat API brings."""

    user_id: Key
    chat_user_id: Key | None = None
    project_id: Int32 | None = None
    corp_id: Text | None = None
    corp_name: Text | None = None
    name: Text | None = None
    alias: Text | None = None
    gender: Literal[0, 1, 2] | None = None
    email: Text | None = None
    mobile: Text | None = None
    department: Text | None = None
    main_department: Int32 | None = None
    is_leader_in_dept: Text | None = None
    avatar: Text | None = None
    thumb_avatar: Text | None = None
    open_userid: Text | None = None
    role_ids: Annotated[tuple[Int32, ...], msgspec.Meta(max_length=1_000)] | None = None
    classify_id: Int64 | None = None
    supports_automatic_login: bool | None = None


class BanSynced(Timed, frozen=True, kw_only=True):
    """An account was banned, or found in order again. A ban without `until` lasts until it is lifted."""

    user_id: Key
    status: BanStatus
    origin: Literal["sync", "detection"]
    since: Instant | None = None
    until: Instant | None = None
    channel: Text | None = None
    transfer_status: Int32 | None = None
    code: Text | None = None
    task_trigger: bool | None = None
    threshold_code: Text | None = None


BanSeq = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class BanExpired(Timed, frozen=True, kw_only=True):
    """A ban's end was reached. (`ban_at`, `ban_seq`) names the ban, so that no newer one is lifted."""

    user_id: Key
    ban_at: Instant
    ban_seq: BanSeq
    until: Instant


class AccountInspected(Timed, frozen=True, kw_only=True):
    """A check of an account succeeded and found it in order or banned."""

    user_id: Key
    status: BanStatus
    code: Text | None = None
    channel: Text | None = None
    content: Text | None = None
    checked_at: Instant | None = None


class QrRequested(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants to log an account in by a QR code."""

    user_id: Key
    request_id: Key


class LinkersRequested(msgspec.Struct, frozen=True, kw_only=True):
    """The contacts of an aggregated chat user are to be synchronised."""

    chat_user_id: Key
    kind: Literal["external", "internal"]


class CodeSubmitted(msgspec.Struct, frozen=True, kw_only=True):
    """The verification code a login asks for. The code is a secret: neither stored in a document nor logged."""

    user_id: Key
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[^\0]*$")]
    request_id: Text | None = None
    qr_code_key: Text | None = None


EVENT_TYPES = (
    EventType("account.session.changed", SessionChanged, "An account went on or offline", key="user_id"),
    EventType(
        "account.profiled", AccountProfiled, "Details of the person behind an account became known", key="user_id"
    ),
    EventType("account.ban.synced", BanSynced, "An account was banned or found in order", key="user_id"),
    EventType("account.ban.expired", BanExpired, "The end of a ban was reached", key="user_id", internal=True),
    EventType("account.inspected", AccountInspected, "A check of an account succeeded", key="user_id"),
    EventType("account.qr.requested", QrRequested, "A login by QR code was asked for", key="user_id"),
    EventType(
        "account.linkers.requested",
        LinkersRequested,
        "The contacts of a chat user are to be synchronised",
        key="chat_user_id",
    ),
)

CODE_EVENT_TYPES = (
    EventType("account.code.submitted", CodeSubmitted, "A login's verification code was handed in", key="user_id"),
)
