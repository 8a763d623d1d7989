"""Accounts: sessions, profiles, bans and checks folded into one document per account.

What two senders may set, or one may send late, is a register ordered by event
time. `settings` in the same document belongs to the gateway and is not touched.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from handlers.effects import Change, Effect, FieldEffect, Inc, Latest, Min
from handlers.outcome import Fact, Outcome
from schemas.account import (
    AccountInspected,
    AccountProfiled,
    BanExpired,
    BanStatus,
    BanSynced,
    CodeSubmitted,
    LinkersRequested,
    QrRequested,
    SessionChanged,
)
from schemas.events import Event

ACCOUNTS = "accounts"
LOGIN_LOG = "login_log"
QR_REQUESTS = "qr_requests"
LINKER_REQUESTS = "linker_requests"

PROFILE_OF_SESSION = (
    "user_name",
    "corp_id",
    "corp_name",
    "name",
    "real_name",
    "email",
    "mobile",
    "avatar",
    "qr_code",
    "seat_no",
    "login_type",
    "automatic_logon",
)
"""Fields of a session change that say something lasting about the account."""


def fold_session(event: Event, session: SessionChanged) -> Outcome:
    """One entry in the login log, one login or logout counted, and the newest state by event time."""
    online = {"online": session.online, "cause": session.cause, "request_id": session.request_id}
    change: dict[str, FieldEffect] = {
        "logins" if session.online else "logouts": Inc(1),
        "online": Latest(event.time, online),
        **_profile(event, session, PROFILE_OF_SESSION),
    }
    entry = {
        "number": number_of(event),
        "user_id": session.user_id,
        "user_name": session.user_name or session.name,
        "corp_id": session.corp_id,
        "online": session.online,
        "cause": session.cause,
        "at": event.time,
    }
    return Outcome(Fact(LOGIN_LOG, entry), (_account(event, session.user_id, change),))


def fold_profile(event: Event, profile: AccountProfiled) -> Outcome:
    """Each field sent becomes the newest known; what is left out stays."""
    fields = [field for field in profile.__struct_fields__ if field != "user_id"]
    return Outcome(effects=(_account(event, profile.user_id, _profile(event, profile, fields)),))


def fold_ban(event: Event, ban: BanSynced) -> Outcome:
    """The newest word on the ban by event time; an account in order has no end of a ban."""
    banned = ban.status == BanStatus.BANNED
    value = {
        "status": int(ban.status),
        "since": ban.since if banned else None,
        "until": ban.until if banned else None,
        "origin": ban.origin,
        "channel": ban.channel,
        "code": ban.code,
        "transfer_status": ban.transfer_status,
        "task_trigger": ban.task_trigger,
        "threshold_code": ban.threshold_code,
    }
    return Outcome(effects=(_account(event, ban.user_id, {"ban": Latest(event.time, value)}),))


def expire_ban(event: Event, expired: BanExpired) -> Outcome:
    """Lift exactly the ban that has ended: right after it in order, so before any newer one."""
    value = {"status": int(BanStatus.NORMAL), "since": None, "until": None, "origin": "expired"}
    lifted = Latest(expired.ban_at, value, expired.ban_seq + 1)
    return Outcome(effects=(_account(event, expired.user_id, {"ban": lifted}),))


def fold_inspection(event: Event, inspection: AccountInspected) -> Outcome:
    """The newest successful check; the ban that follows from it is an event of its own."""
    value = {
        "status": int(inspection.status),
        "code": inspection.code,
        "channel": inspection.channel,
        "content": inspection.content,
        "checked_at": inspection.checked_at,
    }
    return Outcome(effects=(_account(event, inspection.user_id, {"inspection": Latest(event.time, value)}),))


def keep_qr_request(event: Event, request: QrRequested) -> Outcome:
    """The request by itself: asking for a code does not make an account."""
    body = {"user_id": request.user_id, "request_id": request.request_id, "at": event.time}
    return Outcome(Fact(QR_REQUESTS, body))


def keep_linker_request(event: Event, request: LinkersRequested) -> Outcome:
    body = {"chat_user_id": request.chat_user_id, "kind": request.kind, "at": event.time}
    return Outcome(Fact(LINKER_REQUESTS, body))


def forget_code(_event: Event, _code: CodeSubmitted) -> Outcome:
    """Remembered only as seen: a code is for the login service that reads the topic, not for a document."""
    return Outcome()


def number_of(event: Event) -> int:
    """A positive 63-bit number for contracts whose ids are numbers; the same for every copy of the event."""
    digest = hashlib.blake2b(event.identity.encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def _account(event: Event, user_id: str, change: Change) -> Effect:
    return Effect(ACCOUNTS, user_id, {"first_event_at": Min(event.time), **change})


def _profile(event: Event, payload: msgspec.Struct, fields: Iterable[str]) -> dict[str, FieldEffect]:
    values = {field: getattr(payload, field) for field in fields}
    return {
        f"profile.{field}": Latest(event.time, list(value) if isinstance(value, tuple) else value)
        for field, value in values.items()
        if value is not None
    }
