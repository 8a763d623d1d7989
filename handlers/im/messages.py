"""Messages between two: the documents they are, and what they mean to both conversations.

`im_messages`, one document a message, its `_id` the identity of the fact that it was sent:

- `app`, `conversation`, `sender`, `receiver`, `key` (MsgKey), `body`, `custom_data`, and its options;
- `at`: when it was sent; `order`: where it stands among the messages of its conversation;
- `timelines`: the sides in whose history it is; none of a push to all or many;
- `unread_in`: the side to which it is unread until that is read; null once it is recalled, left out
  where it does not count;
- `withdrawn`; `peer_read` by a read receipt alone; once it was overwritten `modified_at`.

Each recall is a fact of its own, in `im_recalls`: told before its message it marks nothing, so who folds the
message looks for one, and tells it again.
"""

from typing import Any

import msgspec

from handlers.effects import Change, Effect, IncAbove, Set
from handlers.im.conversations import CONVERSATIONS, MESSAGES, identity, moved_up, recounted
from handlers.im.figures import counted_message
from handlers.outcome import Emit, Fact, Outcome, emitted_event
from schemas.cloudevents import to_millisecond
from schemas.events import Event
from schemas.im.message import (
    WITHDRAWN,
    MessageModified,
    MessageReceipted,
    MessageRelayed,
    MessageSent,
    MessageWithdrawn,
    side_of,
)
from schemas.push import PushRequested

PUSH_KIND = "im.message.sent"
RECALLS = "im_recalls"


class LookForRecall(msgspec.Struct, frozen=True):
    """A message has come: it may have been recalled before that."""

    event: Event
    sent: MessageSent

    @property
    def message(self) -> str:
        return self.event.identity

    @property
    def recall(self) -> Event:
        """The recall once more, behind the message. Asked for again it is the same event."""
        sent = self.sent
        payload = MessageWithdrawn(
            conversation=sent.conversation,
            app=sent.app,
            sender=sent.sender,
            receiver=sent.receiver,
            seq=sent.seq,
            random=sent.random,
            time=sent.time,
        )
        return emitted_event(self.event, Emit("recalled", WITHDRAWN, sent.conversation, payload))


def fold_message(event: Event, sent: MessageSent) -> Outcome:
    """One document, the sides of both, and the day's figures. To oneself nothing is unread."""
    at = to_millisecond(event.time)
    receivers = side_of(sent.app, sent.receiver, sent.sender)
    sides = {receivers: (sent.receiver, sent.sender)}
    if sent.in_senders_history:
        sides.setdefault(side_of(sent.app, sent.sender, sent.receiver), (sent.sender, sent.receiver))
    counted = sent.counted and sent.sender != sent.receiver
    effects = []
    for side, (owner, peer) in sides.items():
        change: Change = identity(sent.app, owner, peer)
        if sent.listed:
            change = {**change, **moved_up(peer, sent.key, sent.sender, at)}
        if counted and side == receivers:
            change = {**change, "unread": IncAbove((at,), "read_up_to")}
        effects.append(Effect(CONVERSATIONS, side, change))
    effects += counted_message(event, sent)
    body: dict[str, Any] = {
        "app": sent.app,
        "conversation": sent.conversation,
        "sender": sent.sender,
        "receiver": sent.receiver,
        "key": str(sent.key),
        "order": sent.key.order,
        "at": at,
        "timelines": list(sides) if sent.roams else [],
        "body": list(sent.body),
        "custom_data": sent.custom_data,
        "withdrawn": False,
        "peer_read": False,
        "imported": sent.imported,
        "receipt_wanted": sent.receipt_wanted,
        "extensible": sent.extensible,
        "life_seconds": sent.life_seconds,
    }
    unread = {"unread_in": receivers} if counted else {}
    return Outcome(Fact(MESSAGES, body | unread), tuple(effects), _push(sent), (LookForRecall(event, sent),))


def pass_on(_: Event, __: MessageRelayed) -> Outcome:
    """Known as a fact, so that it is told once; nothing is kept of it."""
    return Outcome()


def withdraw_message(_: Event, withdrawn: MessageWithdrawn) -> Outcome:
    """It stays in the history, as recalled."""
    side = side_of(withdrawn.app, withdrawn.receiver, withdrawn.sender)
    mark: Change = {"withdrawn": Set(True), "unread_in": Set(None)}
    count: Change = {**identity(withdrawn.app, withdrawn.receiver, withdrawn.sender), "unread": recounted(side)}
    return Outcome(
        Fact(RECALLS, {"message": withdrawn.message_id}),
        (
            Effect(MESSAGES, withdrawn.message_id, mark, create=False),
            Effect(CONVERSATIONS, side, count),
        ),
    )


def modify_message(event: Event, modified: MessageModified) -> Outcome:
    mark: dict[str, Set] = {"modified_at": Set(to_millisecond(event.time))}
    if modified.body is not None:
        mark["body"] = Set(list(modified.body))
    if modified.custom_data is not None:
        mark["custom_data"] = Set(modified.custom_data)
    return Outcome(effects=(Effect(MESSAGES, modified.message_id, mark, create=False),))


def keep_receipt(_: Event, receipted: MessageReceipted) -> Outcome:
    mark: Change = {"peer_read": Set(True)}
    return Outcome(effects=(Effect(MESSAGES, receipted.message_id, mark, create=False),))


def _push(sent: MessageSent) -> tuple[Emit, ...]:
    push = sent.offline_push
    if push is None:
        return ()
    recipient = f"user/{sent.app}:{sent.receiver}"
    fields = {
        "app": sent.app,
        "from_account": sent.sender,
        "to_account": sent.receiver,
        "msg_key": str(sent.key),
        "offline_push_info": push.info,
    }
    payload = PushRequested(
        recipient=recipient,
        kind=PUSH_KIND,
        title=push.title or sent.sender,
        body=push.text,
        fields=fields,
        ordered_by=sent.conversation,
    )
    return (Emit("push", "push.requested", recipient, payload),)
