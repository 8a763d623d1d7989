"""Notices a partition that stands still: lag, no movement, and nobody waiting for anything."""

import msgspec


class Standing(msgspec.Struct):
    """Where a partition stood when it last moved."""

    position: int
    since: float


class Watchdog:
    """Fed with positions and ends at a steady pace; times are monotonic seconds."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience = patience_seconds
        self._standing: dict[str, Standing] = {}

    def observe(self, partition: str, position: int, end: int, *, excused: bool, now: float) -> bool:
        """True if the partition is stuck. `excused`: it waits for something known (store away, halted)."""
        standing = self._standing.get(partition)
        if standing is None or standing.position != position or excused or position >= end:
            self._standing[partition] = Standing(position, now)
            return False
        return now - standing.since >= self._patience

    def forget(self) -> None:
        """After a rebalance or restart: everything starts afresh."""
        self._standing.clear()
