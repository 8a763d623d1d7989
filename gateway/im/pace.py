"""How often a call may come: so many a second, and at most one second's worth at once."""

import time
from collections.abc import Callable, Hashable


class Pace:
    """The limits of one gateway; another gateway counts for itself.

    The generic cell rate algorithm: of each key it keeps one number, the time at which
    the calls that were let in will have been worked off.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._worked_off_at: dict[Hashable, float] = {}

    def admit(self, key: Hashable, calls_per_second: int) -> bool:
        """Whether a call may pass; one that may not does not count. 0 is no limit."""
        if calls_per_second == 0:
            return True
        now = self._clock()
        worked_off_at = max(now, self._worked_off_at.get(key, now)) + 1 / calls_per_second
        # A little more than a second: the sum of n steps of 1/n may be just above 1.
        if worked_off_at - now > 1 + 1e-6:
            return False
        self._worked_off_at[key] = worked_off_at
        return True
