"""Which free calls of grants are still to be given, for the one worker that holds their partition.

The records say which were given; it is read once for each grant and then remembered. Somebody
who gives beside us (a worker that lost the partition and does not know) is met by the unique
index: then all is forgotten and read again.
"""

from bisect import insort
from collections.abc import Iterable

from stores.usage.store import Given, UsageStore


class FreeCalls:
    def __init__(self, store: UsageStore) -> None:
        self._store = store
        self._given: dict[str, Given] = {}

    async def know(self, grants: Iterable[str]) -> None:
        """Read what is not known yet. Raises StoreAway."""
        unknown = sorted(set(grants) - self._given.keys())
        if unknown:
            self._given.update(await self._store.given(unknown))

    def left(self, grant: str, limit: int) -> bool:
        """Whether one up to `limit` is still to be given; true where that is not known."""
        given = self._given.get(grant)
        return given is None or given.highest < limit or any(no <= limit for no in given.gaps[:1])

    def take(self, grant: str, limit: int) -> int | None:
        """The lowest number that was not given, if it is within the limit."""
        given = self._given[grant]
        if given.gaps and given.gaps[0] <= limit:
            return given.gaps.pop(0)
        if given.highest < limit:
            given.highest += 1
            return given.highest
        return None

    def saw(self, grant: str, free_no: int) -> None:
        """One that somebody else has given since we read: a record says so."""
        given = self._given.get(grant)
        if given is None:
            return
        if free_no > given.highest:
            given.gaps.extend(range(given.highest + 1, free_no))
            given.highest = free_no
        elif free_no in given.gaps:
            given.gaps.remove(free_no)

    def give_back(self, grant: str, free_no: int) -> None:
        """One that was taken for a record that had been stored before."""
        insort(self._given[grant].gaps, free_no)

    def forget(self) -> None:
        self._given.clear()
