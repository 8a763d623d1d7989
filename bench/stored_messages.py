"""Messages that are there already: written into the store in bulk, as the folder would have left them.

Each is what the real handler makes of the fact; the conversations stand as after all of them, read to their end.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from bench.load import APP, talkers
from handlers.effects import ABSENT, IncAbove, apply
from handlers.im.conversations import CONVERSATIONS, MESSAGES
from handlers.im.messages import fold_message
from schemas.events import Event
from schemas.im.message import SENT, MessageKey, MessageSent, conversation_of
from stores.mongo import Database

FENCE = "before"
"""Stands for the log that they came from."""
FIRST = 1_600_000_000
"""MsgTime of the first; a few a second from then on."""
PER_SECOND = 16
HOT_SHARE = 10
"""Every tenth is the hot pair's."""
BATCH = 2_000
TEXT = "Shall we meet at the station at seven? The train is said to be late again. "


async def fill(database: Database, first: int, end: int) -> None:
    """Messages number `first` up to `end`; those before are there."""
    sides: dict[str, dict[str, Any]] = {}
    for start in range(first, end, BATCH):
        await _write(database, list(_messages(start, min(start + BATCH, end))), sides)
    for key, side in sides.items():
        await database[CONVERSATIONS].update_one({"_id": key}, {"$set": side}, upsert=True)


def a_body(words: str) -> tuple[dict[str, Any], ...]:
    return ({"MsgType": "TIMTextElem", "MsgContent": {"Text": words}},)


def _messages(first: int, end: int) -> Iterator[tuple[int, Event, MessageSent]]:
    for number in range(first, end):
        sender, receiver = talkers("hot" if number % HOT_SHARE == 0 else "pairs", number)
        key = MessageKey(number, number, FIRST + number // PER_SECOND)
        sent = MessageSent(
            conversation=conversation_of(APP, sender, receiver),
            app=APP,
            sender=sender,
            receiver=receiver,
            seq=key.seq,
            random=key.random,
            time=key.time,
            body=a_body(TEXT),
        )
        yield number, Event(id="", source="im", type=SENT, subject="", time=key.second, data=b""), sent


async def _write(
    database: Database, messages: Sequence[tuple[int, Event, MessageSent]], sides: dict[str, dict[str, Any]]
) -> None:
    """The messages; what they make of conversations goes into `sides`."""
    documents = []
    for number, event, sent in messages:
        outcome = fold_message(event, sent)
        origin = {"fence": FENCE, "offset": number}
        documents.append({"_id": sent.message_id, **outcome.fact.body, "origin": origin, "recorded_at": event.time})
        for effect in outcome.effects:
            side = sides.setdefault(effect.key, {})
            for field, change in effect.change.items():
                if not isinstance(change, IncAbove):
                    side[field] = apply(change, side.get(field, ABSENT))
            side |= {f"fence.{FENCE}": number, "unread": 0, "read_up_to": event.time}
    await database[MESSAGES].insert_many(documents, ordered=False)
