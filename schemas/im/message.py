"""Messages between two: the facts about them and about their conversations.

Everything about one conversation has one key, APP/SMALLER/GREATER of its users, so one
partition: the messages of both directions, and what each of the two sees of them. What
one of the two has of it is a *side*, APP/OWNER/PEER.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from schemas.catalogue import EventType
from schemas.im.ids import key_of
from schemas.numbers import Key, LongText, Text, check_free_form
from schemas.times import Instant, Timed

SOURCE = "im"
SENT, RELAYED, READ, WITHDRAWN = "im.message.sent", "im.message.relayed", "im.message.read", "im.message.withdrawn"
MODIFIED, RECEIPTED = "im.message.modified", "im.message.receipted"
DELETED, PINNED = "im.conversation.deleted", "im.conversation.pinned"

MAX_UINT32 = 2**32 - 1
UInt32 = Annotated[int, msgspec.Meta(ge=0, le=MAX_UINT32)]
CustomData = Annotated[str, msgspec.Meta(max_length=262_144)]
"""`CloudCustomData`. It may hold a NUL, as the texts of a body may: the contract lets a face's data have any control
character."""
User = Annotated[str, msgspec.Meta(min_length=1, max_length=32, pattern="^[ -~]+$")]


def conversation_of(app: str, one: str, other: str) -> str:
    """The key of what is between two, whoever of them is named first."""
    return key_of(app, *sorted((one, other)))


def side_of(app: str, owner: str, peer: str) -> str:
    """The key of what one of them has of it."""
    return key_of(app, owner, peer)


class MessageKey(msgspec.Struct, frozen=True):
    """MsgKey: names a message within its direction."""

    seq: int
    random: int
    time: int
    """MsgTime, seconds."""

    def __str__(self) -> str:
        return f"{self.seq}_{self.random}_{self.time}"

    @property
    def order(self) -> str:
        """Sorts as the API orders messages: by time, then MsgSeq; then MsgRandom, so that pages have an edge."""
        return f"{self.time:010d}.{self.seq:010d}.{self.random:010d}"

    @property
    def second(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)


def edge_of(second: int) -> str:
    """Where a second begins in that order: behind all messages before it, in front of all of its own."""
    return f"{max(0, second):010d}"


def second_of(order: str) -> int:
    """The second of a place in that order, or of an edge."""
    return int(order[:10])


MAX_KEY_CHARS = 50


def parse_key(text: str) -> MessageKey | None:
    """None where it is no MsgKey."""
    parts = text.split("_")
    if len(text) > MAX_KEY_CHARS or len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    seq, random, time = map(int, parts)
    return MessageKey(seq, random, time) if max(seq, random, time) <= MAX_UINT32 else None


def event_id_of(app: str, sender: str, receiver: str, key: MessageKey) -> str:
    """Id of the fact that a message was sent: seen by the call and by a callback, it is one."""
    return f"c2c/{key_of(app, sender, receiver)}/{key}"


def message_id_of(app: str, sender: str, receiver: str, key: MessageKey) -> str:
    """`_id` of the message's document: the identity of that fact (`schemas.events.Event.identity`)."""
    return f"{SOURCE}/{event_id_of(app, sender, receiver, key)}"


