"""Instant messages between a few users of an app: what is sent, and what must be unread of it.

Pure. Half of them are sent, half brought over from another system as they come, which the API
recognises when they are sent once more.
"""

import time
from collections import Counter
from datetime import datetime
from random import Random
from typing import Any

import orjson

from schemas.im import usersig

APP, KEY, ADMIN = "1400000001", "demo-key-of-the-app", "administrator"
TALKERS = [f"talker-{number:02}" for number in range(24)]
IMPORT_ACCOUNTS = "im_open_login_svc/multiaccount_import"
SEND, IMPORT = "openim/sendmsg", "openim/importmsg"
UNREAD = "openim/get_c2c_unread_msg_num"
WORDS = ("Shall we meet at seven?", "The train is late again.", "I have it.", "See you there.", "明天见。")


def path_of(call: str) -> str:
    """Of a call of the app's admin, with everything that its URL needs."""
    signature = usersig.make(KEY, APP, ADMIN, int(time.time()), 86_400)
    return f"/v4/{call}?sdkappid={APP}&identifier={ADMIN}&usersig={signature}&random=1&contenttype=json"


class Talk:
    """Writes messages. Each has a number of its own, so the API never takes two for one."""

    def __init__(self, random: Random, now: datetime) -> None:
        self._random = random
        self._second = int(now.timestamp())
        self._written = 0

    def message(self) -> tuple[str, bytes]:
        """The call and its body."""
        self._written += 1
        sender, receiver = self._random.sample(TALKERS, 2)
        body: dict[str, Any] = {
            "From_Account": sender,
            "To_Account": receiver,
            "MsgSeq": self._written,
            "MsgRandom": self._random.randrange(2**31),
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": self._random.choice(WORDS)}}],
        }
        if self._random.random() < 0.5:
            body |= {"SyncOtherMachine": 1}
            if self._random.random() < 0.2:
                body |= {"SendMsgControl": ["NoUnread"]}
            return SEND, orjson.dumps(body)
        body |= {"SyncFromOldSystem": 5, "MsgTimeStamp": self._second - self._random.randrange(3_600)}
        return IMPORT, orjson.dumps(body)


class Heard:
    """The model: fed with what was answered with success, each message once."""

    def __init__(self) -> None:
        self.messages = 0
        self.unread: Counter[str] = Counter()

    def take(self, body: dict[str, Any]) -> None:
        self.messages += 1
        if "NoUnread" not in body.get("SendMsgControl", ()):
            self.unread[body["To_Account"]] += 1
