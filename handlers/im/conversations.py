"""Conversations: what each of two users has of what is between them, one document a side.

`im_conversations`, keyed APP/OWNER/PEER:

- `owner` (APP/OWNER), `app`, `user`, `peer`, the same in every change;
- `last`: a register, by MsgTime and MsgSeq, of the newest of those messages that show in lists;
- `unread`: the counted messages to the owner that are not recalled and were sent after `read_up_to`;
- `read_up_to`: what was sent up to then is read, or gone from the history;
- `cleared_up_to`: what was sent up to then is gone from the owner's history;
- `listed`: on the owner's list; false from its deletion to the next message; `pinned`;
- `order`: where in the list: time of the last message, then `place`, a number that a peer always has.
"""

import hashlib
from datetime import datetime, timedelta

from handlers.effects import Change, Effect, Latest, Max, Recount, Set
from handlers.outcome import Outcome
from schemas.cloudevents import to_millisecond
from schemas.events import Event
from schemas.im.ids import key_of
from schemas.im.message import ConversationDeleted, ConversationPinned, MessageKey, MessagesRead, side_of

CONVERSATIONS = "im_conversations"
MESSAGES = "im_messages"
"""`handlers.im.messages` says what stands in them."""

WITHIN_SECOND = timedelta(milliseconds=999)
"""A second named as a time of reading covers all of itself."""


def place_of(peer: str) -> int:
    """Tells conversations of one second apart in a list. It stands in a cursor, so it is exact as a JSON number."""
    return int.from_bytes(hashlib.sha256(peer.encode()).digest()[:6])


def list_order(seconds: int, place: int) -> str:
    """Sorts as the list does. 48 bits have 15 digits."""
    return f"{seconds:010d}.{place:015d}"


def recounted(side: str) -> Recount:
    """How many messages are unread on a side."""
    return Recount(MESSAGES, {"unread_in": side}, above=("at", "read_up_to"))


def identity(app: str, owner: str, peer: str) -> dict[str, Set]:
    return {
        "owner": Set(key_of(app, owner)),
        "app": Set(app),
        "user": Set(owner),
        "peer": Set(peer),
    }


def moved_up(peer: str, key: MessageKey, sender: str, at: datetime) -> Change:
    """A side's change by a message that shows in the list."""
    return {
        "last": Latest(key.second, {"key": str(key), "sender": sender, "at": at}, key.seq),
        "listed": Set(True),
        # False is less than true: this makes the field, and leaves a pinned conversation pinned.
        "pinned": Max(False),
        "order": Max(list_order(key.time, place_of(peer))),
    }


def read_messages(_: Event, read: MessagesRead) -> Outcome:
    side = side_of(read.app, read.reader, read.peer)
    change: Change = {
        **identity(read.app, read.reader, read.peer),
        "read_up_to": Max(to_millisecond(read.up_to)),
        "unread": recounted(side),
    }
    return Outcome(effects=(Effect(CONVERSATIONS, side, change),))


def delete_conversation(event: Event, deleted: ConversationDeleted) -> Outcome:
    side = side_of(deleted.app, deleted.owner, deleted.peer)
    change: Change = {
        **identity(deleted.app, deleted.owner, deleted.peer),
        "listed": Set(False),
        "pinned": Set(False),
    }
    if deleted.history_cleared:
        at = to_millisecond(event.time)
        change = {**change, "cleared_up_to": Max(at), "read_up_to": Max(at), "unread": recounted(side)}
    return Outcome(effects=(Effect(CONVERSATIONS, side, change),))


def pin_conversation(_: Event, pinned: ConversationPinned) -> Outcome:
    """Also one without a message: it shows in the list once there is one."""
    side = side_of(pinned.app, pinned.owner, pinned.peer)
    change = {**identity(pinned.app, pinned.owner, pinned.peer), "pinned": Set(pinned.pinned)}
    return Outcome(effects=(Effect(CONVERSATIONS, side, change),))
