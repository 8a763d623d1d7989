"""What follows from an attempt: delivered, another one later, or given up. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from schemas.delivery import State

Came = Literal["delivered", "retry", "refused", "gone"]
JITTER = 0.1
"""Each wait is varied by so much of itself, so that what failed together does not come back together."""


class Follows(msgspec.Struct, frozen=True):
    """The state a delivery has after an attempt. `reason` says why it is dead."""

    state: State
    due_at: datetime | None = None
    reason: str | None = None


def after_attempt(
    came: Came,
    failures: int,
    schedule_seconds: Sequence[float],
    now: datetime,
    *,
    chance: float,
    retry_after_seconds: float | None = None,
) -> Follows:
    """`failures` counts those before this attempt; `chance` from 0 to 1 picks the jitter."""
    match came:
        case "delivered":
            return Follows(State.DELIVERED)
        case "refused" | "gone":
            return Follows(State.DEAD, reason=came)
        case "retry":
            due_at = next_attempt(schedule_seconds, failures, now, chance, retry_after_seconds)
            return Follows(State.DEAD, reason="exhausted") if due_at is None else Follows(State.WAITING, due_at)


def next_attempt(
    schedule_seconds: Sequence[float],
    failures: int,
    now: datetime,
    chance: float,
    retry_after_seconds: float | None = None,
) -> datetime | None:
    """When to try again after one failure more; None when the schedule is used up.

    What the receiver asks for is never undercut, and never stretches the wait past
    the longest of the schedule: a receiver could hold a delivery for ever.
    """
    if failures >= len(schedule_seconds):
        return None
    wait = schedule_seconds[failures] * (1 + JITTER * (2 * chance - 1))
    if retry_after_seconds is not None:
        wait = max(wait, min(retry_after_seconds, max(schedule_seconds)))
    return now + timedelta(seconds=wait)
