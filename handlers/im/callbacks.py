"""What callbacks say: state changes into presence and their history, the rest kept as it came.

Profiles and friends are settings, which calls write too: what a callback says of them is brought there after the
write (`stores.im.callbacks`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from handlers.effects import Effect, Latest, Max
from handlers.im.figures import counted_login
from handlers.im.presence import PRESENCE
from handlers.outcome import Fact, Outcome
from schemas.events import Event
from schemas.im.callbacks import (
    FRIEND_ADD,
    FRIEND_DELETE,
    PORTRAIT_SET,
    CallbackReceived,
    FriendPairs,
    Pair,
    PortraitChange,
    StateChanged,
)
from schemas.im.online import Status

STATE_CHANGES = "im_state_changes"
"""The history of logins: one document a change, `{account, at, action, reason, platform, kicked}`."""
CALLBACKS = "im_callbacks"

BY_API = "RESTAPI"
PUSHED = frozenset({"iPhone", "iPad", "Android", "Unknown"})
"""Platforms whose clients can be reached by push once their connection is gone."""


class HearProfile(msgspec.Struct, frozen=True):
    """A user of an app has these fields in the profile since `at`."""

    app: str
    user: str
    profile: Mapping[str, str | int]
    at: datetime


class HearFriends(msgspec.Struct, frozen=True, kw_only=True):
    """Each pair is one direction: what became of the second on the list of the first."""

    cause: str
    """Identity of the fact that says so."""
    app: str
    made: bool
    """Friends; or not any more."""
    pairs: tuple[Pair, ...]
    admins: frozenset[str]
    """Accounts because the settings say so."""
    admin: str
    """Who made them friends."""
    forced: bool
    at: datetime
    traceparent: str | None


def fold_state(event: Event, changed: StateChanged) -> Outcome:
    """The account's state there, ordered by the time at which it changed (in milliseconds), not by arrival."""
    history = {
        "account": changed.account,
        "at": event.time,
        "action": changed.action,
        "reason": changed.reason,
        "platform": changed.platform,
        "kicked": list(changed.kicked),
    }
    fact = Fact(STATE_CHANGES, history)
    if changed.platform == BY_API and changed.action != "Login":
        # No client of the account says this: a call made its logins invalid, on all platforms.
        return Outcome(fact, (Effect(PRESENCE, changed.account, {"ended_at": Max(event.time)}),))
    statuses: dict[str, Status] = dict.fromkeys(changed.kicked, "Offline")
    # Last: a login may throw out a device of its own platform.
    statuses[changed.platform] = _status(changed)
    change = {f"platforms.{name}": Latest(event.time, {"status": status}) for name, status in statuses.items()}
    return Outcome(fact, (Effect(PRESENCE, changed.account, change), *counted_login(event, changed)))


def keep_callback(event: Event, received: CallbackReceived) -> Outcome:
    body = {
        "app": received.app,
        "about": received.about,
        "command": received.command,
        "at": event.time,
        "body": received.body,
        "answer": received.answer,
        "client_ip": received.client_ip,
        "platform": received.platform,
    }
    hear = _HEARD.get(received.command)
    try:
        heard = () if hear is None else hear(event, received)
    except msgspec.MsgspecError:
        heard = ()  # it lacks what it takes: kept all the same
    return Outcome(Fact(CALLBACKS, body), afterwards=heard)


def _profile(event: Event, received: CallbackReceived) -> tuple[HearProfile, ...]:
    changed = msgspec.json.decode(received.body, type=PortraitChange)
    if not received.profile:
        return ()
    return (HearProfile(received.app, changed.from_account, received.profile, event.time),)


def _friends(event: Event, received: CallbackReceived) -> tuple[HearFriends, ...]:
    told = msgspec.json.decode(received.body, type=FriendPairs)
    heard = HearFriends(
        cause=event.identity,
        app=received.app,
        made=received.command == FRIEND_ADD,
        pairs=told.pair_list,
        admins=frozenset(received.admins),
        admin=told.admin_account,
        forced=bool(told.force_flag),
        at=event.time,
        traceparent=event.traceparent,
    )
    return (heard,)


_HEARD: Mapping[str, Callable[[Event, CallbackReceived], tuple[msgspec.Struct, ...]]] = {
    PORTRAIT_SET: _profile,
    FRIEND_ADD: _friends,
    FRIEND_DELETE: _friends,
}


def _status(changed: StateChanged) -> Status:
    if changed.action == "Login":
        return "Online"
    lost = changed.action == "Disconnect" and changed.platform in PUSHED
    return "PushOnline" if lost else "Offline"
