"""What a callback is as a fact, and what makes it the same one when it comes again.

- A state change: account, EventTime, action and platform.
- A message, a reading: what names it in the API, so that the call and its callback are one fact.
- A withdrawal: nothing. Told twice it does no harm; and one told before its message must not hide another.
- Any other: its body, without the unread count, which may have changed since; and where the body
  has no EventTime, also the ten minutes in which it came. Without them somebody who leaves a
  group and joins it again next week would not be seen doing so.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from gateway.system import Call
from schemas.events import Event
from schemas.im.apps import App
from schemas.im.callbacks import (
    LATEST_MS,
    CallbackReceived,
    FriendPairs,
    PortraitChange,
    StateChange,
    StateChanged,
)
from schemas.im.ids import key_of
from schemas.im.online import platform_of
from schemas.im.profiles import trouble_of
from schemas.numbers import MAX_ID_CHARS

SOURCE = "im"
RESENT_WITHIN_SECONDS = 600
ABOUT = ("GroupId", "To_Account", "From_Account", "Report_Account", "Operator_Account", "Owner_Account")
MAX_KEY_CHARS = 256
_canonical = msgspec.json.Encoder(order="sorted")


class Received(msgspec.Struct, frozen=True):
    """A callback, of an app that may send it."""

    app: App
    command: str
    body: dict[str, Any]
    call: Call

    @property
    def platform(self) -> str:
        return self.call.query.get("OptPlatform", "")

    @property
    def at(self) -> datetime:
        """When what it says happened, as far as it says so."""
        return time_in(self.body) or self.call.received_at


def time_in(body: dict[str, Any]) -> datetime | None:
    """Of `EventTime`, milliseconds."""
    value = body.get("EventTime")
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return at_milliseconds(value) if 0 < value < LATEST_MS else None


def at_milliseconds(value: int) -> datetime:
    return datetime.fromtimestamp(value // 1000, UTC).replace(microsecond=value % 1000 * 1000)


def state_fact(received: Received, body: StateChange) -> Event:
    account = key_of(received.app.id, body.info.to_account)
    platform = "RESTAPI" if received.platform == "RESTAPI" else platform_of(received.platform)
    changed = StateChanged(
        account=account,
        action=body.info.action,
        reason=body.info.reason,
        platform=platform,
        kicked=tuple(dict.fromkeys(platform_of(kicked.platform) for kicked in body.kicked_device)),
    )
    event_id = f"state/{account}/{body.event_time}/{changed.action}/{platform}"
    return fact(received.call, event_id, "im.state.changed", account, at_milliseconds(body.event_time), changed)


def kept_fact(received: Received, answer: bytes | None = None, **heard: Any) -> Event:
    """The callback as it came; `heard` are fields of it that take the app's settings to tell."""
    query = received.call.query
    about = key_of(received.app.id, _about(received.body) or received.command)[:MAX_KEY_CHARS]
    payload = CallbackReceived(
        about=about,
        app=received.app.id,
        command=received.command,
        body=received.call.raw_bytes.decode(),
        answer=None if answer is None else answer.decode(),
        client_ip=_clean(query.get("ClientIP")),
        platform=_clean(query.get("OptPlatform")),
        **heard,
    )
    return fact(received.call, f"callback/{_content_id(received)}", "im.callback.received", about, received.at, payload)


def profile_fact(received: Received, body: PortraitChange) -> Event:
    """Fields that may not stand in a profile are left out of it; they are in what is kept."""
    custom = received.app.custom_tags
    good = {
        item.tag: item.value
        for item in body.profile_item
        if not trouble_of(item.tag, item.value, custom) and "\0" not in str(item.value)
    }
    return kept_fact(received, profile=good)


def friends_fact(received: Received, body: FriendPairs) -> Event:
    named = {user for pair in body.pair_list for user in (pair.from_account, pair.to_account)}
    return kept_fact(received, admins=tuple(sorted(named & received.app.admins)))


def _content_id(received: Received) -> str:
    body = {name: value for name, value in received.body.items() if name != "UnreadMsgNum"}
    came = None if time_in(body) else int(received.call.received_at.timestamp()) // RESENT_WITHIN_SECONDS
    content = _canonical.encode((received.app.id, received.command, body, came))
    return hashlib.sha256(content).hexdigest()


def _about(body: dict[str, Any]) -> str | None:
    """The group or account; of pairs the first one's."""
    pairs = body.get("PairList")
    places = [body, *(pairs[:1] if isinstance(pairs, list) else ())]
    found = (place[name] for place in places if isinstance(place, dict) for name in ABOUT if name in place)
    return next((value.replace("\0", "") for value in found if isinstance(value, str) and value), None)


def _clean(text: str | None) -> str | None:
    return text[:100] if text else None


def fact(call: Call, event_id: str, event_type: str, subject: str, at: datetime, payload: msgspec.Struct) -> Event:
    return Event(
        id=event_id[:MAX_ID_CHARS],
        source=SOURCE,
        type=event_type,
        subject=subject,
        time=at,
        data=msgspec.json.encode(payload),
        traceparent=call.traceparent,
    )
