"""Relations of three people as a naive program would keep them: sets and dictionaries, one call after another."""

from collections import defaultdict
from typing import Any

import msgspec

Codes = dict[str, int]


class Noted(msgspec.Struct):
    """What somebody keeps of a friend."""

    remark: str = ""
    groups: list[str] = msgspec.field(default_factory=list)
    custom: str | None = None


class Person(msgspec.Struct):
    allow: str = "AllowAny"
    friends: dict[str, Noted] = msgspec.field(default_factory=dict)
    """In the order of adding."""
    blacklist: list[str] = msgspec.field(default_factory=list)
    groups: list[str] = msgspec.field(default_factory=list)
    asked_by: set[str] = msgspec.field(default_factory=set)

    def have_groups(self, names: list[str]) -> None:
        self.groups += [name for name in dict.fromkeys(names) if name not in self.groups]


class Model:
    def __init__(self) -> None:
        self.people: defaultdict[str, Person] = defaultdict(Person)

    def allow(self, user: str, kind: str) -> None:
        self.people[user].allow = kind

    def add(self, user: str, other: str, *, single: bool, force: bool, group: str) -> int:
        me, you = self.people[user], self.people[other]
        if user == other:
            return 30001
        if other in me.blacklist:
            return 30515
        if user in you.blacklist:
            return 30525
        if other in me.friends and (single or user in you.friends):
            return 30001
        if not force and user not in you.friends and other not in me.asked_by:
            if you.allow == "DenyAny":
                return 30516
            if you.allow == "NeedConfirm":
                you.asked_by.add(user)
                return 30539
        if not single:
            you.friends.setdefault(user, Noted())
        if other not in me.friends:
            me.have_groups([group] if group else [])
            me.friends[other] = Noted(groups=[group] if group else [])
        self._settle(user, other)
        return 0

    def import_(self, user: str, other: str, *, remark: str, group: str) -> int:
        me, you = self.people[user], self.people[other]
        if user == other:
            return 30001
        if other in me.blacklist:
            return 30515
        if user in you.blacklist:
            return 30525
        me.have_groups([group] if group else [])
        noted = me.friends.setdefault(other, Noted())
        noted.remark = remark
        noted.groups = [group] if group else []
        return 0

    def update(self, user: str, other: str, *, remark: str, groups: list[str], custom: str) -> int:
        me = self.people[user]
        if other not in me.friends:
            return 30001
        me.have_groups(groups)
        me.friends[other] = Noted(remark, list(dict.fromkeys(groups)), custom)
        return 0

    def delete(self, user: str, other: str, *, both: bool) -> int:
        gone = [self.people[user].friends.pop(other, None)]
        if both:
            gone.append(self.people[other].friends.pop(user, None))
        return 0 if any(noted is not None for noted in gone) else 31704

    def delete_all(self, user: str, *, both: bool) -> None:
        for other in list(self.people[user].friends):
            self.delete(user, other, both=both)

    def block(self, user: str, other: str) -> int:
        me, you = self.people[user], self.people[other]
        if user == other or other in me.blacklist:
            return 30001
        me.blacklist.append(other)
        me.friends.pop(other, None)
        you.friends.pop(user, None)
        self._settle(user, other)
        return 0

    def unblock(self, user: str, other: str) -> int:
        me = self.people[user]
        me.blacklist = [blocked for blocked in me.blacklist if blocked != other]
        return 0

    def group_add(self, user: str, groups: list[str], other: str) -> int:
        me = self.people[user]
        me.have_groups(groups)
        if other not in me.friends:
            return 30001
        noted = me.friends[other]
        noted.groups += [name for name in dict.fromkeys(groups) if name not in noted.groups]
        return 0

    def group_delete(self, user: str, groups: list[str]) -> None:
        me = self.people[user]
        me.groups = [name for name in me.groups if name not in groups]
        for noted in me.friends.values():
            noted.groups = [name for name in noted.groups if name not in groups]

    def forget(self, user: str) -> None:
        """The account is deleted, and imported again."""
        del self.people[user]
        for person in self.people.values():
            person.friends.pop(user, None)
            person.asked_by.discard(user)
            person.blacklist = [blocked for blocked in person.blacklist if blocked != user]

    def relation(self, user: str, other: str) -> str:
        own, theirs = other in self.people[user].friends, user in self.people[other].friends
        return _NAMES[own, theirs]

    def seen(self, user: str) -> dict[str, Any]:
        """All that the lists of a user say, as of now."""
        me = self.people[user]
        return {
            "friends": {
                other: {"remark": noted.remark, "groups": [*noted.groups], "custom": noted.custom}
                for other, noted in me.friends.items()
            },
            "blacklist": [*me.blacklist],
            "groups": {
                name: [other for other, noted in me.friends.items() if name in noted.groups] for name in me.groups
            },
        }

    def _settle(self, user: str, other: str) -> None:
        self.people[user].asked_by.discard(other)
        self.people[other].asked_by.discard(user)


_NAMES = {
    (True, True): "BothWay",
    (True, False): "AWithB",
    (False, True): "BWithA",
    (False, False): "NoRelation",
}
