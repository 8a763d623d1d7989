"""What is asked of a store of call records, beyond what every fact asks.

Each write is atomic per record and no more. So small that a simulated store can stand in
for MongoDB; both pass the same conformance tests.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from handlers.usage.records import Stored
from schemas.events import Origin


class NewRecord(msgspec.Struct, frozen=True):
    seq_no: str
    origin: Origin
    body: Mapping[str, Any]
    """As `handlers.usage.records.document_of` makes it, and what is personal, protected."""


class Given(msgspec.Struct):
    """Which of a grant's free calls have been given: 1 to `highest`, without those in `gaps`, ascending."""

    highest: int = 0
    gaps: list[int] = msgspec.field(default_factory=list)


class Revision(msgspec.Struct, frozen=True):
    """A record's next state."""

    seq_no: str
    number: int
    """How many changes the record has had before: it is written only if that is still so."""
    sets: Mapping[str, Any]
    unsets: Sequence[str]
    change: Mapping[str, Any]
    """What is put down about the change, as `handlers.usage.records.change_document` makes it."""


class UsageStore(Protocol):
    """Every method may raise StoreAway; then any part of what was asked may have been done."""

    async def insert(self, records: Sequence[NewRecord]) -> dict[str, Stored | None]:
        """Insert what is not there yet. Returns those that are not inserted.

        For a record that was there already what is stored, and will never be undone. None
        for one whose free call has been given to another.
        """
        ...

    async def stored(self, seq_nos: Sequence[str]) -> dict[str, Stored]:
        """What is there of these; nothing acknowledged is missing."""
        ...

    async def settled(self, seq_nos: Sequence[str]) -> dict[str, Stored]:
        """The same as it will never be undone; it may lag behind."""
        ...

    async def document(self, seq_no: str) -> Mapping[str, Any] | None:
        """A record whole."""
        ...

    async def given(self, grants: Sequence[str]) -> dict[str, Given]:
        """Which free calls of each of these grants were given: nothing acknowledged is missing, nothing will be undone.

        Raises StoreAway where that cannot be said yet.
        """
        ...

    async def revise(self, revision: Revision) -> bool:
        """False where the record has been changed meanwhile, or its free call has been given to another."""
        ...
