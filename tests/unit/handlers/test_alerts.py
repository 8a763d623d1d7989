"""Error alerts: bursts of failures, and the episodes that are told of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from config.templates import load_templates
from handlers.alerts import (
    BUCKET_MS,
    Burst,
    Closed,
    Episode,
    Failures,
    Move,
    Opened,
    Rule,
    bursts,
    settle,
    tell_closed,
    tell_raised,
)
from handlers.rendering import Templates
from schemas.alert import AlertClosed, AlertRaised
from schemas.events import Event

SECOND = 1_000
RULE = Rule(errors=3, period_ms=60 * SECOND)
LONG_AGO, FAR = -(10**12), 10**12


def at(*seconds: int) -> list[int]:
    return [each * SECOND for each in seconds]


def opened(number: int, second: int, errors: int = 3) -> Opened:
    return Opened(number, second * SECOND, errors)


def closed(number: int, second: int) -> Closed:
    return Closed(number, second * SECOND)


def told(known: Sequence[Episode], moves: Sequence[Move]) -> list[Episode]:
    """The episodes after these moves."""
    episodes = {episode.number: episode for episode in known}
    for move in moves:
        if isinstance(move, Opened):
            assert move.number not in episodes
            episodes[move.number] = Episode(move.number, move.opened_ms)
        else:
            assert episodes[move.number].closed_ms is None
            episodes[move.number] = Episode(move.number, episodes[move.number].opened_ms, move.closed_ms)
    return list(episodes.values())


def test_as_many_failures_as_the_rule_says_within_its_period_raise_an_alert() -> None:
    assert settle(at(0, 30, 59), RULE, [], LONG_AGO) == [opened(1, 59)]


def test_failures_that_lie_a_whole_period_apart_do_not() -> None:
    assert settle(at(0, 30, 60), RULE, [], LONG_AGO) == []


def test_an_episode_is_told_once_however_many_failures_follow() -> None:
    assert settle(at(0, 1, 2, 3, 4, 60, 61), RULE, [Episode(1, 2_000)], LONG_AGO) == []


def test_it_is_over_when_fewer_than_half_as_many_are_left_in_the_period() -> None:
    times = at(0, 10, 20)

    # Of three, two are half and more: at 70 the one of 10 is gone as well, and one is left.
    assert settle(times, RULE, [Episode(1, 20_000)], 70 * SECOND - 1) == []
    assert settle(times, RULE, [Episode(1, 20_000)], 70 * SECOND) == [closed(1, 70)]


def test_a_rule_of_one_failure_is_over_when_the_period_is_empty() -> None:
    rule = Rule(errors=1, period_ms=60 * SECOND)

    assert settle(at(5), rule, [Episode(1, 5_000)], 65 * SECOND) == [closed(1, 65)]


def test_another_burst_closes_the_one_before_it_whatever_time_is_reached() -> None:
    times = at(0, 1, 2, 200, 201, 202)

    assert settle(times, RULE, [], LONG_AGO) == [opened(1, 2), closed(1, 61), opened(2, 202)]


def test_what_was_hot_before_the_rule_was_set_is_not_told() -> None:
    rule = Rule(errors=3, period_ms=60 * SECOND, since_ms=100 * SECOND)

    assert settle(at(0, 1, 2), rule, [], FAR) == []
    assert settle(at(97, 98, 101), rule, [], LONG_AGO) == [opened(1, 101)]


def test_late_failures_that_show_that_an_episode_began_earlier_raise_nothing() -> None:
    assert settle(at(0, 1, 2, 10), RULE, [Episode(1, 10_000)], LONG_AGO) == []


def test_late_failures_in_a_quiet_time_are_an_episode_of_their_own_that_is_over() -> None:
    times = at(0, 1, 2, 500, 501, 502)

    assert settle(times, RULE, [Episode(1, 502_000)], LONG_AGO) == [opened(2, 2), closed(2, 61)]


def test_failures_that_go_on_after_people_were_told_that_it_is_over_are_told_again() -> None:
    # The one of 60 came late: it bridges what had seemed to be over at 61.
    times = at(0, 1, 2, 60, 61, 62)

    assert settle(times, RULE, [Episode(1, 2_000, 61_000)], LONG_AGO) == [Opened(2, 61_000, 3)]


def test_an_episode_whose_failures_are_known_no_more_is_over_after_its_period() -> None:
    assert settle([], RULE, [Episode(4, 10_000)], 69 * SECOND) == []
    assert settle([], RULE, [Episode(4, 10_000)], 70 * SECOND) == [closed(4, 70)]


# ---- laws -----------------------------------------------------------------------------------------------------------

rules = st.builds(Rule, errors=st.integers(1, 5), period_ms=st.integers(10, 40).map(lambda s: s * SECOND))
moments = st.lists(st.integers(0, 300).map(lambda tenth: tenth * 500), max_size=40)


def naive(times: Sequence[int], rule: Rule) -> list[tuple[int, int]]:
    """Beginning and end of every burst, by looking at the window at every moment at which it may change."""
    found: list[tuple[int, int]] = []
    begun: int | None = None
    for moment in sorted({*times, *(each + rule.period_ms for each in times)}):
        count = sum(moment - rule.period_ms < each <= moment for each in times)
        if begun is None and count >= rule.errors:
            begun = moment
        elif begun is not None and 2 * count < rule.errors:
            found.append((begun, moment))
            begun = None
    assert begun is None, "every window is empty in the end"
    return found


@given(moments, rules)
def test_bursts_are_what_looking_at_every_moment_shows(times: list[int], rule: Rule) -> None:
    assert [(burst.from_ms, burst.over_ms) for burst in bursts(sorted(times), rule)] == naive(times, rule)


@given(moments, rules)
def test_an_alert_is_raised_iff_some_window_holds_as_many_failures(times: list[int], rule: Rule) -> None:
    exists = any(sum(each - rule.period_ms < other <= each for other in times) >= rule.errors for each in times)

    assert bool(settle(sorted(times), rule, [], FAR)) == exists


@given(moments, rules, st.randoms(use_true_random=False))
def test_heard_of_in_order_episodes_are_the_bursts_whenever_one_looks(
    times: list[int], rule: Rule, random: Random
) -> None:
    known: list[Episode] = []
    heard: list[int] = []
    for each in sorted(times):
        if random.random() < 0.5:
            known = told(known, settle(heard, rule, known, each - 1))
        heard.append(each)
        known = told(known, settle(heard, rule, known, LONG_AGO))
    known = told(known, settle(heard, rule, known, FAR))

    assert [(episode.opened_ms, episode.closed_ms) for episode in known] == naive(times, rule)


@given(st.permutations(range(12)), moments, rules)
def test_heard_of_in_any_order_every_hot_moment_is_told_and_nothing_twice(
    order: list[int], times: list[int], rule: Rule
) -> None:
    known: list[Episode] = []
    heard: list[int] = []
    for each in [times[index] for index in order if index < len(times)]:
        heard = sorted([*heard, each])
        known = told(known, settle(heard, rule, known, max(heard) - 5 * SECOND))
        assert settle(heard, rule, known, max(heard) - 5 * SECOND) == []
    found = bursts(heard, rule)

    assert sum(episode.closed_ms is None for episode in known) <= 1
    for burst in found:
        assert any(_touches(burst, episode) for episode in known)


def _touches(burst: Burst, episode: Episode) -> bool:
    return episode.opened_ms < burst.over_ms and (episode.closed_ms is None or burst.from_ms < episode.closed_ms)


# ---- what is kept ---------------------------------------------------------------------------------------------------


def test_a_failure_that_is_heard_of_again_counts_once() -> None:
    failures = Failures()

    assert failures.add("a", 12_345, RULE) == BUCKET_MS
    assert failures.add("a", 12_345, RULE) is None
    assert list(failures.times) == [12_345]


def test_what_is_kept_can_be_built_again_from_its_buckets() -> None:
    failures = Failures()
    starts = {failures.add(str(number), number * 7_000, RULE) for number in range(5)}

    again = Failures({start: failures.bucket(start) for start in starts if start is not None})

    assert list(again.times) == list(failures.times)
    assert again.add("4", 28_000, RULE) is None


def test_what_is_too_old_is_forgotten_by_whole_buckets() -> None:
    failures = Failures()
    for second in (1, 11, 21):
        failures.add(str(second), second * SECOND, RULE)

    assert failures.shed(RULE, before_ms=15 * SECOND) == [0]
    assert list(failures.times) == at(11, 21)


@given(st.lists(st.integers(0, 600).map(lambda tenth: tenth * 100), max_size=120), rules)
def test_with_what_is_kept_of_very_many_failures_in_order_the_same_alerts_are_raised(
    times: list[int], rule: Rule
) -> None:
    failures = Failures()
    known: list[Episode] = []
    for number, each in enumerate(sorted(times)):
        failures.add(str(number), each, rule)
        failures.shed(rule, before_ms=LONG_AGO)
        known = told(known, settle(failures.times, rule, known, LONG_AGO))
        assert len(failures.times) <= 7 * rule.errors

    known = told(known, settle(failures.times, rule, known, FAR))

    assert [(episode.opened_ms, episode.closed_ms) for episode in known] == naive(times, rule)


# ---- who is told ----------------------------------------------------------------------------------------------------

EVENT = Event("7/idcheck/1/raised", "sentinel", "alert.raised", "7/idcheck", datetime(2026, 1, 2, tzinfo=UTC), b"")
ABOUT = {
    "merchant_id": 1,
    "dept_id": 7,
    "item": "idcheck",
    "product": "Id check",
    "episode": 1,
    "raised_at": EVENT.time,
    "recipients": ("user/alert-contact-3", "user/alert-contact-4"),
}


def test_every_contact_of_the_rule_gets_a_push() -> None:
    outcome = tell_raised(EVENT, AlertRaised(**ABOUT, errors=5, error_count=5, period_seconds=60))

    assert [emit.subject for emit in outcome.emits] == ["user/alert-contact-3", "user/alert-contact-4"]
    push = outcome.emits[0].payload
    assert push.kind == "alert.raised"
    assert push.fields["errors"] == 5


def test_the_end_is_pushed_behind_the_beginning() -> None:
    begun = tell_raised(EVENT, AlertRaised(**ABOUT, errors=5, error_count=5, period_seconds=60))
    ended = tell_closed(EVENT, AlertClosed(**ABOUT, closed_at=EVENT.time))

    assert ended.emits[0].payload.kind == "alert.closed"
    assert ended.emits[0].payload.ordered_by == begun.emits[0].payload.ordered_by


def test_the_texts_of_both_can_be_made_of_what_is_told() -> None:
    templates = Templates(load_templates())
    told_of = (
        *tell_raised(EVENT, AlertRaised(**ABOUT, errors=5, error_count=5, period_seconds=60)).emits,
        *tell_closed(EVENT, AlertClosed(**ABOUT, closed_at=EVENT.time)).emits,
    )

    for emit in told_of:
        for language in ("zh", "en"):
            title, body = templates.render(emit.payload.kind, language, emit.payload.fields, title=None, body=None)
            assert "Id check" in (title or "")
            assert body
