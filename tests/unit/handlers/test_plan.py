"""Decisions: the same for a record on every redelivery; what cannot be folded is poison, never an exception."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.topics import MAX_RECORD_BYTES
from handlers.effects import ABSENT, Change, Effect, Inc, Set, apply
from handlers.letters import letter_for
from handlers.outcome import MAX_FOLDED_BYTES, Emit, Outcome, Route
from handlers.plan import Decided, Planner, Poisoned, pending_by_document, split
from handlers.routes import ROUTES
from schemas.cloudevents import encode_headers
from schemas.events import Event, Headers, LogId, Record

MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)
LOG = LogId("facts", "c1", 0)


class Counted(msgspec.Struct, frozen=True):
    key: str
    by: int


def fold_counted(_event: Event, counted: Counted) -> Outcome:
    if counted.by == 13:
        raise RuntimeError("a handler with a bug")
    effect = Effect("counts", counted.key, {"n": Inc(counted.by)})
    return Outcome(effects=(effect, effect), emits=(Emit("copy", "copied", counted.key, counted),))


PLANNER = Planner({"counted": Route(Counted, fold_counted)})
PLANNER_OF_LETTERS = Planner({"event.dead-lettered": ROUTES["event.dead-lettered"]})
GOOD = b'{"key":"a","by":1}'


def an_event(data: bytes = b'{"key":"a","by":1}', *, kind: str = "counted", event_id: str = "1") -> Event:
    return Event(id=event_id, source="test", type=kind, subject="a", time=MORNING, data=data, traceparent="00-a-b-01")


def a_record(event: Event, offset: int = 0) -> Record:
    return Record("facts", 0, offset, 0, b"a", event.data, encode_headers(event))


def test_an_event_becomes_what_its_handler_says_and_the_events_it_emits() -> None:
    decided = PLANNER.decide(a_record(an_event(), offset=4))

    assert isinstance(decided, Decided)
    assert decided.offset == 4
    assert decided.outcome == fold_counted(an_event(), Counted("a", 1))
    (emitted,) = decided.emits
    assert (emitted.identity, emitted.type, emitted.subject) == ("fanfold/test/1#copy", "copied", "a")
    assert (emitted.time, emitted.traceparent) == (MORNING, "00-a-b-01")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record("facts", 0, 0, 0, None, b"\xff", ()), "not_a_cloudevent"),
        (Record("facts", 0, 0, 2**63 - 1, None, None, ()), "not_a_cloudevent"),
        (a_record(an_event(event_id="")), "not_a_cloudevent"),
        (a_record(an_event(event_id="x" * 513)), "not_a_cloudevent"),
        (a_record(an_event(kind="unheard-of")), "unknown_type"),
        (a_record(an_event(b"{")), "bad_payload"),
        (a_record(an_event(b'{"key":1,"by":1}')), "bad_payload"),
        (a_record(an_event(b"[" * 100_000)), "bad_payload"),
        (a_record(an_event(b'{"key":"\xff","by":1}')), "bad_payload"),
        (a_record(an_event(b'{"key":"a","by":13}')), "handler_failed"),
    ],
)
def test_a_record_that_cannot_be_folded_is_poison_and_can_be_set_aside(record: Record, reason: str) -> None:
    poisoned = PLANNER.decide(record)

    assert isinstance(poisoned, Poisoned)
    assert poisoned.reason == reason
    assert letter_for(poisoned, LOG) == letter_for(PLANNER.decide(record), LOG)
    assert isinstance(PLANNER_OF_LETTERS.decide(a_record(letter_for(poisoned, LOG))), Decided)


def test_an_event_too_large_for_a_document_is_poison() -> None:
    padding = b" " * MAX_FOLDED_BYTES

    poisoned = PLANNER.decide(a_record(an_event(GOOD + padding)))

    assert isinstance(poisoned, Poisoned)
    assert poisoned.reason == "too_large"


@pytest.mark.parametrize(
    "record",
    [
        Record("t" * 249, 0, 2**40, 2**62, None, b"\xff" * (MAX_FOLDED_BYTES - 100), (("x", b"y"),)),
        Record("t" * 249, 0, 2**40, 2**62, b"\xff" * 5 * MAX_FOLDED_BYTES, b"", ()),
        Record("t" * 249, 0, 2**40, 2**62, None, b"", (("", None),) * 150_000),
        Record("t" * 249, 0, 2**40, 2**62, None, b"", (("", None),) * 2_000_000),
    ],
    ids=["largest kept", "too large", "most headers kept", "too many headers"],
)
def test_a_letter_fits_into_its_topic_whatever_is_set_aside(record: Record) -> None:
    letter = letter_for(PLANNER.decide(record), LogId("t" * 249, "c" * 32, 0))

    assert a_record(letter).size + 1024 < MAX_RECORD_BYTES
    assert isinstance(PLANNER_OF_LETTERS.decide(a_record(letter)), Decided)


def test_an_event_with_the_longest_ids_emits_events_that_can_be_folded() -> None:
    cause = msgspec.structs.replace(an_event(event_id="x" * 512), source="s" * 512)

    first, second = (PLANNER.decide(a_record(cause)) for _ in range(2))

    assert first.emits == second.emits
    assert 0 < len(first.emits[0].id) <= 512


headers: st.SearchStrategy[Headers] = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_source", "ce_type", "ce_specversion", "ce_time", "content-type", "x"]),
        st.none() | st.binary(max_size=9) | st.sampled_from([b"1.0", b"counted", b"application/cloudevents+json"]),
    ),
    max_size=8,
)


@given(headers, st.none() | st.binary(), st.none() | st.binary(), st.integers(-(2**63), 2**63 - 1))
def test_whatever_is_in_a_record_it_is_decided_the_same_way_twice(
    headers: Headers, key: bytes | None, value: bytes | None, timestamp_ms: int
) -> None:
    record = Record("facts", 0, 0, timestamp_ms, key, value, headers)

    assert PLANNER.decide(record) == PLANNER.decide(record)


changes = st.dictionaries(
    st.sampled_from("xyz"), st.builds(Inc, st.integers(-9, 9)) | st.builds(Set, st.integers(-9, 9))
)
effects = st.builds(Effect, st.sampled_from(["c", "d"]), st.sampled_from(["1", "2"]), changes)
batches = st.lists(st.lists(effects, max_size=3), max_size=6)


def decisions(batch: Sequence[Sequence[Effect]]) -> list[Decided]:
    return [
        Decided(offset, an_event(event_id=str(offset)), Outcome(effects=tuple(effects)), ())
        for offset, effects in enumerate(batch, 10)
    ]


def changed(document: dict[str, Any], change: Change) -> dict[str, Any]:
    return document | {field: apply(effect, document.get(field, ABSENT)) for field, effect in change.items()}


@given(batches)
def test_each_document_gets_its_changes_once_in_log_order_whole_or_offset_by_offset(batch: list[list[Effect]]) -> None:
    expected: dict[tuple[str, str], dict[str, Any]] = {}
    for effect in (effect for effects in batch for effect in effects):
        place = effect.collection, effect.key
        expected[place] = changed(expected.get(place, {}), effect.change)

    pending = {
        (collection, document.key): document
        for collection, documents in pending_by_document(decisions(batch)).items()
        for document in documents
    }

    assert {place: changed({}, document.merged()) for place, document in pending.items()} == expected
    assert {p: reduce(changed, (c for _, c in doc.parts), {}) for p, doc in pending.items()} == expected


@given(batches)
def test_each_offset_is_one_part_of_a_document_in_ascending_order(batch: list[list[Effect]]) -> None:
    for documents in pending_by_document(decisions(batch)).values():
        for document in documents:
            offsets = [offset for offset, _ in document.parts]
            assert offsets == sorted(set(offsets))
            assert (document.first, document.last) == (offsets[0], offsets[-1])


@given(batches, st.integers(8, 18))
def test_cut_at_an_offset_the_rest_is_what_comes_after_it(batch: list[list[Effect]], offset: int) -> None:
    for documents in pending_by_document(decisions(batch)).values():
        for document in documents:
            rest = document.after(offset)

            later = [part for part in document.parts if part[0] > offset]
            assert (rest.key, rest.parts) == (document.key, later) if rest is not None else not later


def test_decisions_and_poison_are_told_apart_in_order() -> None:
    steps = [PLANNER.decide(a_record(an_event(data), offset)) for offset, data in enumerate((b"{", GOOD, b"[", GOOD))]

    decided, poisoned = split(steps)

    assert [step.offset for step in decided] == [1, 3]
    assert [step.record.offset for step in poisoned] == [0, 2]
