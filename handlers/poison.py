"""When poison is not a bad event but a bad release: the ceiling past which a partition stops."""

from collections import deque


class PoisonGauge:
    """Share and run of poison in the events a partition has seen lately."""

    def __init__(self, *, run: int, window: int, share: float) -> None:
        self._run_ceiling = run
        self._share_ceiling = share
        self._recent: deque[bool] = deque(maxlen=window)
        self._poison = 0
        self._run = 0

    def observe(self, poisoned: bool) -> bool:
        """Count one event; True once the ceiling is passed."""
        if len(self._recent) == self._recent.maxlen:
            self._poison -= self._recent[0]
        self._recent.append(poisoned)
        self._poison += poisoned
        self._run = self._run + 1 if poisoned else 0
        full = len(self._recent) == self._recent.maxlen
        return self._run >= self._run_ceiling or (full and self._poison >= self._share_ceiling * len(self._recent))
