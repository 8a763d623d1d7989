"""Extensions of a message: what a call makes of them.

All pairs of a message share one row of numbers: what a call changes has the next one. So
whoever has seen everything up to a number asks for what is behind it. Pairs that were
deleted leave nothing, and pairs that were cleared only the number of the clearing.
"""

from collections.abc import Iterable, Sequence

import msgspec

from schemas.im.codes import Failed
from schemas.im.extensions import CHANGES_PER_MINUTE, MAX_PAIRS, MAX_PAIRS_SHOWN, GivenPair, Pair, PairResult

SEQ_DIFFERS, TOO_MANY_PAIRS, TOO_MANY_CHANGES, NO_SUCH_KEY = 23001, 23002, 23003, 23004


class Extensions(msgspec.Struct, frozen=True, kw_only=True):
    """One message's."""

    pairs: tuple[Pair, ...] = ()
    latest: int = 0
    """The last number that was given to a change."""
    cleared: int = 0
    """That of the last clearing."""
    minute: int = 0
    """Since 1970, of the last change."""
    changes: int = 0
    """Calls in that minute."""

    def counted(self, minute: int) -> "Extensions":
        """With one more call; raises Failed where it is one too many. A clock behind counts for the later minute."""
        latest = max(minute, self.minute)
        changes = self.changes + 1 if latest == self.minute else 1
        if changes > CHANGES_PER_MINUTE:
            raise Failed(TOO_MANY_CHANGES)
        return msgspec.structs.replace(self, minute=latest, changes=changes)


NONE = Extensions()

Outcome = tuple[Extensions, tuple[PairResult, ...]]


def set_pairs(now: Extensions, given: Sequence[GivenPair]) -> Outcome:
    """Those whose number differs from what the caller knows stay as they are. Raises Failed where they become too many,
    then none is set."""
    pairs, seq = _by_key(now.pairs), now.latest + 1
    results = []
    for one in given:
        there = pairs.get(one.key)
        if differs := _differs(one, there):
            results.append(differs)
            continue
        pair = Pair(key=one.key, value=one.value, seq=seq)
        pairs[one.key] = pair
        results.append(PairResult(error_code=0, extension=pair))
    if len(pairs) > MAX_PAIRS:
        raise Failed(TOO_MANY_PAIRS)
    return _changed(now, pairs.values(), results), tuple(results)


def delete_pairs(now: Extensions, given: Sequence[GivenPair]) -> Outcome:
    pairs, seq = _by_key(now.pairs), now.latest + 1
    results = []
    for one in given:
        there = pairs.get(one.key)
        if there is None:
            nothing = Pair(key=one.key, value="", seq=0)
            results.append(PairResult(error_code=NO_SUCH_KEY, extension=nothing))
        elif differs := _differs(one, there):
            results.append(differs)
        else:
            del pairs[one.key]
            results.append(PairResult(error_code=0, extension=Pair(key=one.key, value="", seq=seq)))
    return _changed(now, pairs.values(), results), tuple(results)


def clear_pairs(now: Extensions) -> Outcome:
    seq = now.latest + 1
    return msgspec.structs.replace(now, pairs=(), latest=seq, cleared=seq), ()


def shown(now: Extensions, start_seq: int) -> tuple[tuple[Pair, ...], bool]:
    """Pairs from a number on, in its order, and whether that is all. Those of one call stay together: whoever goes on
    with the last number or with the one behind it misses none."""
    pairs = sorted((pair for pair in now.pairs if pair.seq >= start_seq), key=lambda pair: (pair.seq, pair.key))
    if len(pairs) <= MAX_PAIRS_SHOWN:
        return tuple(pairs), True
    cut = pairs[MAX_PAIRS_SHOWN].seq
    return tuple(pair for pair in pairs if pair.seq < cut), False


def _differs(given: GivenPair, there: Pair | None) -> PairResult | None:
    if given.seq == 0 or given.seq == (there.seq if there is not None else 0):
        return None
    current = there if there is not None else Pair(key=given.key, value="", seq=0)
    return PairResult(error_code=SEQ_DIFFERS, extension=current)


def _changed(now: Extensions, pairs: Iterable[Pair], results: Iterable[PairResult]) -> Extensions:
    """Where no pair was changed, no number is used up."""
    if all(result.error_code for result in results):
        return now
    return msgspec.structs.replace(now, pairs=tuple(pairs), latest=now.latest + 1)


def _by_key(pairs: Iterable[Pair]) -> dict[str, Pair]:
    return {pair.key: pair for pair in pairs}
