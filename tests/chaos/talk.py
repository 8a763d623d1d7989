"""People of an IM app who talk while everything is being killed: sent, copied, imported, read, recalled, overwritten.

A call that got no answer may have been carried out or not, and a repeat in another second is another message: so
the ledger knows a message by its MsgSeq and MsgRandom, how often it was tried, and which MsgKeys were answered. What
may be repeated without harm (imports, readings, recalls, and the one change that a message gets) is repeated until it
is answered.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import msgspec

from schemas.im import usersig
from schemas.im.message import parse_key
from tests.chaos.ledger import Ledger, Said

APP, KEY, ADMIN = "1400000001", "key-of-the-chaos-app", "administrator"
APPS = {APP: {"key": KEY, "admins": [ADMIN]}}
PEOPLE = [f"person{number}" for number in range(30)]

RETRY_SECONDS = 0.2
NOT_FOUND, RECALLED = 20022, 20023
LATER = frozenset({91000, 60008})
"""Kafka or the store are away."""
IMPORTED_FIRST = 1_600_000_000

Post = Callable[[str, bytes, str], Awaitable[tuple[int | None, Any]]]


class Talk:
    """One client's ways; `post` sends a call and gives status and answer, or None and None."""

    def __init__(self, post: Post, ledger: Ledger, rng: Random) -> None:
        self._post = post
        self._ledger = ledger
        self._rng = rng
        self._numbers = itertools.count(1)
        signature = usersig.make(KEY, APP, ADMIN, int(time.time()), 86_400)
        self._query = f"sdkappid={APP}&identifier={ADMIN}&usersig={signature}&random=7&contenttype=json"
        self.retries = 0

    async def say(self) -> None:
        """Something new; and often something is done with it."""
        match self._rng.choices(("send", "batch", "import", "read"), (6, 1, 2, 2))[0]:
            case "send":
                said = self._said(1)
                await self._sent(said)
            case "batch":
                said = self._said(self._rng.randrange(2, 8))
                await self._sent(said)
            case "import":
                said = self._said(1, imported_at=IMPORTED_FIRST + self._rng.randrange(1_000))
                await self._imported(said)
            case _:
                await self._read()
                return
        await asyncio.sleep(self._rng.choice((0, 0, 0.1, 2)))
        what = self._rng.random()
        if what < 0.15:
            await self._recall(said)
        elif what < 0.3:
            await self._change(said)

    def _said(self, receivers: int, imported_at: int | None = None) -> Said:
        sender, *others = self._rng.sample(PEOPLE, 1 + receivers)
        said = Said(
            sender=sender,
            receivers=tuple(others),
            # Unlike in the API, no two have the same: so each is found again.
            seq=next(self._numbers),
            random=self._rng.getrandbits(32),
            counted=self._rng.random() < 0.9,
            pushed=imported_at is None and self._rng.random() < 0.2,
            synced=imported_at is not None or self._rng.random() < 0.9,
            imported_at=imported_at,
        )
        self._ledger.said[said.seq] = said
        return said

    async def _sent(self, said: Said) -> None:
        batch = len(said.receivers) > 1
        body = {
            "From_Account": said.sender,
            "To_Account": list(said.receivers) if batch else said.receivers[0],
            "MsgSeq": said.seq,
            "MsgRandom": said.random,
            "MsgBody": _text(said.words),
            "SyncOtherMachine": 1 if said.synced else 2,
            "SendMsgControl": [] if said.counted else ["NoUnread"],
            "OfflinePushInfo": {"PushFlag": 0 if said.pushed else 1},
        }

        async def once() -> None:
            said.attempts += 1
            answer = await self._call("batchsendmsg" if batch else "sendmsg", body)
            if answer is not None:
                said.keys.add(answer["MsgKey"])

        if self._rng.random() < 0.05:  # gives up after a moment, told or not
            try:
                async with asyncio.timeout(self._rng.uniform(0, 0.05)):
                    await once()
            except TimeoutError:
                pass
            return
        await asyncio.gather(*(once() for _ in range(self._rng.choice((1, 1, 1, 2, 3)))))
        while not said.keys:
            await self._wait()
            await once()

    async def _imported(self, said: Said) -> None:
        """Then again with other words, which change nothing."""
        assert said.imported_at is not None
        body = {
            "SyncFromOldSystem": 5 if said.counted else 2,
            "From_Account": said.sender,
            "To_Account": said.receivers[0],
            "MsgSeq": said.seq,
            "MsgRandom": said.random,
            "MsgTimeStamp": said.imported_at,
        }
        said.attempts = 1
        await self._until_answered("importmsg", {**body, "MsgBody": _text(said.words)})
        said.keys.add(f"{said.seq}_{said.random}_{said.imported_at}")
        if self._rng.random() < 0.2:
            await self._until_answered("importmsg", {**body, "MsgBody": _text("said again, and otherwise")})

    async def _read(self) -> None:
        reader, peer = self._rng.sample(PEOPLE, 2)
        up_to = int(time.time()) - self._rng.choice((0, 0, 1, 5, 30))
        body = {"Report_Account": reader, "Peer_Account": peer, "MsgReadTime": up_to}
        await self._until_answered("admin_set_msg_read", body)
        if self._rng.random() < 0.2:
            await self._until_answered("admin_set_msg_read", body)
        self._ledger.read[reader, peer] = max(up_to, self._ledger.read.get((reader, peer), 0))

    async def _recall(self, said: Said) -> None:
        for key in said.keys:
            receiver = self._rng.choice(said.receivers)
            await self._until_answered("admin_msgwithdraw", self._named(said, receiver, key))
            said.withdrawn.add((receiver, key))

    async def _change(self, said: Said) -> None:
        for key in said.keys:
            receiver, words = self._rng.choice(said.receivers), f"changed {said.words}"
            await self._until_answered("modify_c2c_msg", {**self._named(said, receiver, key), "MsgBody": _text(words)})
            said.changed[receiver, key] = words

    def _named(self, said: Said, receiver: str, key: str) -> dict[str, Any]:
        return {"From_Account": said.sender, "To_Account": receiver, "MsgKey": key}

    async def _until_answered(self, call: str, body: dict[str, Any]) -> None:
        while await self._call(call, body) is None:
            await self._wait()

    async def _wait(self) -> None:
        self.retries += 1
        await asyncio.sleep(RETRY_SECONDS)

    async def _call(self, call: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a call that was carried out; None where it is to be repeated."""
        path = f"/v4/openim/{call}?{self._query}"
        status, answer = await self._post(path, msgspec.json.encode(body), "application/json")
        if status is None:
            return None
        code = answer["ErrorCode"]
        # Not found: it is in Kafka, and the folder may be down. Recalled already: by a try that got no answer.
        if code in LATER or code == NOT_FOUND:
            return None
        if code not in (0, RECALLED):
            raise AssertionError(f"{call} was answered {answer}")
        found: dict[str, Any] = answer
        return found

    # At the end

    async def unread(self, reader: str, peers: list[str]) -> dict[str, int]:
        """By peer, as the API says it."""
        numbers: dict[str, int] = {}
        for first in range(0, len(peers), 10):
            body = {"To_Account": reader, "Peer_Account": peers[first : first + 10]}
            answer = await self._answered("get_c2c_unread_msg_num", body)
            numbers |= {item["Peer_Account"]: item["C2CUnreadMsgNum"] for item in answer["C2CUnreadMsgNumList"]}
        return numbers

    async def history(self, owner: str, peer: str) -> list[dict[str, Any]]:
        """All pages, oldest message first."""
        window = {"MinTime": 0, "MaxTime": int(time.time()) + 3600, "MaxCnt": 100}
        body = {"Operator_Account": owner, "Peer_Account": peer, **window}
        found: list[dict[str, Any]] = []
        while True:
            page = await self._answered("admin_getroammsg", body)
            found = [*page["MsgList"], *found]
            if page["Complete"]:
                return found
            body = {**body, "MaxTime": page["LastMsgTime"], "LastMsgKey": page["LastMsgKey"]}

    async def _answered(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        while (answer := await self._call(call, body)) is None:
            await self._wait()
        return answer


def _text(words: str) -> list[dict[str, Any]]:
    return [{"MsgType": "TIMTextElem", "MsgContent": {"Text": words}}]


def words_of(body: list[dict[str, Any]]) -> str:
    return str(body[0]["MsgContent"]["Text"])


def order_of(key: str) -> tuple[int, int, int]:
    """As the API orders messages: time, MsgSeq, MsgRandom."""
    parsed = parse_key(key)
    assert parsed is not None, key
    return parsed.time, parsed.seq, parsed.random
