"""Circuit breaker of a lane: after a run of failures it is left alone, then tried with one attempt."""


class Breaker:
    """Times are monotonic seconds."""

    def __init__(self, failures: int, seconds: float) -> None:
        self._ceiling = failures
        self._seconds = seconds
        self._run = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether the lane is being left alone, or tried with one attempt."""
        return self._opened_at is not None

    def allows(self, now: float) -> bool:
        """Whether an attempt may start. Once it does, say so with `started`."""
        if self._opened_at is None:
            return True
        return not self._probing and now - self._opened_at >= self._seconds

    def started(self) -> None:
        self._probing = self.open

    def succeeded(self) -> None:
        self._run, self._opened_at, self._probing = 0, None, False

    def failed(self, now: float) -> None:
        self._run += 1
        if self._probing or (self._opened_at is None and self._run >= self._ceiling):
            self._opened_at = now
        self._probing = False

    def closes_in(self, now: float) -> float:
        """Seconds until the next attempt is let through."""
        return 0.0 if self._opened_at is None else max(0.0, self._opened_at + self._seconds - now)
