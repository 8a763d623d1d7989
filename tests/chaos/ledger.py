"""What clients sent and what they were told: the only witness that is not the code under test."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from handlers.accounts import LOGIN_LOG
from handlers.detections import DETECTIONS
from handlers.outcome import SEEN


class Sent(msgspec.Struct):
    """One fact, however often it was sent. `acknowledged` once any sender was told that it is stored."""

    identity: str
    collection: str
    """Where its fact is kept."""
    acknowledged: bool = False
    sendings: int = 0


class Login(Sent):
    user: str = ""
    online: bool = True


class Ban(Sent):
    user: str = ""


class Detection(Sent):
    reader: str = ""
    accounts: int = 0
    pushes: int = 0


class Reading(Sent):
    reader: str = ""
    up_to: datetime = datetime(1970, 1, 1, tzinfo=UTC)


class Said(msgspec.Struct, eq=False):
    """A message between people, to one or to many; `seq` is its own. Each copy has one of the keys."""

    sender: str
    receivers: tuple[str, ...]
    seq: int
    random: int
    counted: bool
    """Whether it is unread until read."""
    pushed: bool
    synced: bool
    """Whether it is in the sender's history."""
    imported_at: int | None
    attempts: int = 0
    keys: set[str] = msgspec.field(default_factory=set)
    """Those that were answered."""
    withdrawn: set[tuple[str, str]] = msgspec.field(default_factory=set)
    """Receiver and key of each copy that was recalled."""
    changed: dict[tuple[str, str], str] = msgspec.field(default_factory=dict)
    """What copies say now, by receiver and key."""

    @property
    def words(self) -> str:
        return f"message {self.seq}"


T = TypeVar("T", bound=Sent)


class Ledger:
    """Facts by identity, and the poison that was written."""

    def __init__(self) -> None:
        self.facts: dict[str, Sent] = {}
        self.poison_acknowledged = 0
        self.said: dict[int, Said] = {}
        """By MsgSeq."""
        self.read: dict[tuple[str, str], int] = {}
        """Second up to which somebody has read what a peer sent."""

    def login(self, identity: str, user: str, online: bool) -> Login:
        return self._enter(Login(identity, LOGIN_LOG, user=user, online=online))

    def ban(self, identity: str, user: str) -> Ban:
        return self._enter(Ban(identity, SEEN, user=user))

    def detection(self, identity: str, reader: str, accounts: int, pushes: int) -> Detection:
        return self._enter(Detection(identity, DETECTIONS, reader=reader, accounts=accounts, pushes=pushes))

    def reading(self, identity: str, reader: str, up_to: datetime) -> Reading:
        return self._enter(Reading(identity, SEEN, reader=reader, up_to=up_to))

    def _enter(self, fact: T) -> T:
        self.facts[fact.identity] = fact
        return fact

    def acknowledged(self) -> Iterator[Sent]:
        return (fact for fact in self.facts.values() if fact.acknowledged)

    @property
    def sendings(self) -> int:
        return sum(fact.sendings for fact in self.facts.values())
