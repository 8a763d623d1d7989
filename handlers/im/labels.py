"""What users are labelled with for pushes: attributes, by the place of their name, and tags; and who is chosen by them.

A condition of a push is put down as tokens: one stands for a tag, one for an attribute's
value. A user's document has the tokens of the user, in an index, so that those who are
chosen are found by it, in the order of their ids.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from schemas.im.codes import Failed
from schemas.im.ids import key_of
from schemas.im.labels import MAX_TAGS

TOO_MANY_TAGS = 90046


class Labels(msgspec.Struct, frozen=True):
    """One user's."""

    tags: tuple[str, ...] = ()
    """In the order in which they were added."""
    values: Mapping[str, str] = msgspec.field(default_factory=dict)
    """By the place of the attribute."""

    def tokens(self, app: str) -> frozenset[str]:
        tags = (tag_token(app, tag) for tag in self.tags)
        return frozenset((*tags, *(value_token(app, place, value) for place, value in self.values.items())))


Change = Callable[[Labels], Labels]
"""What a call does to one user's; done again it changes nothing."""

NOBODYS = Labels()


def tag_token(app: str, tag: str) -> str:
    return key_of(app, "tag", tag)


def value_token(app: str, place: str, value: str) -> str:
    return key_of(app, place, value)


def adding(tags: Iterable[str]) -> Change:
    """Raises Failed where they become too many; those that the user has already do not count twice."""

    def change(labels: Labels) -> Labels:
        together = tuple(dict.fromkeys((*labels.tags, *tags)))
        if len(together) > MAX_TAGS:
            raise Failed(TOO_MANY_TAGS)
        return msgspec.structs.replace(labels, tags=together)

    return change


def removing(tags: Iterable[str]) -> Change:
    gone = frozenset(tags)
    return lambda labels: msgspec.structs.replace(labels, tags=tuple(tag for tag in labels.tags if tag not in gone))


def without_tags(labels: Labels) -> Labels:
    return msgspec.structs.replace(labels, tags=())


def setting(values: Mapping[str, str]) -> Change:
    """Attributes by their place; the others stay."""
    return lambda labels: msgspec.structs.replace(labels, values={**labels.values, **values})


def unsetting(places: Iterable[str]) -> Change:
    gone = frozenset(places)
    return lambda labels: msgspec.structs.replace(
        labels, values={place: value for place, value in labels.values.items() if place not in gone}
    )


def both(first: Change, then: Change) -> Change:
    return lambda labels: then(first(labels))


class Selection(msgspec.Struct, frozen=True):
    """Whom a push is for: who has one of these tokens at least (if there are any), and all of those."""

    any_of: frozenset[str] = frozenset()
    all_of: frozenset[str] = frozenset()

    def takes(self, tokens: Iterable[str]) -> bool:
        has = frozenset(tokens)
        return self.all_of <= has and (not self.any_of or bool(self.any_of & has))
