"""Telegram chats: whose each is, in whatever order it is heard, and what is answered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from handler_events import an_event
from hypothesis import given
from hypothesis import strategies as st

from config.topics import EVENT_TYPES
from handlers.effects import ABSENT, Latest, apply, merge, stamp
from handlers.outcome import Outcome, emitted_event
from handlers.routes import ROUTES
from handlers.tg import ANSWERS, CHATS, answer_refused, fold_bound, fold_unbound, right_after, unbinding, whole_second
from schemas.delivery import DeliveryPlanned
from schemas.tg import TelegramBound, TelegramLinkRefused, TelegramUnbound

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def a_binding(**fields: Any) -> TelegramBound:
    return TelegramBound(**{"chat_id": "42", "customer": "c1", "company": "5", "seq": 20, **fields})


def an_unbinding(reason: Any = "stopped", **fields: Any) -> TelegramUnbound:
    return TelegramUnbound(**{"chat_id": "42", "reason": reason, "seq": 22, **fields})


def answer_of(outcome: Outcome) -> DeliveryPlanned:
    [emit] = outcome.emits
    assert (emit.type, emit.subject) == ("delivery.planned", emit.payload.lane)
    # As the dispatcher reads it.
    return msgspec.json.decode(msgspec.json.encode(emit.payload), type=DeliveryPlanned)


def test_a_binding_is_the_newest_word_on_the_chat_and_its_person() -> None:
    event = an_event(type="telegram.bound", time=START)

    [effect] = fold_bound(event, a_binding(first_name="Lei", username="lei", language="zh")).effects

    assert (effect.collection, effect.key) == (CHATS, "42")
    assert effect.change == {
        "binding": Latest(START, {"customer": "c1", "company": "5", "language": "zh"}, 20),
        "person": Latest(START, {"first_name": "Lei", "last_name": None, "username": "lei"}, 20),
    }


@pytest.mark.parametrize("reason", ["stopped", "blocked", "unbound"])
def test_an_unbound_chat_has_no_customer_by_whom_it_would_be_found(reason: Any) -> None:
    [effect] = fold_unbound(an_event(time=START), an_unbinding(reason, customer="c1")).effects

    binding = effect.change["binding"]
    assert binding == unbinding(START, 22, reason, "c1")
    assert isinstance(binding, Latest)
    assert "customer" not in binding.value


def test_a_chat_is_told_that_it_is_bound_by_a_delivery_to_it() -> None:
    event = an_event(id="hash", source="tg-binding", type="telegram.bound", time=START)

    answer = answer_of(fold_bound(event, a_binding(language="zh")))

    assert answer == DeliveryPlanned(
        id=answer.id,
        lane="telegram/all",
        push="tg-binding/hash",
        recipient="customer/c1",
        channel="telegram",
        target="42",
        kind="telegram.bound",
        body=ANSWERS["bound"]["zh"],
        language="zh",
        requested_at=START,
    )


def test_a_repeat_of_the_fact_makes_the_same_delivery_and_another_fact_another() -> None:
    def made(event_id: str) -> tuple[str, str]:
        event = an_event(id=event_id)
        outcome = fold_bound(event, a_binding())
        return emitted_event(event, outcome.emits[0]).identity, answer_of(outcome).id

    assert made("a") == made("a")
    assert not set(made("a")) & set(made("b"))


def test_who_says_stop_is_answered_and_who_cannot_or_need_not_hear_it_is_not() -> None:
    answer = answer_of(fold_unbound(an_event(type="telegram.unbound"), an_unbinding("stopped", language="zh")))
    assert (answer.target, answer.kind, answer.body) == ("42", "telegram.unbound", ANSWERS["stopped"]["zh"])

    for reason in ("blocked", "unbound"):
        assert fold_unbound(an_event(), an_unbinding(reason)).emits == ()


@pytest.mark.parametrize("reason", ["missing", "unknown", "expired", "used"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_link_that_is_not_good_changes_no_chat_and_is_answered(reason: Any, language: Any) -> None:
    refused = TelegramLinkRefused(chat_id="42", reason=reason, language=language)

    outcome = answer_refused(an_event(type="telegram.link-refused"), refused)

    assert outcome.effects == ()
    assert answer_of(outcome).body == ANSWERS[reason][language]


def test_every_answer_is_there_in_both_languages() -> None:
    assert all(answer.keys() == {"en", "zh"} and all(answer.values()) for answer in ANSWERS.values())


def test_facts_about_chats_can_be_published_by_fanfold_alone() -> None:
    assert all(kind.internal for name, kind in EVENT_TYPES.items() if name.startswith("telegram."))


# ---- order ----------------------------------------------------------------------------------------------------------


class Told(msgspec.Struct, frozen=True):
    """A word on one chat, as an event."""

    at: datetime
    payload: TelegramBound | TelegramUnbound


def change_of(told: Told, offset: int) -> Latest:
    event_type = "telegram.bound" if isinstance(told.payload, TelegramBound) else "telegram.unbound"
    [effect] = ROUTES[event_type].fold(an_event(time=told.at, type=event_type), told.payload).effects
    change = stamp(effect.change, offset)["binding"]
    assert isinstance(change, Latest)
    return change


@st.composite
def histories(draw: st.DrawFn) -> list[Told]:
    """What one chat said, in order: seconds that pass or not, numbers of updates that grow."""
    told, second, update = [], 0, 1
    for _ in range(draw(st.integers(1, 8))):
        second += draw(st.integers(0, 2))
        update += draw(st.integers(1, 3))
        customer = draw(st.sampled_from(["c1", "c2", None]))
        at = START + timedelta(seconds=second)
        if customer is None:
            told.append(Told(at, an_unbinding(draw(st.sampled_from(["stopped", "blocked"])), seq=2 * update)))
        else:
            told.append(Told(at, a_binding(customer=customer, seq=2 * update)))
    return told


@given(histories(), st.data())
def test_whatever_the_order_of_arrival_and_the_repeats_the_last_word_holds(history: list[Told], data: Any) -> None:
    arrivals = data.draw(st.permutations(history + data.draw(st.lists(st.sampled_from(history), max_size=4))))

    register, merged = ABSENT, None
    for offset, told in enumerate(arrivals):
        change = change_of(told, offset)
        register = apply(change, register)
        merged = change if merged is None else merge(merged, change)

    expected = change_of(history[-1], 0).register
    assert register == expected
    assert apply(merged) == expected


@given(histories(), st.data())
def test_an_unbinding_beats_what_it_saw_and_what_was_before_and_nothing_that_comes_after(
    history: list[Told], data: Any
) -> None:
    seen = data.draw(st.integers(0, len(history) - 1))
    binding = change_of(history[seen], 0)
    assert binding.seq is not None
    # The clock here may be behind Telegram's; what is later by both is later.
    now = binding.at + timedelta(milliseconds=data.draw(st.integers(-3_000, 999)))
    at, seq = right_after(binding.at, binding.seq, now)
    assert (at, seq) > (binding.at, binding.seq)
    unbound = unbinding(at, seq, "unbound", "c1")

    register = apply(unbound, binding.register)
    assert register == unbound.register
    later = data.draw(st.permutations(history))
    for offset, told in enumerate(later):
        register = apply(change_of(told, offset), register)

    last = change_of(history[-1], 0).register
    assert register == (unbound.register if seen == len(history) - 1 else last)


def test_an_unbinding_of_a_later_second_gives_way_to_a_link_of_that_second() -> None:
    seen, now = Latest(START, {"customer": "c1"}, 20), START + timedelta(seconds=5.4)

    at, seq = right_after(seen.at, seen.seq or 0, now)

    assert at == whole_second(now) == START + timedelta(seconds=5)
    rebound = change_of(Told(at, a_binding(seq=22)), 0)
    assert apply(rebound, unbinding(at, seq, "unbound", "c1").register) == rebound.register
