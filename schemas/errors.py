"""What can go wrong, and who deals with it.

FanfoldError
├── Refused         the caller's fault: answered in the system's envelope, nothing published
├── Poison          this event can never be folded: dead letter with its origin, go on
├── Transient       may work later: wait, repeat, commit nothing
│   ├── BrokerAway
│   └── StoreAway
└── Halted          too much poison: the partition stops where it stands and says so

Anything else is a bug: a worker ends loudly, and a restart is safe; the gateway answers 500.
"""


class FanfoldError(Exception):
    """Root of everything this project raises on purpose."""


class Refused(FanfoldError):
    """A request that is answered with an error and leaves no trace behind.

    `reason` is one of `schemas.refusals.REASONS` (it is a metric label and picks
    the system's code); the message tells the caller what to mend.
    """

    http_status: int | None = None
    """Where it is not the reason's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Poison(FanfoldError):
    """An event that would fail the same way every time. `reason` is a metric label."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Transient(FanfoldError):
    """May work later; whoever catches it repeats the same step."""


class BrokerAway(Transient):
    """Kafka cannot be reached, or did not acknowledge in time."""


class StoreAway(Transient):
    """MongoDB cannot be reached, or did not acknowledge in time."""


class Halted(FanfoldError):
    """A partition past the poison ceiling; an operator or a new release must look."""
