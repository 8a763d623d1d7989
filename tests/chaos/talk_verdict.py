"""What people have of their conversations at the end, held against what the calls were answered.

By the ledger alone, without our handlers: each message that was answered is there once, each that was not at most as
often as it was tried; unread and histories, as the API gives them, are what follows from that.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from handlers.im.conversations import MESSAGES
from tests.chaos.ledger import Ledger, Said
from tests.chaos.talk import Talk, order_of, words_of

Documents = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Present(msgspec.Struct, frozen=True):
    """A message that is stored."""

    said: Said
    receiver: str
    key: str

    @property
    def time(self) -> int:
        return order_of(self.key)[0]

    @property
    def withdrawn(self) -> bool:
        return (self.receiver, self.key) in self.said.withdrawn

    @property
    def words(self) -> str:
        return self.said.changed.get((self.receiver, self.key), self.said.words)


async def judge_talk(ledger: Ledger, documents: Documents, talk: Talk) -> tuple[list[str], dict[str, int]]:
    """Mistakes, and what was counted."""
    mistakes: list[str] = []
    present = _present(ledger, documents, mistakes)
    received: dict[str, dict[str, list[Present]]] = defaultdict(lambda: defaultdict(list))
    sides: dict[tuple[str, str], list[Present]] = defaultdict(list)
    for message in present:
        received[message.receiver][message.said.sender].append(message)
        sides[message.receiver, message.said.sender].append(message)
        if message.said.synced:
            sides[message.said.sender, message.receiver].append(message)
    for reader, by_peer in received.items():
        numbers = await talk.unread(reader, list(by_peer))
        for peer, messages in by_peer.items():
            wanted = _unread(messages, ledger.read.get((reader, peer), 0))
            if numbers[peer] != wanted:
                mistakes.append(f"{reader} has {numbers[peer]} unread from {peer}, should have {wanted}")
    for (owner, peer), messages in sides.items():
        shown = [
            (each["MsgKey"], words_of(each["MsgBody"]), each["MsgFlagBits"]) for each in await talk.history(owner, peer)
        ]
        expected = [(each.key, each.words, 8 if each.withdrawn else 0) for each in _in_order(messages)]
        if shown != expected:
            wrong = [each for each in expected if each not in shown], [each for each in shown if each not in expected]
            mistakes.append(f"{owner}'s history with {peer}: {wrong[0][:2]} missing, {wrong[1][:2]} not expected")
    counts = {
        "messages said": len(ledger.said),
        "messages stored, copies included": len(present),
        "of which recalled": sum(each.withdrawn for each in present),
        "of which overwritten": sum((each.receiver, each.key) in each.said.changed for each in present),
        "histories compared": len(sides),
    }
    return mistakes, counts


def pushes(ledger: Ledger, documents: Documents) -> int:
    """Of messages: one for each that is stored and asked for it."""
    return sum(message.said.pushed for message in _present(ledger, documents, []))


def _present(ledger: Ledger, documents: Documents, mistakes: list[str]) -> list[Present]:
    found: dict[tuple[int, str], list[Present]] = defaultdict(list)
    for document in documents.get(MESSAGES, {}).values():
        said = ledger.said.get(order_of(document["key"])[1])
        if said is None or document["sender"] != said.sender or document["receiver"] not in said.receivers:
            mistakes.append(f"invented: {document['_id']} was never sent")
            continue
        found[said.seq, document["receiver"]].append(Present(said, document["receiver"], document["key"]))
    for said in ledger.said.values():
        for receiver in said.receivers:
            keys = {message.key for message in found[said.seq, receiver]}
            lost = said.keys - keys
            mistakes += [f"lost: {key} from {said.sender} to {receiver} was acknowledged" for key in lost]
            if len(keys) > said.attempts:
                mistakes.append(f"{said.seq} to {receiver} is there {len(keys)} times, tried {said.attempts} times")
    return [message for messages in found.values() for message in messages]


def _unread(messages: Sequence[Present], read_up_to: int) -> int:
    return sum(each.said.counted and not each.withdrawn and each.time > read_up_to for each in messages)


def _in_order(messages: Sequence[Present]) -> list[Present]:
    return sorted(messages, key=lambda each: order_of(each.key))
