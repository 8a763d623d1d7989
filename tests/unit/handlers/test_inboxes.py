from datetime import timedelta

from handler_events import an_event

from handlers.effects import Effect, IncAbove, Max, Recount
from handlers.inboxes import enter_inbox, read_inbox
from schemas.inbox import InboxEntered, InboxRead

EVENT = an_event()


def test_an_entry_is_one_unread_more() -> None:
    outcome = enter_inbox(EVENT, InboxEntered(recipient="user/boss", push="up/1", kind="message", title="t"))

    assert outcome.fact.collection == "inbox_entries"
    assert outcome.fact.body["at"] == EVENT.time
    counted = {"unread": IncAbove((EVENT.time,), "read_up_to"), "last_entry_at": Max(EVENT.time)}
    assert outcome.effects == (Effect("inboxes", "user/boss", counted),)


def test_reading_leaves_unread_what_the_entries_say() -> None:
    up_to = EVENT.time - timedelta(hours=1)
    outcome = read_inbox(EVENT, InboxRead(recipient="user/boss", up_to=up_to))

    assert outcome.effects == (
        Effect(
            "inboxes",
            "user/boss",
            {
                "read_up_to": Max(up_to),
                "unread": Recount("inbox_entries", {"recipient": "user/boss"}, ("at", "read_up_to")),
            },
        ),
    )
