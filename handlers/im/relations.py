"""Relations of one user: who is a friend, who is blocked, into which groups friends are sorted.

What one user has noted of another is an `Edge`; it concerns that user alone, and the other's
edge back may say something else (contracts/im-semantics.md, section 10: lists are directed).
What is counted and numbered for all of a user's edges is the `Head`. `Relations` is both
as a call sees them; what the call does to it becomes one `Change`, which is written whole
or not at all.

Laws: who is blocked is no friend. A group of an edge is a group of the head. Counts of the head
are those of its edges. A sequence moves when what it numbers has changed, and only then.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from schemas.im.sns_codes import (
    BLACKLIST_FULL,
    BLOCKED_ALREADY,
    FRIEND_EXISTS,
    NO_FRIEND,
    ON_OWN_BLACKLIST,
    OWN_LIST_FULL,
    TOO_MANY_GROUPS,
    Trouble,
)
from schemas.im.sns_facts import BLACKLIST_ADDED, BLACKLIST_DELETED, FRIEND_ADDED, FRIEND_DELETED

MAX_FRIENDS = 3000
MAX_BLOCKED = 1000
MAX_GROUPS = 32


class Friend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a user keeps of a friend. `place` orders the list: the later added, the greater."""

    place: int = 0
    added_at: datetime
    source: str
    wording: str = ""
    remark: str = ""
    groups: tuple[str, ...] = ()
    custom: Mapping[str, str | int] = msgspec.field(default_factory=dict)


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    place: int
    at: datetime


class Told(msgspec.Struct, frozen=True):
    """The facts about the last change, where others are told of it.

    `version` is that of the head it came with; `call` names the call that made it, the same for a repeat.
    """

    types: tuple[str, ...]
    at: datetime
    version: int
    call: str


class Edge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    friend: Friend | None = None
    blocked: Blocked | None = None
    told: Told | None = None

    @property
    def gone(self) -> bool:
        """It says nothing of the other any more."""
        return self.friend is None and self.blocked is None


NOTHING = Edge()


class Group(msgspec.Struct, frozen=True):
    name: str
    friends: int