class OfflinePush(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The receiver is offline: what a push is to say."""

    title: Text | None = None
    text: LongText
    info: dict[str, Any] = msgspec.field(default_factory=dict)
    """`OfflinePushInfo` as it was sent: what a receiver of webhooks may want of it."""

    def __post_init__(self) -> None:
        check_free_form(self.info, "$.info")


class _Between(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact about a message from one to the other."""

    conversation: Key
    app: Key
    sender: User
    receiver: User
    seq: UInt32
    random: UInt32
    time: UInt32
    """MsgTime, seconds."""

    @property
    def key(self) -> MessageKey:
        return MessageKey(self.seq, self.random, self.time)

    @property
    def message_id(self) -> str:
        return message_id_of(self.app, self.sender, self.receiver, self.key)


class MessageSent(_Between, frozen=True, kw_only=True, omit_defaults=True):
    """A message came in: sent, copied to one of many, imported, or told of by a callback. The event's time is when it
    was sent, to the millisecond where that is known, and falls into the second `time`."""

    body: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(min_length=1)]
    """Its elements, as they were sent."""
    custom_data: CustomData | None = None
    in_senders_history: bool = True
    """False for `SyncOtherMachine` 2."""
    roams: bool = True
    """False for a push to all or many: in nobody's history."""
    counted: bool = True
    """Whether it is unread to its receiver, until read."""
    listed: bool = True
    """Whether the conversations move up in the lists of the two."""
    receipt_wanted: bool = False
    extensible: bool = False
    """Whether it may have extensions."""
    life_seconds: UInt32 | None = None
    """`MsgLifeTime`."""
    imported: bool = False
    offline_push: OfflinePush | None = None

    def __post_init__(self) -> None:
        for index, element in enumerate(self.body):
            check_free_form(element, f"$.body[{index}]", nul_in_text=True)


class MessageRelayed(MessageSent, frozen=True, kw_only=True, omit_defaults=True):
    """A message for those online alone (`MsgLifeTime` 0): nothing of it is kept or counted."""


class MessagesRead(Timed, frozen=True, kw_only=True):
    """What a peer sent is read, up to an instant."""

    conversation: Key
    app: Key
    reader: User
    peer: User
    up_to: Instant
    """A read time in whole seconds covers all of its second."""


class MessageWithdrawn(_Between, frozen=True, kw_only=True):
    """A message was recalled: it is unread to nobody, and shown as recalled to both."""


class MessageModified(_Between, frozen=True, kw_only=True, omit_defaults=True):
    """What a message says was overwritten; what is left out here stays."""

    body: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(min_length=1)] | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        for index, element in enumerate(self.body or ()):
            check_free_form(element, f"$.body[{index}]", nul_in_text=True)


class MessageReceipted(_Between, frozen=True, kw_only=True):
    """The receiver sent a read receipt for a message. The API has no call for it: clients do that."""

    def __post_init__(self) -> None:
        _check_conversation(self.conversation, self.app, self.sender, self.receiver)


class ConversationDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two took the conversation off the list, until the next message. The event's time says when."""

    conversation: Key
    app: Key
    owner: User
    peer: User
    history_cleared: bool = False
    """What came up to then is gone from the owner's history, and is not unread any more."""


class ConversationPinned(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two pinned the conversation, or let it go again. The API has no call for it: clients do that."""

    conversation: Key
    app: Key
    owner: User
    peer: User
    pinned: bool

    def __post_init__(self) -> None:
        _check_conversation(self.conversation, self.app, self.owner, self.peer)


def _check_conversation(given: str, app: str, one: str, other: str) -> None:
    """Of what others publish: another key would be another partition."""
    if given != (expected := conversation_of(app, one, other)):
        raise ValueError(f"conversation is app, smaller and greater user: {expected!r}")


def _type(name: str, payload: type[msgspec.Struct], summary: str, *, internal: bool = True) -> EventType:
    return EventType(name, payload, summary, "conversation", internal=internal)


EVENT_TYPES = (
    _type(SENT, MessageSent, "A message from one IM user to another came in"),
    _type(RELAYED, MessageRelayed, "An IM message was for those online alone"),
    _type(READ, MessagesRead, "An IM user has read what a peer sent, up to an instant"),
    _type(WITHDRAWN, MessageWithdrawn, "An IM message was recalled"),
    _type(MODIFIED, MessageModified, "What an IM message says was overwritten"),
    _type(RECEIPTED, MessageReceipted, "An IM user sent a read receipt for a message", internal=False),
    _type(DELETED, ConversationDeleted, "An IM user deleted a conversation, with its history or without"),
    _type(PINNED, ConversationPinned, "An IM user pinned a conversation, or unpinned it", internal=False),
)
