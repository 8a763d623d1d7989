"""Which offsets of a partition are dealt with: the one to commit is below all that are not."""

import heapq


class Offsets:
    """Offsets are taken in hand in order and settled in any order."""

    def __init__(self, next_offset: int) -> None:
        self._read_to = next_offset
        self._open: list[int] = []
        self._settled: set[int] = set()

    def read(self, offset: int) -> None:
        """It is in hand; nothing past it is committed until it is settled."""
        heapq.heappush(self._open, offset)

    def settle(self, offset: int) -> None:
        self._settled.add(offset)

    def pass_over(self, next_offset: int) -> None:
        """Everything before `next_offset` is dealt with, but for what is in hand."""
        self._read_to = max(self._read_to, next_offset)

    @property
    def next_offset(self) -> int:
        """What may be committed."""
        while self._open and self._open[0] in self._settled:
            self._settled.discard(heapq.heappop(self._open))
        return min(self._open[0], self._read_to) if self._open else self._read_to
