"""People who talk: a gateway and a folder at work, and what each person has of it."""

import itertools
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from im_api import ImApi, a_user

from config.settings import Settings
from tests.integration.chat_api import eventually, folding

_times = itertools.count(1_000_000_000)
_numbers = itertools.count(1)


def text(words: str) -> list[dict[str, Any]]:
    return [{"MsgType": "TIMTextElem", "MsgContent": {"Text": words}}]


def words_of(message: dict[str, Any]) -> str:
    return str(message["MsgBody"][0]["MsgContent"]["Text"])


@asynccontextmanager
async def at_work(settings: Settings) -> AsyncIterator[None]:
    """A folder for the topics of a gateway that runs."""
    async with folding(settings) as health:

        async def ready() -> bool:
            return not health.problems

        await eventually(ready)
        yield


class Person:
    """A user of the app, who does by the API what a client would do."""

    def __init__(self, im: ImApi, name: str = "user") -> None:
        self.im = im
        self.id = a_user(name)

    async def sends(self, peer: "Person", words: str, **fields: Any) -> str:
        """Returns the MsgKey."""
        body = {
            "From_Account": self.id,
            "To_Account": peer.id,
            # By this, messages of one second keep their order.
            "MsgSeq": next(_numbers),
            "MsgRandom": random.getrandbits(32),
            "MsgBody": text(words),
            **fields,
        }
        return str((await self.im.ok("openim/sendmsg", body))["MsgKey"])

    async def imported(self, peer: "Person", words: str, at: int | None = None, **fields: Any) -> int:
        """As a message of this second of the past. Returns that."""
        second = next(_times) if at is None else at
        body = {
            "SyncFromOldSystem": 5,
            "From_Account": self.id,
            "To_Account": peer.id,
            "MsgSeq": 1,
            "MsgRandom": random.getrandbits(32),
            "MsgTimeStamp": second,
            "MsgBody": text(words),
            **fields,
        }
        await self.im.ok("openim/importmsg", body)
        return second

    async def reads(self, peer: "Person", up_to: int | str | None = None) -> None:
        body = {"Report_Account": self.id, "Peer_Account": peer.id}
        await self.im.ok("openim/admin_set_msg_read", body if up_to is None else {**body, "MsgReadTime": up_to})

    async def withdraws(self, peer: "Person", key: str) -> None:
        await self.im.ok("openim/admin_msgwithdraw", {"From_Account": self.id, "To_Account": peer.id, "MsgKey": key})

    async def unread(self, *peers: "Person") -> Any:
        """In all; or of each of these peers."""
        if not peers:
            return (await self.im.ok("openim/get_c2c_unread_msg_num", {"To_Account": self.id}))["AllC2CUnreadMsgNum"]
        body = {"To_Account": self.id, "Peer_Account": [peer.id for peer in peers]}
        answer = await self.im.ok("openim/get_c2c_unread_msg_num", body)
        return [item["C2CUnreadMsgNum"] for item in answer["C2CUnreadMsgNumList"]]

    async def has_unread(self, number: int) -> None:
        async def reached() -> bool:
            return bool(await self.unread() == number)

        await eventually(reached)

    async def history(self, peer: "Person", **fields: Any) -> list[dict[str, Any]]:
        """All pages, oldest message first."""
        body = {
            "Operator_Account": self.id,
            "Peer_Account": peer.id,
            "MaxCnt": 100,
            "MinTime": 0,
            "MaxTime": int(time.time()) + 3600,
            **fields,
        }
        found: list[dict[str, Any]] = []
        while True:
            page = await self.im.ok("openim/admin_getroammsg", body)
            assert page["MsgCnt"] == len(page["MsgList"])
            found = [*page["MsgList"], *found]
            if page["Complete"]:
                return found
            assert page["MsgList"][0]["MsgKey"] == page["LastMsgKey"]
            body = {**body, "MaxTime": page["LastMsgTime"], "LastMsgKey": page["LastMsgKey"]}

    async def shows(self, peer: "Person", *words: str) -> None:
        """Waits until the history says exactly this."""

        async def reached() -> bool:
            return [words_of(message) for message in await self.history(peer)] == list(words)

        await eventually(reached)

    async def listed(self, **fields: Any) -> list[tuple[str, int]]:
        """Peers on the list of conversations, and whether they are pinned; all pages."""
        cursor = {"TimeStamp": 0, "StartIndex": 0, "TopTimeStamp": 0, "TopStartIndex": 0}
        found: list[tuple[str, int]] = []
        while True:
            body = {"From_Account": self.id, "AssistFlags": 7, **cursor, **fields}
            page = await self.im.ok("recentcontact/get_list", body)
            found += [(item["To_Account"], item["TopFlag"]) for item in page["SessionItem"]]
            if page["CompleteFlag"]:
                return found
            cursor = {name: page[name] for name in cursor}

    async def deletes(self, peer: "Person", *, history: bool) -> None:
        body = {"From_Account": self.id, "Type": 1, "To_Account": peer.id, "ClearRamble": int(history)}
        await self.im.ok("recentcontact/delete", body)


async def people(im: ImApi, *names: str) -> list[Person]:
    """Accounts of the app."""
    persons = [Person(im, name) for name in names]
    await im.imported(*(person.id for person in persons))
    return persons
