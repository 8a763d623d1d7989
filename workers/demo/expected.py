"""The model: what must have become of the traffic, worked out from the bodies alone."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from workers.demo.messages import APP, Heard
from workers.demo.traffic import BAN, CHINA, EVENTS, LOGIN, NOTICE, OK, Poison, Request
from workers.demo.usage import Bill

BANNED = 2
IM = "/v4/"


class World(msgspec.Struct):
    """What there is to be seen, expected or found. Accounts are shown as (online, banned)."""

    accounts: dict[str, tuple[bool, bool]] = {}
    login_log: int = 0
    detections: int = 0
    unread: dict[str, int] = {}
    """By recipient."""
    pushes: dict[str, int] = {}
    """By kind of recipient."""
    webhooks: int = 0
    """Received by readers, signed as agreed; each once."""
    customers: int = 0
    dead_letters: dict[str, int] = {}
    """By reason."""
    answered_from_memory: int = 0
    duplicates_dropped: int = 0
    refused: dict[str, int] = {}
    """By reason."""
    messages: int = 0
    unread_messages: dict[str, int] = {}
    """By user of the IM app."""
    calls: int = 0
    """Of metered products."""
    calls_repeated: int = 0
    calls_charged: int = 0
    calls_free: int = 0
    balances: dict[int, int] = {}
    """By customer of the metering platform, in micro-units."""


class Model:
    """Fed with what was answered with success, in any order: the later event by its own time decides."""

    def __init__(self) -> None:
        self._sessions: dict[str, tuple[int, bool]] = {}
        self._bans: dict[str, tuple[int, bool, datetime | None]] = {}
        self._users: set[str] = set()
        self._customers: set[str] = set()
        self._events: set[str] = set()
        self._unread: Counter[str] = Counter()
        self._pushes: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._world = World()
        self._heard = Heard()
        self._bill = Bill()

    def take(self, request: Request) -> None:
        if request.outcome != OK:
            self._refused[request.outcome] += 1
        elif request.path == EVENTS:
            sent = json.loads(request.body)
            for event in sent if isinstance(sent, list) else [sent]:
                self._take_event(event)
        elif request.path.startswith(IM):
            if request.again:
                self._world.duplicates_dropped += 1
            else:
                self._take_message(json.loads(request.body))
        elif request.again:
            self._world.answered_from_memory += 1
        else:
            {LOGIN: self._take_login, BAN: self._take_ban, NOTICE: self._take_notice}[request.path](
                json.loads(request.body)
            )

    def _take_login(self, body: dict[str, Any]) -> None:
        self._world.login_log += 1
        user, at = body["userId"], body["timestamp"]
        self._users.add(user)
        self._sessions[user] = max(self._sessions.get(user, (0, False)), (at, body["onOffline"] == 0))

    def _take_ban(self, body: dict[str, Any]) -> None:
        self._ban(body["userId"], body["timestamp"], body["status"] == BANNED, body.get("unlockTime"))

    def _take_notice(self, body: dict[str, Any]) -> None:
        self._world.detections += 1
        for record in body["recordList"]:
            if record["checkStatus"] == "1":
                banned = record["inspectionStatus"] == "2"
                self._ban(record["userId"], body["timestamp"], banned, record["unLockTime"])
        if emails := body.get("receiveEmail"):
            self._pushes["email"] += len(emails.split(";"))
            self._unread.update(f"email/{address}" for address in emails.split(";"))
        if reader := body.get("receiveUserId"):
            self._pushes["user"] += 1
            self._world.webhooks += 1
            self._unread[f"user/{reader}"] += 1

    def _take_message(self, body: dict[str, Any]) -> None:
        self._heard.take(body)
        if "SyncFromOldSystem" not in body:  # nobody is online: who is sent a message is told of it
            self._pushes["user"] += 1
            self._unread[f"user/{APP}:{body['To_Account']}"] += 1

    def _take_event(self, event: dict[str, Any]) -> None:
        if event["type"] == "usage.recorded":
            self._bill.take(event["data"])
            return
        if event["id"] in self._events:
            self._world.duplicates_dropped += 1
            return
        self._events.add(event["id"])
        if event["type"] == "customer.synced":
            self._customers.add(event["data"]["customer_id"])
        else:
            self._users.add(event["data"]["user_id"])

    def _ban(self, user: str, at: int, banned: bool, until: str | None) -> None:
        self._users.add(user)
        ends = datetime.strptime(until, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) - CHINA if until and banned else None
        if user not in self._bans or self._bans[user][0] < at:
            self._bans[user] = (at, banned, ends)

    def world(self, poison: Iterable[Poison], now: datetime) -> World:
        """What must be seen at that moment, once everything is folded."""
        return msgspec.structs.replace(
            self._world,
            accounts={user: (self._online(user), self._banned(user, now)) for user in self._users},
            unread=dict(self._unread),
            pushes=dict(self._pushes),
            customers=len(self._customers),
            dead_letters=dict(Counter(record.reason for record in poison)),
            refused=dict(self._refused),
            messages=self._heard.messages,
            unread_messages=dict(self._heard.unread),
            calls=self._bill.calls,
            calls_repeated=self._bill.repeated,
            calls_charged=self._bill.charged,
            calls_free=self._bill.free,
            balances=self._bill.balances(),
        )

    def _online(self, user: str) -> bool:
        return self._sessions.get(user, (0, False))[1]

    def _banned(self, user: str, now: datetime) -> bool:
        _, banned, until = self._bans.get(user, (0, False, None))
        return banned and (until is None or until > now)

    def ends_soon(self, now: datetime) -> tuple[int, datetime]:
        """How many bans end by themselves within a minute, and when the last of them does."""
        ends = [until for _, banned, until in self._bans.values() if banned and until is not None]
        soon = [until for until in ends if until < now + timedelta(minutes=1)]
        return len(soon), max(soon, default=now)
