"""Pushes asked for, each a document of its own that its delivery will go on from."""

from handlers.outcome import Fact, Outcome
from schemas.events import Event
from schemas.push import PushRequested

PUSHES = "pushes"


def keep_push(event: Event, push: PushRequested) -> Outcome:
    body = {
        "state": "requested",
        "channel": push.channel,
        "recipient": push.recipient,
        "title": push.title,
        "content": push.content,
        "requested_at": event.time,
    }
    return Outcome(Fact(PUSHES, body))
