"""Inboxes: what was pushed to somebody, and how much of it is unread."""

from handlers.effects import Change, Effect, IncAbove, Max, Recount
from handlers.outcome import Fact, Outcome
from schemas.cloudevents import to_millisecond
from schemas.events import Event
from schemas.inbox import InboxEntered, InboxRead

ENTRIES = "inbox_entries"
INBOXES = "inboxes"


def enter_inbox(event: Event, entered: InboxEntered) -> Outcome:
    """One entry, unread; but for one that comes late, when the inbox has been read past its time."""
    body = {
        "recipient": entered.recipient,
        "push": entered.push,
        "kind": entered.kind,
        "urgency": entered.urgency,
        "title": entered.title,
        "body": entered.body,
        "fields": entered.fields,
        "at": event.time,
    }
    unread = Effect(
        INBOXES, entered.recipient, {"unread": IncAbove((event.time,), "read_up_to"), "last_entry_at": Max(event.time)}
    )
    return Outcome(Fact(ENTRIES, body), (unread,))


def read_inbox(_: Event, read: InboxRead) -> Outcome:
    """Everything up to an instant is read, by the times of the pushes."""
    change: Change = {
        "read_up_to": Max(to_millisecond(read.up_to)),
        "unread": Recount(ENTRIES, {"recipient": read.recipient}, above=("at", "read_up_to")),
    }
    return Outcome(effects=(Effect(INBOXES, read.recipient, change),))
