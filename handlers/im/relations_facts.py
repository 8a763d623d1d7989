"""The facts about relations. The relations themselves are settings, written in the call: a fact is remembered."""

from handlers.im.figures import counted_relation
from handlers.outcome import Outcome
from schemas.events import Event
from schemas.im.sns_facts import (
    BlacklistAdded,
    BlacklistDeleted,
    FriendAdded,
    FriendDeleted,
    FriendGroupsChanged,
    FriendRequested,
)

RelationFact = FriendAdded | FriendDeleted | FriendRequested | BlacklistAdded | BlacklistDeleted | FriendGroupsChanged


def remember_relation(event: Event, fact: RelationFact) -> Outcome:
    """So that one which comes twice counts once, in the day's figures too."""
    match fact:
        case FriendAdded():
            return Outcome(effects=counted_relation(event, fact.account, "friends_added"))
        case FriendDeleted():
            return Outcome(effects=counted_relation(event, fact.account, "friends_deleted"))
    return Outcome()
