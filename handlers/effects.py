"""The algebra of effects: what a handler may ask to be done to a document.

One law holds for every field effect: `merge(a, b)` does what `a` then `b` would
do. It is associative, so a batch of a thousand effects on one document becomes
one update. Which kinds may meet on one field is a table below; any other pair is
a bug in the handlers.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from schemas.cloudevents import to_millisecond


class Inc(msgspec.Struct, frozen=True):
    """Add to an integer; a field that is not there counts as 0."""

    by: int


class Set(msgspec.Struct, frozen=True):
    """Replace by a value known in full; log order decides."""

    value: Any


class Max(msgspec.Struct, frozen=True):
    value: Any


class Min(msgspec.Struct, frozen=True):
    value: Any


class AddToSet(msgspec.Struct, frozen=True):
    """Union with a list that holds each member once."""

    members: tuple[Any, ...]


class Latest(msgspec.Struct, frozen=True):
    """A value ordered by event time: for what two streams, or late senders, may set.

    The field becomes a register `{at, seq, v}`. The greater (at, seq, v) wins, so the
    order of arrival does not matter. `seq` orders what has the same time; left out,
    it is the log's order (`stamp`). Two partitions may still agree on both: then the
    value decides, in MongoDB's order of values.
    """

    at: datetime
    value: Any
    seq: int | None = None

    @property
    def register(self) -> dict[str, Any]:
        """As stored. The order of the keys is the order in which MongoDB's $max compares them."""
        return {"at": self.at, "seq": self.seq, "v": self.value}


class IncAbove(msgspec.Struct, frozen=True):
    """Add one for each of the values that is above a field of the document (absent: all are).

    What comes late, behind the bound already, is not counted: so the number stays
    what a Recount would give. Nothing but an event raises the field, by `Max` and
    beside a Recount. Times are cut to the millisecond, as they are stored.
    """

    values: tuple[Any, ...]
    field: str


class Recount(msgspec.Struct, frozen=True):
    """The number of facts that match: what a count becomes when some of what it counts no longer does.

    Counted by the store after the batch's facts and marks are written, of the facts
    folded into the document: each that matches has an effect on it. So whatever else
    the batch adds is in it. Where `above` is set, a fact's field counts only past the
    value of a field of the document (absent: all count), which the same change may
    raise by `Max`. An event that marks facts, so that others match, recounts as well.
    """

    collection: str
    match: Mapping[str, Any]
    above: tuple[str, str] | None = None
    """Field of the facts, field of the document."""


FieldEffect = Inc | Set | Max | Min | AddToSet | Latest | IncAbove | Recount
Change = Mapping[str, FieldEffect]
Rank = tuple[int, Any]


class Effect(msgspec.Struct, frozen=True):
    """A change to the document `key` of `collection`; made if it is not there, unless `create` says otherwise."""

    collection: str
    key: str
    change: Change
    create: bool = True
    """False for a mark on a fact that came before in the same log; there is none, and nothing happens."""


class IncompatibleEffectsError(TypeError):
    """Two kinds of effect on one field that have no common meaning: a bug in the handlers."""


def merge(a: FieldEffect, b: FieldEffect) -> FieldEffect:
    """One effect that does what `a` then `b` would do."""
    match a, b:
        case _, Set() | Recount():
            return b
        case Recount(), Inc() | IncAbove():
            return a
        case IncAbove(x, field), IncAbove(y, other) if field == other:
            return IncAbove(x + y, field)
        case Set(value), _ if not isinstance(b, Latest):
            return Set(apply(b, value))
        case Inc(x), Inc(y):
            return Inc(x + y)
        case Max(x), Max(y):
            return Max(max(x, y))
        case Min(x), Min(y):
            return Min(min(x, y))
        case AddToSet(x), AddToSet(y):
            return AddToSet(_union(x, y))
        case Latest(), Latest():
            return b if _wins(b, a) else a
    raise IncompatibleEffectsError(f"{a!r} then {b!r}")


def merge_changes(a: Change, b: Change) -> Change:
    """One change that does what `a` then `b` would do."""
    merged = dict(a)
    for field, effect in b.items():
        merged[field] = merge(merged[field], effect) if field in merged else effect
    return merged


ABSENT: Any = object()
"""The value of a field that a document does not have."""


def apply(effect: FieldEffect, value: Any = ABSENT) -> Any:
    """The field's value afterwards: the meaning of each effect, which the store must share."""
    match effect:
        case Set(new):
            return new
        case Inc(by):
            return by if value is ABSENT else value + by
        case Max(bound):
            return bound if value is ABSENT else max(value, bound)
        case Min(bound):
            return bound if value is ABSENT else min(value, bound)
        case AddToSet(members):
            return list(_union(() if value is ABSENT else tuple(value), members))
        case Latest():
            stays = value is not ABSENT and not _wins(effect, Latest(value["at"], value["v"], value["seq"]))
            return value if stays else effect.register
    raise IncompatibleEffectsError(f"{effect!r} is counted by the store, not applied")


def stamp(change: Change, offset: int) -> Change:
    """Give each Latest without one its place in the log.

    Even numbers: an odd `seq` is free to say "right after that one" (the end of a
    ban must beat that ban and nothing newer).
    """
    if not any(isinstance(effect, Latest) for effect in change.values()):
        return change
    return {
        field: _stamped(effect, offset) if isinstance(effect, Latest) else effect for field, effect in change.items()
    }


def _stamped(effect: Latest, offset: int) -> Latest:
    return Latest(to_millisecond(effect.at), effect.value, 2 * offset if effect.seq is None else effect.seq)


def _wins(effect: Latest, other: Latest) -> bool:
    order, others = _order(effect), _order(other)
    return order > others or (order == others and _rank(effect.value) >= _rank(other.value))


def _order(effect: Latest) -> tuple[datetime, int]:
    return effect.at, effect.seq if effect.seq is not None else -1


def _union(a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
    # Told apart by rank: to Python, unlike MongoDB, True is 1 and the order of an object's fields nothing.
    members: dict[Rank, Any] = {}
    for member in (*a, *b):
        members.setdefault(_rank(member), member)
    return tuple(members.values())


def _rank(value: Any) -> Rank:
    """A key that sorts values as MongoDB does: by kind, then by value (BSON comparison order)."""
    match value:
        case None:
            return 0, 0
        case bool():
            return 5, value
        case int() | float():
            return 1, value
        case str():
            return 2, value
        case dict():
            return 3, tuple((_rank(inner)[0], name, _rank(inner)) for name, inner in value.items())
        case list() | tuple():
            return 4, tuple(_rank(inner) for inner in value)
        case datetime():
            return 6, to_millisecond(value)
    raise TypeError(f"no place for a {type(value).__name__} in the order of values")
