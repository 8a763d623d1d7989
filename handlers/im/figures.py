"""Daily figures of an app: what is counted as it is folded.

`im_days`, keyed APP/DAY (yyyymmdd in UTC+8):

- folded, exact whatever is redelivered: `messages` (sent that day, not imported), `pushes` (asked for by them),
  `logins`, `friends_added`, `friends_deleted` (each direction is one);
- counted by the job `im_figures`, of what is stored: `senders`, `login_users`, `active_users`, `registered`,
  `registered_before`, `max_online`, `callbacks`, `callbacks_taken`.

`im_day_users`, keyed APP/DAY/USER, says of whom `login` or `sent` holds: whoever is active counts once a day.
Logins are marked here, senders by the job: a mark with every message would cost as much as a conversation.
"""

from handlers.effects import Change, Effect, Inc, Set
from schemas.events import Event
from schemas.im.callbacks import StateChanged
from schemas.im.figures import day_name, day_of
from schemas.im.message import MessageSent

DAYS = "im_days"
DAY_USERS = "im_day_users"


def day_key(app: str, day: str) -> str:
    return f"{app}/{day}"


def counted_message(event: Event, sent: MessageSent) -> tuple[Effect, ...]:
    """What was imported was sent elsewhere and before."""
    if sent.imported:
        return ()
    change: Change = {"messages": Inc(1)}
    if sent.offline_push is not None:
        change = {**change, "pushes": Inc(1)}
    return (_on_day(event, sent.app, change),)


def counted_login(event: Event, changed: StateChanged) -> tuple[Effect, ...]:
    if changed.action != "Login":
        return ()
    app, _, user = changed.account.partition("/")
    day = day_of(event.time)
    key = day_key(app, str(day))
    mark: Change = {"day": Set(key), "at": Set(day.start), "login": Set(True)}
    return _on_day(event, app, {"logins": Inc(1)}), Effect(DAY_USERS, f"{key}/{user}", mark)


def counted_relation(event: Event, account: str, field: str) -> tuple[Effect, ...]:
    return (_on_day(event, account.partition("/")[0], {field: Inc(1)}),)


def _on_day(event: Event, app: str, change: Change) -> Effect:
    day = day_name(event.time)
    return Effect(DAYS, day_key(app, day), {"app": Set(app), "day": Set(day), **change})
