"""A naive model of conversations, and histories of facts to hold the folder's work against.

The model keeps whole messages in lists and counts by looking at all of them: what the documents must say,
written down as the API says it and in no other way.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from handlers.im.messages import LookForRecall
from handlers.plan import Decided, Planner
from handlers.routes import ROUTES
from schemas.cloudevents import encode_headers
from schemas.events import Event, LogId, Record
from schemas.im.message import (
    DELETED,
    MODIFIED,
    PINNED,
    READ,
    RECEIPTED,
    RELAYED,
    SENT,
    WITHDRAWN,
    ConversationDeleted,
    ConversationPinned,
    MessageKey,
    MessageModified,
    MessageReceipted,
    MessageRelayed,
    MessageSent,
    MessagesRead,
    MessageWithdrawn,
    conversation_of,
    event_id_of,
    side_of,
)
from stores.applier import apply_batch
from stores.store import Store

APP = "1400000001"
USERS = ("ann", "bob", "cid")
START = 1_700_000_000
"""All times are near it, so that many tie."""

FIRST = MessageKey(1, 1, START)


def text(words: str) -> tuple[dict[str, Any], ...]:
    return ({"MsgType": "TIMTextElem", "MsgContent": {"Text": words}},)


def instant(seconds: int, milliseconds: int = 0) -> datetime:
    return datetime.fromtimestamp(START + seconds, UTC) + timedelta(milliseconds=milliseconds)


def an_event(event_id: str, kind: str, payload: Any, at: datetime) -> Event:
    data = msgspec.json.encode(payload)
    return Event(id=event_id, source="im", type=kind, subject=payload.conversation, time=at, data=data)


def between(sender: str, receiver: str, key: MessageKey) -> dict[str, Any]:
    return {
        "conversation": conversation_of(APP, sender, receiver),
        "app": APP,
        "sender": sender,
        "receiver": receiver,
        "seq": key.seq,
        "random": key.random,
        "time": key.time,
    }


def a_message(
    sender: str = "ann",
    receiver: str = "bob",
    key: MessageKey = FIRST,
    milliseconds: int = 0,
    kind: str = SENT,
    **options: Any,
) -> Event:
    payload = (MessageSent if kind == SENT else MessageRelayed)(
        **between(sender, receiver, key), **{"body": text("hello"), **options}
    )
    return an_event(
        event_id_of(APP, sender, receiver, key), kind, payload, key.second + timedelta(milliseconds=milliseconds)
    )


def a_reading(reader: str, peer: str, up_to: datetime, number: int = 0) -> Event:
    payload = MessagesRead(
        conversation=conversation_of(APP, reader, peer), app=APP, reader=reader, peer=peer, up_to=up_to
    )
    return an_event(f"read/{number}", READ, payload, up_to)


def a_recall(sender: str, receiver: str, key: MessageKey, number: int = 0) -> Event:
    payload = MessageWithdrawn(**between(sender, receiver, key))
    return an_event(f"withdrawn/{number}", WITHDRAWN, payload, key.second)


def a_deletion(owner: str, peer: str, at: datetime, number: int = 0, *, history: bool) -> Event:
    payload = ConversationDeleted(
        conversation=conversation_of(APP, owner, peer), app=APP, owner=owner, peer=peer, history_cleared=history
    )
    return an_event(f"deleted/{number}", DELETED, payload, at)


# ---- histories -------------------------------------------------------------------------------------------------------

_pairs = st.sampled_from([*[("ann", "bob"), ("bob", "ann")] * 4, *((one, other) for one in USERS for other in USERS)])
_keys = st.builds(
    MessageKey, st.integers(0, 1), st.integers(0, 1), st.integers(START, START + 3)
)  # so few that copies and ties abound
_instants = st.builds(instant, st.integers(-1, 4), st.sampled_from([0, 500, 999]))
_which = st.integers(0, 20)
"""A message that was sent before, or one that was not."""
_one = st.one_of(
    st.builds(
        lambda pair, key, milliseconds, kind, options: a_message(*pair, key, milliseconds, kind, **options),
        _pairs,
        _keys,
        st.sampled_from([0, 500]),
        st.sampled_from([SENT, SENT, SENT, RELAYED]),
        st.fixed_dictionaries(
            {
                "body": st.sampled_from([text("one"), text("two")]),
                "counted": st.sampled_from([True, True, False]),
                "listed": st.sampled_from([True, True, False]),
                "in_senders_history": st.booleans(),
                "roams": st.sampled_from([True, True, True, False]),
                "imported": st.booleans(),
            }
        ),
    ),
    st.builds(
        lambda sender, key, counted: ("batch", sender, key, counted), st.sampled_from(USERS), _keys, st.booleans()
    ),
    st.builds(lambda pair, up_to: ("read", pair, up_to), _pairs, _instants),
    st.builds(lambda which: ("withdrawn", which), _which),
    st.builds(lambda pair, key: ("withdrawn unseen", pair, key), _pairs, _keys),
    st.builds(lambda which, words: ("modified", which, words), _which, st.sampled_from("abc")),
    st.builds(lambda which: ("receipted", which), _which),
    st.builds(lambda pair, at, history: ("deleted", pair, at, history), _pairs, _instants, st.booleans()),
    st.builds(lambda pair, pinned: ("pinned", pair, pinned), _pairs, st.booleans()),
    st.builds(lambda back: ("again", back), st.integers(0, 5)),
)


def _to_events(step: Any, number: int, sent: Sequence[tuple[str, str, MessageKey]]) -> list[Event]:
    match step:
        case ("batch", sender, key, counted):
            return [a_message(sender, user, key, counted=counted) for user in USERS]
    return [_to_event(step, number, sent)]


def _to_event(step: Any, number: int, sent: Sequence[tuple[str, str, MessageKey]]) -> Event:
    match step:
        case Event():
            return step
        case ("read", (reader, peer), up_to):
            return a_reading(reader, peer, up_to, number)
        case ("withdrawn", which):
            return a_recall(*_chosen(sent, which), number)
        case ("withdrawn unseen", (sender, receiver), key):
            return a_recall(sender, receiver, key, number)
        case ("modified", which, words):
            modified = MessageModified(**between(*_chosen(sent, which)), body=text(words), custom_data=words)
            return an_event(f"modified/{number}", MODIFIED, modified, instant(5, number))
        case ("receipted", which):
            receipted = MessageReceipted(**between(*_chosen(sent, which)))
            return an_event(f"receipted/{number}", RECEIPTED, receipted, instant(5))
        case ("deleted", (owner, peer), at, history):
            return a_deletion(owner, peer, at, number, history=history)
        case ("pinned", (owner, peer), pinned):
            conversation = conversation_of(APP, owner, peer)
            payload = ConversationPinned(conversation=conversation, app=APP, owner=owner, peer=peer, pinned=pinned)
            return an_event(f"pinned/{number}", PINNED, payload, instant(5))
    raise TypeError(step)


def _chosen(sent: Sequence[tuple[str, str, MessageKey]], which: int) -> tuple[str, str, MessageKey]:
    return sent[which % len(sent)] if sent else ("ann", "bob", FIRST)


def _to_log(steps: Iterable[Any]) -> list[Event]:
    """As it was published: some events come again."""
    log: list[Event] = []
    sent: list[tuple[str, str, MessageKey]] = []
    for number, step in enumerate(steps):
        if isinstance(step, tuple) and step[0] == "again":
            log += log[-1 - step[1] :][:1]
            continue
        for event in _to_events(step, number, sent):
            if event.type in (SENT, RELAYED):
                fact = msgspec.json.decode(event.data, type=MessageSent)
                sent.append((fact.sender, fact.receiver, fact.key))
            log.append(event)
    return log


logs = st.lists(_one, min_size=15, max_size=80).map(_to_log)
"""Not short ones: what may go wrong takes several steps about one conversation."""


RecalledBefore = Callable[[Sequence[str]], Awaitable[Collection[str]]]
"""What the store knows of messages that have come (`stores.im.recalls`)."""


async def fold(store: Store, log: Sequence[Event], rng: Random, recalled_before: RecalledBefore) -> None:
    """All of it, in batches of any size; some come again and are cut elsewhere, as after a crash."""
    partitions: dict[int, list[Decided]] = {}
    planner = Planner(ROUTES)

    def publish(event: Event) -> None:
        # Conversations share partitions, as everywhere.
        partition = len(event.subject) % 2
        steps = partitions.setdefault(partition, [])
        headers = encode_headers(event)
        record = Record("im-messages", partition, len(steps), 0, event.subject.encode(), event.data, headers)
        decided = planner.decide(record)
        assert isinstance(decided, Decided), decided
        steps.append(decided)

    for event in log:
        publish(event)
    for partition, steps in partitions.items():
        at = 0
        while at < len(steps):
            batch = steps[at : at + rng.randint(1, 12)]
            applied = await apply_batch(store, LogId("im-messages", "c1", partition), batch)
            looks = {
                look.message: look
                for step in applied.fresh
                for look in step.outcome.afterwards
                if isinstance(look, LookForRecall)
            }
            for message in await recalled_before(list(looks)):
                publish(looks[message].recall)
            at = at + len(batch) if rng.random() < 0.7 else max(0, at - rng.randint(0, 5))


# ---- the model -------------------------------------------------------------------------------------------------------


class Told(msgspec.Struct):
    """A message, as the model has it."""

    sent: MessageSent
    at: datetime
    body: Any
    custom_data: str | None
    peer_read: bool = False


class Model:
    """What each side must have, after a log."""

    def __init__(self, log: Sequence[Event]) -> None:
        self.messages: dict[str, Told] = {}
        self.read: dict[str, list[datetime]] = {}
        self.cleared: dict[str, list[datetime]] = {}
        self.listed: dict[str, bool] = {}
        self.pinned: dict[str, bool] = {}
        self.recalled: set[str] = set()
        """Messages that were, whether they had come by then or not."""
        seen: set[tuple[str, str]] = set()
        for event in log:
            # By the type too: a message for those online alone hides no other of its key.
            if (event.type, event.id) not in seen:
                seen.add((event.type, event.id))
                self._take(event, msgspec.json.decode(event.data, type=ROUTES[event.type].payload))

    def _take(self, event: Event, fact: Any) -> None:
        match event.type:
            case "im.message.sent":
                message = Told(fact, event.time, list(fact.body), fact.custom_data)
                self.messages[event.id] = message
                for side in self.sides_of(message):
                    if fact.listed:
                        self.listed[side] = True
            case "im.message.read":
                self.read.setdefault(side_of(APP, fact.reader, fact.peer), []).append(fact.up_to)
            case "im.message.withdrawn":
                self.recalled.add(event_id_of(APP, fact.sender, fact.receiver, fact.key))
            case "im.message.modified":
                if message := self._named(fact):
                    message.body, message.custom_data = list(fact.body), fact.custom_data
            case "im.message.receipted":
                if message := self._named(fact):
                    message.peer_read = True
            case "im.conversation.deleted":
                side = side_of(APP, fact.owner, fact.peer)
                self.listed[side] = self.pinned[side] = False
                if fact.history_cleared:
                    self.cleared.setdefault(side, []).append(event.time)
            case "im.conversation.pinned":
                self.pinned[side_of(APP, fact.owner, fact.peer)] = fact.pinned

    def _named(self, fact: Any) -> Any:
        return self.messages.get(event_id_of(APP, fact.sender, fact.receiver, fact.key))

    def sides_of(self, message: Told) -> set[str]:
        sent = message.sent
        receivers = side_of(APP, sent.receiver, sent.sender)
        return {receivers, side_of(APP, sent.sender, sent.receiver)} if sent.in_senders_history else {receivers}

    def came(self, side: str) -> list[Told]:
        """What is not cleared."""
        cleared = self.cleared.get(side, [])
        return [
            message
            for message in self.messages.values()
            if side in self.sides_of(message) and all(message.at > at for at in cleared)
        ]

    def timeline(self, side: str) -> list[Told]:
        """In order; twins of both directions by direction."""
        seen = [message for message in self.came(side) if message.sent.roams]
        return sorted(seen, key=lambda told: (told.sent.time, told.sent.seq, told.sent.random, told.sent.sender))

    def withdrawn(self, message: Told) -> bool:
        sent = message.sent
        return event_id_of(APP, sent.sender, sent.receiver, sent.key) in self.recalled

    def unread(self, side: str) -> int:
        return sum(
            message.sent.counted
            and not self.withdrawn(message)
            and message.sent.sender != message.sent.receiver
            and side == side_of(APP, message.sent.receiver, message.sent.sender)
            and all(message.at > at for at in self.read.get(side, []))
            for message in self.came(side)
        )

    def last(self, side: str) -> dict[str, Any] | None:
        """By MsgTime and MsgSeq."""
        shown = [told for told in self.messages.values() if side in self.sides_of(told) and told.sent.listed]
        if not shown:
            return None
        told = max(shown, key=lambda told: (told.sent.time, told.sent.seq, str(told.sent.key), told.sent.sender))
        return {"key": str(told.sent.key), "sender": told.sent.sender, "at": told.at}
