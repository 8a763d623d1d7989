"""What the applier asks of a store: seven operations, each atomic per document and no more.

Kept so small that a simulated store can stand in for MongoDB in the simulation;
both pass the same conformance tests.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from handlers.effects import Change
from schemas.events import Origin


class FactDocument(msgspec.Struct, frozen=True, gc=False):
    id: str
    origin: Origin
    body: Mapping[str, Any]


class Fenced(msgspec.Struct, frozen=True, gc=False):
    """A change that folds offsets [first..last] of one partition into document `key`."""

    key: str
    fence: str
    first: int
    last: int
    change: Change
    seen: Mapping[str, int] | None = None
    """All fences of the document as `values` told them, which the change supposes; None where any will do."""


class Counted(msgspec.Struct, frozen=True):
    """Facts whose fields equal `match`, whose `field` (where one is named) is above `bound`, and which are `within`.

    Bound and fields are of one kind; a fact without the field is not above.
    """

    match: Mapping[str, Any]
    within: Mapping[str, int]
    """By fence (of one at least) the last offset that counts: facts of a batch to come may be there already."""
    field: str | None = None
    bound: Any = None


class Store(Protocol):
    """Every method may raise StoreAway; then any part of what was asked may have been done."""

    async def insert_facts(self, collection: str, facts: Sequence[FactDocument]) -> dict[str, Origin]:
        """Insert what is not there yet. Returns the stored origin of each id that was there already."""
        ...

    async def upsert_fenced(self, collection: str, updates: Sequence[Fenced]) -> list[int]:
        """Apply each change to its document, made if need be, where its fence is below `first`; set it to `last`.

        Returns the indexes of those refused: the fence has passed `first`, the fences
        are no more those that were `seen`, or another writer made the document at the
        same moment.
        """
        ...

    async def update_fenced(self, collection: str, updates: Sequence[Fenced]) -> None:
        """The same, for documents that are there; which were refused it does not say."""
        ...

    async def fences(self, collection: str, keys: Sequence[str], fence: str) -> dict[str, int]:
        """Where the fence stands in each of the documents that have it; only what can never be undone."""
        ...

    async def values(self, collection: str, keys: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Of each document that is there, which of the fields (paths) it has, all read at one moment.

        Only what can never be undone; it may lag behind. So whoever relies on it has
        the write compare what was `seen`.
        """
        ...

    async def origins(self, collection: str, ids: Sequence[str]) -> dict[str, Origin]:
        """Where each of the facts that are there came from; none that was acknowledged is missing."""
        ...

    async def count_facts(self, collection: str, asked: Sequence[Counted]) -> list[int]:
        """How many facts match each; nothing acknowledged is missing."""
        ...
