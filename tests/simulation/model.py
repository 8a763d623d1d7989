"""What the documents must be, worked out from the logs alone.

The stored facts say which copy of each event was counted (any one may win); all
else follows: those copies, each once, one by one, in log order.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from handlers.effects import ABSENT, Change, IncAbove, Recount, apply, stamp
from handlers.letters import COLLECTION as LETTERS
from handlers.letters import letter_for
from handlers.plan import Decided, Poisoned
from schemas.events import LogId, Record
from tests.simulation.domain import DOCUMENTS, ENTRIES, FACTS, INBOXES, PLANNER, flat
from tests.simulation.sim_broker import SimBroker

Documents = dict[str, dict[str, dict[str, Any]]]
Position = tuple[str, int]


class Copy(msgspec.Struct, frozen=True):
    """One record of an event."""

    log: LogId
    decided: Decided

    @property
    def position(self) -> Position:
        return self.log.fence, self.decided.offset


class History(msgspec.Struct):
    """All that was ever in the logs."""

    logs: dict[LogId, int]
    """Each log's age: a creation's before that of the next."""
    copies: dict[tuple[str, str], list[Copy]]
    """By the collection of the fact and its identity; in log order."""
    letters: set[str]
    """Identities of the letters that records set aside must have."""
    uncertain: set[tuple[str, str]]
    """Facts that had a copy in a log deleted before it was folded: these may be lost, never doubled."""
    uncertain_letters: set[str]


def read_history(broker: SimBroker) -> History:
    history = History({}, {}, set(), set(), set())
    for log, records, folded in broker.deleted:
        _read(history, log, records, lost_from=folded)
    for topic, creation in broker.topics.items():
        for partition, records in enumerate(creation.partitions):
            _read(history, broker.log_id(topic, partition), records, lost_from=len(records))
    _spread_uncertainty(history)
    return history


def _read(history: History, log: LogId, records: Iterable[Record], lost_from: int) -> None:
    history.logs[log] = len(history.logs)
    for record in records:
        step = PLANNER.decide(record)
        if isinstance(step, Poisoned):
            identity = letter_for(step, log).identity
            history.letters.add(identity)
            if record.offset >= lost_from:
                history.uncertain_letters.add(identity)
                history.uncertain.add((LETTERS, identity))
            continue
        fact = step.outcome.fact.collection, step.event.identity
        history.copies.setdefault(fact, []).append(Copy(log, step))
        if record.offset >= lost_from:
            history.uncertain.add(fact)


def _spread_uncertainty(history: History) -> None:
    """What a fact that may be lost emits may be lost."""
    for fact in list(history.uncertain):
        for copy in history.copies.get(fact, []):
            for event in copy.decided.emits:
                collections = [collection for collection, identity in history.copies if identity == event.identity]
                history.uncertain.update((collection, event.identity) for collection in collections)


def mistakes(broker: SimBroker, documents: Documents) -> list[str]:
    """How the documents differ from what the logs say they must be; empty when exact."""
    history = read_history(broker)
    winners: list[Copy] = []
    found: list[str] = []
    for (collection, identity), copies in history.copies.items():
        stored = documents.get(collection, {}).get(identity)
        if stored is None:
            if (collection, identity) not in history.uncertain:
                found.append(f"lost: {identity} has no document in {collection}")
            continue
        origin = stored["origin"]["fence"], stored["origin"]["offset"]
        won = [copy for copy in copies if copy.position == origin]
        if len(won) == 1:
            winners.append(won[0])
        else:
            found.append(f"{identity}: origin {origin} is no copy of it")
    stored_facts = [(collection, identity) for collection in FACTS for identity in documents.get(collection, {})]
    found += [f"invented: {fact}" for fact in stored_facts if fact not in history.copies]
    winners.sort(key=lambda copy: (history.logs[copy.log], copy.decided.offset))
    found += _letter_mistakes(history, documents)
    found += _emit_mistakes(history, winners)
    found += _document_mistakes(history, winners, documents)
    return found


def _letter_mistakes(history: History, documents: Documents) -> list[str]:
    letters = set(documents.get(LETTERS, {}))
    missing = history.letters - letters - history.uncertain_letters
    return [f"not set aside: {identity}" for identity in sorted(missing)] + [
        f"set aside, and no poison: {identity}" for identity in sorted(letters - history.letters)
    ]


def _emit_mistakes(history: History, winners: Iterable[Copy]) -> list[str]:
    published = {identity for _, identity in history.copies}
    return [
        f"never emitted: {event.identity}"
        for copy in winners
        for event in copy.decided.emits
        if event.identity not in published and _fact_of(copy) not in history.uncertain
    ]


def _fact_of(copy: Copy) -> tuple[str, str]:
    return copy.decided.outcome.fact.collection, copy.decided.event.identity


class Expected(msgspec.Struct):
    """A document as it must be, and who wrote it."""

    document: dict[str, Any]
    feeders: dict[tuple[str, int], str] = msgspec.field(default_factory=dict)
    """By topic and partition, the last value each set."""
    uncertain: bool = False


def _document_mistakes(history: History, winners: Iterable[Copy], documents: Documents) -> list[str]:
    expected: dict[tuple[str, str], Expected] = {}
    early: dict[tuple[str, str], set[str]] = {}
    for copy in winners:
        _count(expected, early, copy, uncertain=_fact_of(copy) in history.uncertain)
    _count_inboxes(expected)
    found = []
    for collection in (*DOCUMENTS, ENTRIES):
        for key in documents.get(collection, {}).keys() | {k for c, k in expected if c == collection}:
            wanted = expected.get((collection, key))
            is_there = documents.get(collection, {}).get(key)
            found += [f"{collection}/{key}: {text}" for text in _differences(wanted, is_there)]
    return found


def _count(
    expected: dict[tuple[str, str], Expected], early: dict[tuple[str, str], set[str]], copy: Copy, *, uncertain: bool
) -> None:
    """The meaning of an event: its effects, one after another, on the documents as they are.

    `early`: the fences of marks that came before their fact.
    """
    collection, identity = _fact_of(copy)
    if collection == ENTRIES:
        # An early mark of another creation finds it after all, if it is folded once more.
        uncertain |= not early.get((collection, identity), set()) <= {copy.log.fence}
        origin = {"fence": copy.log.fence, "offset": copy.decided.offset}
        body = {"_id": identity, "origin": origin, **copy.decided.outcome.fact.body}
        expected[collection, identity] = Expected(body, uncertain=uncertain)
    for effect in copy.decided.outcome.effects:
        place = effect.collection, effect.key
        if effect.create or place in expected:
            wanted = expected.setdefault(place, Expected({"_id": effect.key}))
            wanted.uncertain |= uncertain
            _change(wanted, copy, stamp(effect.change, copy.decided.offset))
        else:
            early.setdefault(place, set()).add(copy.log.fence)


def _change(wanted: Expected, copy: Copy, effects: Change) -> None:
    document = wanted.document
    fences = document.setdefault("fence", {})
    fences[copy.log.fence] = max(fences.get(copy.log.fence, -1), copy.decided.offset)
    for path, effect in effects.items():
        if isinstance(effect, Recount | IncAbove):
            continue  # counted once all is known
        place, field = (document.setdefault("n", {}), path[2:]) if path.startswith("n.") else (document, path)
        place[field] = apply(effect, place.get(field, ABSENT))
        if path == "last":
            wanted.feeders[copy.log.topic, copy.log.partition] = document["last"]


def _count_inboxes(expected: Mapping[tuple[str, str], Expected]) -> None:
    """By the entries alone: what is not gone is kept, and unread where it is later than what has been read."""
    entries = [wanted.document for (collection, _), wanted in expected.items() if collection == ENTRIES]
    for (collection, key), wanted in expected.items():
        if collection != INBOXES:
            continue
        inbox = wanted.document
        kept = [entry for entry in entries if entry["key"] == key and not entry["gone"]]
        read = inbox.get("read_up_to")
        inbox["kept"] = len(kept)
        inbox["unread"] = sum(read is None or entry["at"] > read for entry in kept)


def _differences(wanted: Expected | None, document: dict[str, Any] | None) -> list[str]:
    if wanted is None:
        return [f"nothing should have written it: {document}"]
    if document is None:
        return [] if wanted.uncertain else ["lost"]
    if wanted.uncertain:
        return [
            f"{field} is {value}" for field, value in flat(document).items() if field.startswith("n.") and value != 1
        ]
    fields, should = flat(document), flat(wanted.document)
    # A count that nothing has touched may be left out.
    for name in ("kept", "unread"):
        if not should.get(name, 0):
            should.pop(name, None), fields.get(name) or fields.pop(name, None)
    if len(wanted.feeders) > 1:
        # Fed by several partitions: any of them may have been last, and what order decides is open.
        fields.pop("balance", None), should.pop("balance", None), should.pop("last", None)
        last = fields.pop("last", None)
        if last not in wanted.feeders.values():
            return [f"last is {last!r}, not the last of any partition: {wanted.feeders}"]
    return _unequal(should, fields)


def _unequal(should: Mapping[str, Any], fields: Mapping[str, Any]) -> list[str]:
    return [
        f"{field} is {fields.get(field)!r}, should be {should.get(field)!r}"
        for field in sorted(should.keys() | fields.keys())
        if fields.get(field) != should.get(field)
    ]
