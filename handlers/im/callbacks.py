"""What callbacks say: state changes into presence and their history, the rest kept as it came."""

from handlers.effects import Effect, Latest, Max
from handlers.im.figures import counted_login
from handlers.im.presence import PRESENCE
from handlers.outcome import Fact, Outcome
from schemas.events import Event
from schemas.im.callbacks import CallbackReceived, StateChanged
from schemas.im.online import Status

STATE_CHANGES = "im_state_changes"
"""The history of logins: one document a change, `{account, at, action, reason, platform, kicked}`."""
CALLBACKS = "im_callbacks"

BY_API = "RESTAPI"
PUSHED = frozenset({"iPhone", "iPad", "Android", "Unknown"})
"""Platforms whose clients can be reached by push once their connection is gone."""


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
    return Outcome(Fact(CALLBACKS, body))


def _status(changed: StateChanged) -> Status:
    if changed.action == "Login":
        return "Online"
    lost = changed.action == "Disconnect" and changed.platform in PUSHED
    return "PushOnline" if lost else "Offline"
