"""Call records in the simulated store, with its guarantees and no others."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from handlers.usage.records import USAGE_RECORDS, Stored, stored_of
from schemas.errors import StoreAway
from stores.usage.store import Given, NewRecord, Revision
from tests.simulation.sim_store import Bulk, Document, Look, SimStore, Write


class SimRecords:
    """`stores.usage.store.UsageStore` over the documents of a simulated store."""

    def __init__(self, store: SimStore) -> None:
        self._store = store

    async def insert(self, records: Sequence[NewRecord]) -> dict[str, Stored | None]:
        refused = [records[index] for index in await self._store.bulk([self._inserter(record) for record in records])]
        if not refused:
            return {}
        there = await self._stored([record.seq_no for record in refused], self._store.lasting)
        for record in refused:
            present = self._store.present(USAGE_RECORDS, record.seq_no)
            if record.seq_no not in there and ("free" not in record.body or present is not None):
                raise StoreAway("simulated: what was there is not there to stay")
        return {record.seq_no: there.get(record.seq_no) for record in refused}

    async def stored(self, seq_nos: Sequence[str]) -> dict[str, Stored]:
        return await self._stored(seq_nos, self._store.present)

    async def settled(self, seq_nos: Sequence[str]) -> dict[str, Stored]:
        return await self._stored(seq_nos, self._store.lasting)

    async def document(self, seq_no: str) -> Mapping[str, Any] | None:
        return (await self._found([seq_no], self._store.present)).get(seq_no)

    async def given(self, grants: Sequence[str]) -> dict[str, Given]:
        present = await self.given_as(grants, self._store.present)
        if present != await self.given_as(grants, self._store.lasting):
            raise StoreAway("simulated: given just now")
        return present

    async def given_as(self, grants: Sequence[str], look: Look) -> dict[str, Given]:
        found: dict[str, Given] = {}

        async def read(_bulk: Bulk) -> bool:
            seen = [look(USAGE_RECORDS, seq_no) for seq_no in self._store.documents(USAGE_RECORDS)]
            free = [record["free"] for record in seen if record is not None and "free" in record]
            for grant in grants:
                numbers = {call["no"] for call in free if call["grant"] == grant}
                highest = max(numbers, default=0)
                found[grant] = Given(highest, [number for number in range(1, highest) if number not in numbers])
            return True

        await self._store.bulk([read])
        return found

    async def revise(self, revision: Revision) -> bool:
        async def write(bulk: Bulk) -> bool:
            record = self._store.present(USAGE_RECORDS, revision.seq_no)
            if record is None or record.get("revision", 0) != revision.number:
                return False
            if self.given_away(revision.seq_no, revision.sets):
                return False
            self._store.touch(bulk, USAGE_RECORDS, revision.seq_no)
            for path in revision.unsets:
                _put(record, path, None)
            for path, value in revision.sets.items():
                _put(record, path, deepcopy(value))
            record["revision"] = revision.number + 1
            record.setdefault("changes", []).append(deepcopy(dict(revision.change)))
            return True

        return not await self._store.bulk([write])

    async def _stored(self, seq_nos: Sequence[str], look: Look) -> dict[str, Stored]:
        return {seq_no: stored_of(record) for seq_no, record in (await self._found(seq_nos, look)).items()}

    async def _found(self, seq_nos: Sequence[str], look: Look) -> dict[str, Document]:
        found: dict[str, Document] = {}

        async def read(_bulk: Bulk) -> bool:
            for seq_no in seq_nos:
                record = look(USAGE_RECORDS, seq_no)
                if record is not None:
                    found[seq_no] = deepcopy(record)
            return True

        await self._store.bulk([read])
        return found

    def _inserter(self, record: NewRecord) -> Write:
        async def write(bulk: Bulk) -> bool:
            if self._store.present(USAGE_RECORDS, record.seq_no) is not None:
                return False
            if self.given_away(record.seq_no, record.body):
                return False
            self._store.touch(bulk, USAGE_RECORDS, record.seq_no)
            origin = {"fence": record.origin.fence, "offset": record.origin.offset}
            body = deepcopy(dict(record.body))
            self._store.documents(USAGE_RECORDS)[record.seq_no] = {"_id": record.seq_no, "origin": origin, **body}
            return True

        return write

    def given_away(self, seq_no: str, body: Mapping[str, Any]) -> bool:
        """What the unique index refuses."""
        free = body.get("free")
        return free is not None and any(
            record.get("free") == free for record in self._records() if record["_id"] != seq_no
        )

    def _records(self) -> list[Document]:
        return list(self._store.documents(USAGE_RECORDS).values())


def _put(document: Document, path: str, value: Any) -> None:
    """Set a field by its path, or (None) take it out."""
    *parents, field = path.split(".")
    place: Any = document
    for parent in parents:
        place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
    if value is None:
        place.pop(field, None)
    else:
        place[field] = value
