"""Error alerts: when failures become an episode, when it is over, and who is told. Pure.

A rule says: so many failures (`errors`) within `period`. At a moment t the window is (t - period, t].
A moment at which it holds `errors` failures or more is hot. From the first hot moment on there is a
burst; it is over as soon as the window holds fewer than half as many (`Rule.calm`), so that an alert
that stands at its limit is not raised with every failure. Times are those of the calls, in milliseconds
since 1970, and so it does not matter in which order, or how late, failures are heard of.

What follows from the failures alone are bursts. Episodes are what was told to people: a burst is told
once, what was told stays told, and what comes late is told where it was not.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from handlers.outcome import Emit, Outcome
from schemas.alert import AlertClosed, AlertRaised
from schemas.events import Event
from schemas.push import PushRequested

BUCKET_MS = 10_000
"""Failures are kept in buckets of this length; no period is shorter (schemas.mt.alerts)."""
KEPT = 6
"""So many times as many failures as raise an alert are kept of an account and product, the newest."""


class Rule(msgspec.Struct, frozen=True):
    errors: int
    period_ms: int
    since_ms: int = 0
    """Nothing hot before it is told: it is when the rule was set."""

    @property
    def calm(self) -> int:
        """With fewer failures in the window, a burst is over."""
        return (self.errors + 1) // 2


class Burst(msgspec.Struct, frozen=True):
    """From its first hot moment to the moment when it is over, which the failures known so far tell."""

    hot: tuple[tuple[int, int], ...]
    """Its hot moments, ascending, with the failures in the window then."""
    over_ms: int

    @property
    def from_ms(self) -> int:
        return self.hot[0][0]


class Episode(msgspec.Struct, frozen=True):
    """A burst as it was told. Numbers ascend."""

    number: int
    opened_ms: int
    closed_ms: int | None = None


class Opened(msgspec.Struct, frozen=True):
    number: int
    opened_ms: int
    errors: int
    """Failures in the window at that moment."""


class Closed(msgspec.Struct, frozen=True):
    number: int
    closed_ms: int


Move = Opened | Closed


def bursts(times: Sequence[int], rule: Rule) -> list[Burst]:
    """All bursts of these failures (ascending)."""
    found: list[Burst] = []
    hot: list[tuple[int, int]] = []
    left = 0
    for index, at in enumerate(times):
        if hot and (over := times[index - rule.calm] + rule.period_ms) < at:
            found.append(Burst(tuple(hot), over))
            hot = []
        while times[left] <= at - rule.period_ms:
            left += 1
        if (count := index - left + 1) >= rule.errors:
            hot.append((at, count))
    if hot:
        found.append(Burst(tuple(hot), times[-rule.calm] + rule.period_ms))
    return found


def settle(times: Sequence[int], rule: Rule, told: Sequence[Episode], reached_ms: int) -> list[Move]:
    """What is to be told besides what was told, in order. Told again with it, there is nothing more.

    `reached_ms`: up to there all failures are thought to be known, so a burst that is over by then
    can be closed. One that another follows is over in any case.
    """
    found = bursts(times, rule)
    moves: list[Move] = []
    known = list(told)
    for index, episode in enumerate(known):
        if episode.closed_ms is None and (over := _over(episode, found, rule, reached_ms)) is not None:
            known[index] = Episode(episode.number, episode.opened_ms, over)
            moves.append(Closed(episode.number, over))
    number = max((episode.number for episode in known), default=0)
    for index, burst in enumerate(found):
        untold = next(
            ((at, count) for at, count in burst.hot if at >= rule.since_ms and not _is_told(at, burst, known)), None
        )
        if untold is None:
            continue
        number += 1
        moves.append(Opened(number, *untold))
        over = burst.over_ms if burst.over_ms <= reached_ms or index + 1 < len(found) else None
        known.append(Episode(number, untold[0], over))
        if over is not None:
            moves.append(Closed(number, over))
    return moves


def _over(episode: Episode, found: Sequence[Burst], rule: Rule, reached_ms: int) -> int | None:
    """When an open episode ended; None while it lasts."""
    own = next((index for index, burst in enumerate(found) if burst.over_ms > episode.opened_ms), None)
    if own is None:
        # Its failures are known no more, or the rule was made milder.
        gone = episode.opened_ms + rule.period_ms
        return gone if gone <= reached_ms else None
    over = found[own].over_ms
    return over if over <= reached_ms or own + 1 < len(found) else None


def _is_told(at: int, burst: Burst, known: Iterable[Episode]) -> bool:
    for episode in known:
        # Late failures may show that its burst had begun earlier.
        within = burst.from_ms <= episode.opened_ms < burst.over_ms
        start = burst.from_ms if within else episode.opened_ms
        if start <= at and (episode.closed_ms is None or at < episode.closed_ms):
            return True
    return False


class Failures:
    """The failures of one account and product that may still matter, each once by its number.

    Bounded: of a bucket the oldest and the newest are kept, each as many as raise an alert (they alone are
    a hot moment, since no period is shorter than a bucket, and no burst ends between them), and of all
    buckets the newest.
    """

    def __init__(self, buckets: Mapping[int, Mapping[str, int]] | None = None) -> None:
        self._buckets = {start: dict(bucket) for start, bucket in (buckets or {}).items()}
        self._times = sorted(at for bucket in self._buckets.values() for at in bucket.values())

    @property
    def times(self) -> Sequence[int]:
        """Ascending."""
        return self._times

    def bucket(self, start_ms: int) -> dict[str, int]:
        """Number to time."""
        return dict(self._buckets[start_ms])

    def add(self, number: str, at_ms: int, rule: Rule) -> int | None:
        """The start of the bucket that took it; None where it is known already, or one of too many."""
        start = at_ms // BUCKET_MS * BUCKET_MS
        bucket = self._buckets.setdefault(start, {})
        if number in bucket:
            return None
        bucket[number] = at_ms
        insort(self._times, at_ms)
        if len(bucket) > 2 * rule.errors:
            middle = sorted(bucket, key=lambda each: bucket[each])[rule.errors]
            del self._times[bisect_left(self._times, bucket.pop(middle))]
        return start if number in bucket else None

    def shed(self, rule: Rule, before_ms: int) -> list[int]:
        """Forget what ended before, and the oldest of what is too many; the starts of the buckets that went."""
        gone: list[int] = []
        left = len(self._times)
        crowded = left > KEPT * rule.errors
        for start in sorted(self._buckets):
            size = len(self._buckets[start])
            if start + BUCKET_MS > before_ms and not (crowded and left - size >= KEPT // 2 * rule.errors):
                break
            gone.append(start)
            left -= size
        for start in gone:
            del self._buckets[start]
        if gone:
            del self._times[: bisect_left(self._times, gone[-1] + BUCKET_MS)]
        return gone


def tell_raised(_: Event, alert: AlertRaised) -> Outcome:
    """A push to each contact of the rule; the text is the template's."""
    fields: dict[str, str | int] = {
        "product": alert.product,
        "item": alert.item,
        "dept_id": alert.dept_id,
        "errors": alert.errors,
        "period_seconds": alert.period_seconds,
        "episode": alert.episode,
    }
    return Outcome(emits=_pushes("alert.raised", alert, fields))


def tell_closed(_: Event, alert: AlertClosed) -> Outcome:
    fields: dict[str, str | int] = {
        "product": alert.product,
        "item": alert.item,
        "dept_id": alert.dept_id,
        "episode": alert.episode,
    }
    return Outcome(emits=_pushes("alert.closed", alert, fields))


def _pushes(kind: str, alert: AlertRaised | AlertClosed, fields: Mapping[str, str | int]) -> tuple[Emit, ...]:
    return tuple(
        Emit(
            f"push/{recipient}",
            "push.requested",
            recipient,
            PushRequested(
                recipient=recipient,
                kind=kind,
                fields=dict(fields),
                urgency="high",
                # The end of an episode is not to overtake its beginning.
                ordered_by=f"alert/{alert.dept_id}/{alert.item}"[:256],
            ),
        )
        for recipient in alert.recipients
    )