class Head(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`version` counts the changes; `placed` the places given."""

    version: int = 0
    placed: int = 0
    friends: int = 0
    blocked: int = 0
    groups: tuple[Group, ...] = ()
    standard_sequence: int = 0
    custom_sequence: int = 0
    blacklist_sequence: int = 0
    group_sequence: int = 0


class Change(msgspec.Struct, frozen=True):
    """The head as it is to be, and the edges that are other than before."""

    head: Head
    edges: Mapping[str, Edge]


class Relations:
    """A user's head and some of the edges, by the other's user id, for one call to look at and change.

    Every method that may meet trouble returns it and has changed nothing. `call` names the call, where others are
    to be told of what it changes.
    """

    def __init__(self, head: Head, edges: Mapping[str, Edge], at: datetime, call: str | None) -> None:
        self._head = head
        self._before = dict(edges)
        self._edges = dict(edges)
        self._groups = [group.name for group in head.groups]
        self._friends = head.friends
        self._blocked = head.blocked
        self._placed = head.placed
        self._at = at
        self._call = call

    def edge(self, other: str) -> Edge:
        return self._edges.get(other, NOTHING)

    @property
    def others(self) -> tuple[str, ...]:
        """Whose edges are at hand."""
        return tuple(self._edges)

    def befriend(self, other: str, friend: Friend) -> Trouble | None:
        """Put somebody on the list, at its end."""
        edge = self.edge(other)
        if edge.blocked:
            return ON_OWN_BLACKLIST
        if edge.friend:
            return FRIEND_EXISTS
        if self._friends >= MAX_FRIENDS:
            return OWN_LIST_FULL
        if trouble := self.add_groups(friend.groups):
            return trouble
        self._edges[other] = Edge(friend=msgspec.structs.replace(friend, place=self._next_place()), told=edge.told)
        self._friends += 1
        return None

    def rewrite(self, other: str, friend: Friend) -> Trouble | None:
        """Keep something else of a friend; the place stays."""
        edge = self.edge(other)
        if edge.friend is None:
            return NO_FRIEND
        if trouble := self.add_groups(friend.groups):
            return trouble
        self._edges[other] = Edge(friend=msgspec.structs.replace(friend, place=edge.friend.place), told=edge.told)
        return None

    def unfriend(self, other: str) -> bool:
        """Whether there was a friend to take off the list."""
        edge = self.edge(other)
        if edge.friend is None:
            return False
        self._edges[other] = msgspec.structs.replace(edge, friend=None)
        self._friends -= 1
        return True

    def block(self, other: str) -> Trouble | None:
        """Put somebody on the blacklist, who is no friend from then on."""
        edge = self.edge(other)
        if edge.blocked:
            return BLOCKED_ALREADY
        if self._blocked >= MAX_BLOCKED:
            return BLACKLIST_FULL
        self.unfriend(other)
        self._edges[other] = Edge(blocked=Blocked(place=self._next_place(), at=self._at), told=edge.told)
        self._blocked += 1
        return None

    def unblock(self, other: str) -> bool:
        """Whether there was somebody to take off the blacklist."""
        edge = self.edge(other)
        if edge.blocked is None:
            return False
        self._edges[other] = msgspec.structs.replace(edge, blocked=None)
        self._blocked -= 1
        return True

    def add_groups(self, names: Iterable[str]) -> Trouble | None:
        """Have these groups, all of them or none of the new ones."""
        new = [name for name in dict.fromkeys(names) if name not in self._groups]
        if len(self._groups) + len(new) > MAX_GROUPS:
            return TOO_MANY_GROUPS
        self._groups += new
        return None

    def sort_into(self, other: str, names: Iterable[str]) -> Trouble | None:
        """Put a friend into more groups."""
        friend = self.edge(other).friend
        if friend is None:
            return NO_FRIEND
        groups = tuple(dict.fromkeys((*friend.groups, *names)))
        return self.rewrite(other, msgspec.structs.replace(friend, groups=groups))

    def take_out(self, other: str, names: frozenset[str]) -> None:
        """Take a friend out of groups."""
        if friend := self.edge(other).friend:
            groups = tuple(name for name in friend.groups if name not in names)
            self.rewrite(other, msgspec.structs.replace(friend, groups=groups))

    def drop_groups(self, names: frozenset[str]) -> bool:
        """Have these groups no more. False, and nothing is changed, while there are friends in one of them."""
        if any(group.friends for group in self.groups if group.name in names):
            return False
        self._groups = [name for name in self._groups if name not in names]
        return True

    @property
    def groups(self) -> tuple[Group, ...]:
        """As they are now."""
        counts = Counter({group.name: group.friends for group in self._head.groups})
        for before, after in self._changed().values():
            counts.subtract(_groups_of(before))
            counts.update(_groups_of(after))
        return tuple(Group(name, counts[name]) for name in self._groups)

    def close(self) -> Change | None:
        """What has changed; None where nothing has."""
        changed = self._changed()
        names_changed = self._groups != [group.name for group in self._head.groups]
        if not changed and not names_changed:
            return None
        head, pairs = self._head, changed.values()
        version = head.version + 1
        return Change(
            Head(
                version=version,
                placed=self._placed,
                friends=self._friends,
                blocked=self._blocked,
                groups=self.groups,
                standard_sequence=head.standard_sequence + any(_standard(a) != _standard(b) for a, b in pairs),
                custom_sequence=head.custom_sequence + any(_custom(a) != _custom(b) for a, b in pairs),
                blacklist_sequence=head.blacklist_sequence + any(a.blocked != b.blocked for a, b in pairs),
                group_sequence=head.group_sequence
                + (names_changed or any(set(_groups_of(a)) != set(_groups_of(b)) for a, b in pairs)),
            ),
            {other: self._telling(before, after, version) for other, (before, after) in changed.items()},
        )

    def _changed(self) -> dict[str, tuple[Edge, Edge]]:
        """Before and after."""
        pairs = {other: (self._before.get(other, NOTHING), after) for other, after in self._edges.items()}
        return {other: (before, after) for other, (before, after) in pairs.items() if before != after}

    def _telling(self, before: Edge, after: Edge, version: int) -> Edge:
        types = told_of(before, after)
        if not types:
            return after
        told = None if self._call is None else Told(types, self._at, version, self._call)
        return msgspec.structs.replace(after, told=told)

    def _next_place(self) -> int:
        self._placed += 1
        return self._placed


def told_of(before: Edge, after: Edge) -> tuple[str, ...]:
    """The facts that make the one of the other."""
    turns = (
        (FRIEND_DELETED, before.friend and not after.friend),
        (FRIEND_ADDED, after.friend and not before.friend),
        (BLACKLIST_DELETED, before.blocked and not after.blocked),
        (BLACKLIST_ADDED, after.blocked and not before.blocked),
    )
    return tuple(fact for fact, happened in turns if happened)


def _groups_of(edge: Edge) -> tuple[str, ...]:
    return edge.friend.groups if edge.friend else ()


def _standard(edge: Edge) -> Friend | None:
    return msgspec.structs.replace(edge.friend, custom={}) if edge.friend else None


def _custom(edge: Edge) -> Mapping[str, str | int]:
    return edge.friend.custom if edge.friend else {}
