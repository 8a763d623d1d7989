"""The facts about relations. The relations themselves are settings, written in the call: a fact is remembered."""

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


def remember_relation(_event: Event, _fact: RelationFact) -> Outcome:
    """So that one which comes twice counts once."""
    return Outcome()
