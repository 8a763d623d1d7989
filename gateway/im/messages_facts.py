"""What the calls about messages publish, and the codes that they share."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from gateway.im.frame import Caller
from schemas.events import Event
from schemas.im.codes import Failed
from schemas.im.message import SOURCE, MessageKey, OfflinePush, parse_key
from schemas.im.message_bodies import OfflinePushInfo
from schemas.im.message_elements import MAX_MESSAGE_BYTES, Element, elements_of, push_text, size_of
from schemas.numbers import check_free_form

BODY_MALFORMED, BODY_NO_LIST, TOO_LONG = 90002, 90007, 93000
TO_BAD, FROM_BAD, KEY_BAD, TIME_BAD = 90003, 90008, 90054, 90006
TO_UNKNOWN, ACCOUNT_UNKNOWN, ITEM_UNKNOWN = 90012, 90048, 70107

FIELD_CODES = {
    "From_Account": FROM_BAD,
    "To_Account": TO_BAD,
    "MsgKey": KEY_BAD,
    "LastMsgKey": KEY_BAD,
    "MsgSeq": 90004,
    "MsgRandom": 90005,
    "MsgTimeStamp": TIME_BAD,
    "MsgBody": BODY_MALFORMED,
    "SyncFromOldSystem": 90030,
    "SyncOtherMachine": 90031,
    "OfflinePushInfo": 90043,
    "MsgLifeTime": 90044,
    # Of the two accounts of a conversation the API knows no codes of their own.
    "Report_Account": FROM_BAD,
    "Operator_Account": FROM_BAD,
    "Peer_Account": TO_BAD,
}
"""For a field that is missing or wrong (contract, x-errors)."""

CLOCKS_APART = timedelta(minutes=1)
"""So far ahead a time that a caller names may be."""
MAX_PUSH_BYTES = 12 * 1024
"""Of `OfflinePushInfo`, as JSON: it goes into every receiver's fact. Push services of phones take a third of it."""


def checked_body(body: Any, custom_data: str | None) -> tuple[Element, ...]:
    """What a message is made of; refuses one that is malformed or too long."""
    if not isinstance(body, list):
        raise Failed(BODY_NO_LIST)
    try:
        elements = elements_of(body)
        check_free_form(body, "$.MsgBody", nul_in_text=True)
    except (msgspec.ValidationError, ValueError) as error:
        raise Failed(BODY_MALFORMED, f"MsgBody: {error}") from None
    checked_size(body, custom_data)
    return elements


def checked_size(body: Any, custom_data: str | None) -> None:
    if (size := size_of(body, custom_data)) > MAX_MESSAGE_BYTES:
        raise Failed(TOO_LONG, f"the message has {size} bytes, at most {MAX_MESSAGE_BYTES} are allowed")


def checked_push(info: OfflinePushInfo | None) -> None:
    if info is not None and (size := len(msgspec.json.encode(info))) > MAX_PUSH_BYTES:
        raise Failed(TOO_LONG, f"OfflinePushInfo has {size} bytes, at most {MAX_PUSH_BYTES} are allowed")


def offline_push(info: OfflinePushInfo | None, elements: tuple[Element, ...]) -> OfflinePush:
    """What is told to whoever is offline, where nothing says that nothing is. A push has no NUL anywhere."""
    text: str = _without_nul(push_text(elements))
    if info is None:
        return OfflinePush(text=text)
    clean = _without_nul(msgspec.to_builtins(info))
    return OfflinePush(
        title=clean.get("Title") or clean.get("ApnsInfo", {}).get("Title"),
        text=clean.get("Desc") or text,
        info=clean,
    )


def _without_nul(value: Any) -> Any:
    """`OfflinePushInfo`, or a part of it, with texts that any service of pushes takes."""
    match value:
        case str():
            return value.replace("\0", "")
        case dict():
            return {name: _without_nul(inner) for name, inner in value.items()}
    return value


def checked_key(text: str) -> MessageKey:
    key = parse_key(text)
    if key is None:
        raise Failed(KEY_BAD)
    return key


def fact(caller: Caller, event_id: str, event_type: str, subject: str, at: datetime, payload: msgspec.Struct) -> Event:
    return Event(
        id=event_id,
        source=SOURCE,
        type=event_type,
        subject=subject,
        time=at,
        data=msgspec.json.encode(payload),
        traceparent=caller.call.traceparent,
    )
