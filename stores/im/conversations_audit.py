"""Whether what is unread on each side of conversations is what the messages say.

Messages and conversations are read once each, side by side in the order of their keys: however many there are,
little is held.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import msgspec

from handlers.im.conversations import CONVERSATIONS, MESSAGES
from stores.mongo import Database, Document, translated

_MESSAGE = {"unread_in": 1, "at": 1, "withdrawn": 1}
_CONVERSATION = {"unread": 1, "read_up_to": 1}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A side whose count is not what its messages say."""

    side: str
    """APP/OWNER/PEER."""
    unread: int
    """What is written down."""
    counted: int
    read_up_to: datetime | None


class Audit(msgspec.Struct, frozen=True):
    conversations: int
    """Sides."""
    differences: list[Difference]


async def audit_unread(database: Database) -> Audit:
    """Count every side anew. Raises StoreAway.

    One that is being written may differ for a moment, so what differs is to be looked at again (`still_different`).
    """
    with translated():
        conversations = database[CONVERSATIONS].find({}, _CONVERSATION).sort([("_id", 1)])
        return await _compared(conversations, _sides(database))


async def still_different(database: Database, differences: Sequence[Difference]) -> list[Difference]:
    """Those that differ yet, as they do now. Raises StoreAway."""
    found = []
    for difference in differences:
        with translated():
            row = await database[CONVERSATIONS].find_one({"_id": difference.side}, _CONVERSATION)
            messages = await database[MESSAGES].find({"unread_in": difference.side}, _MESSAGE).to_list()
        side = _Side.of(row or {"_id": difference.side})
        for message in messages:
            side.look_at(message)
        found += side.difference
    return found


class _Side(msgspec.Struct):
    id: str
    unread: int
    read_up_to: datetime | None
    counted: int = 0

    @classmethod
    def of(cls, row: Document) -> "_Side":
        return cls(row["_id"], row.get("unread", 0), row.get("read_up_to"))

    def look_at(self, message: Document) -> None:
        late = self.read_up_to is not None and message["at"] <= self.read_up_to
        self.counted += not (late or message["withdrawn"])

    @property
    def difference(self) -> list[Difference]:
        """None or one."""
        if self.unread == self.counted:
            return []
        return [Difference(side=self.id, unread=self.unread, counted=self.counted, read_up_to=self.read_up_to)]


async def _sides(database: Database) -> AsyncIterator[tuple[str, Document]]:
    """Every message that may be unread, with its side, in the order of sides."""
    found = database[MESSAGES].find({"unread_in": {"$gt": ""}}, _MESSAGE).sort([("unread_in", 1), ("at", 1)])
    async for message in found:
        yield message["unread_in"], message


async def _compared(conversations: AsyncIterator[Document], messages: AsyncIterator[tuple[str, Document]]) -> Audit:
    audited, differences = 0, list[Difference]()
    message = await anext(messages, None)

    async def take(side: _Side) -> None:
        nonlocal message
        while message is not None and message[0] == side.id:
            side.look_at(message[1])
            message = await anext(messages, None)
        differences.extend(side.difference)

    async for row in conversations:
        audited += 1
        while message is not None and message[0] < row["_id"]:
            await take(_Side(message[0], 0, None))
        await take(_Side.of(row))
    while message is not None:
        await take(_Side(message[0], 0, None))
    return Audit(audited, differences)
