"""A realistic stream of calls, good and bad. Pure: the same seed and start give the same stream."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import msgspec
import orjson

from gateway.chat_auth import signature_of
from workers.demo import messages
from workers.demo.messages import Talk
from workers.demo.usage import Calls

SECRET_ID, SECRET = "demo", "demo-secret"
CHAT_TOKEN, EVENTS_TOKEN, OPERATORS_TOKEN, PUSH_TOKEN = "chat-token", "events-token", "operators-token", "push-token"

CHAT = "/message/chat/"
LOGIN, BAN, NOTICE = f"{CHAT}loginCallBack", f"{CHAT}syncUserInfo", f"{CHAT}detection/notice"
EVENTS = "/events"
OK = "ok"
CHINA = timedelta(hours=8)
"""The chat API's times are on Chinese clocks and carry no zone."""

FAMILY_NAMES = ("Wang", "Li", "Zhang", "Liu", "Chen", "Yang", "Zhao", "Huang", "Zhou", "Wu")
GIVEN_NAMES = ("Wei", "Fang", "Na", "Min", "Jing", "Lei", "Qiang", "Yan", "Jun", "Tao")
MAILS = ("ops@lantern.example", "ops@lantern.example;care@lantern.example")
CHANNELS = ("sales", "service", "support")


class Request(msgspec.Struct, frozen=True):
    """One HTTP request, and how it must end: `ok`, or the reason of its refusal."""

    path: str
    body: bytes
    outcome: str = OK
    headers: dict[str, str] = {}
    method: str = "POST"
    again: bool = False
    """The same request was sent before."""
    repeatable: bool = True
    """Whether sending it once more is recognised, and counts once."""


class Poison(msgspec.Struct, frozen=True):
    """A record put straight into Kafka that can never be folded, and the reason under which it is set aside."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    reason: str


class Traffic(msgspec.Struct, frozen=True):
    requests: list[Request]
    poison: list[Poison]


class Author:
    """Writes the stream. Every signed call has a millisecond of its own, so the order of events is certain."""

    def __init__(self, seed: int, now: datetime, accounts: int) -> None:
        self._random = Random(seed)  # noqa: S311 - traffic, not secrets
        self._now = now
        self._accounts = [f"user-{number:04}" for number in range(accounts)]
        self.readers = [f"reader-{number}" for number in range(max(3, accounts // 50))]
        self._written = 0
        self._talk = Talk(self._random, now)
        self._calls = Calls(self._random, now)

    def traffic(self, calls: int) -> Traffic:
        """So many requests, about: each kind in its share, the bad and the repeated among the good."""
        requests: list[Request] = []
        while len(requests) < calls:
            requests += self._some()
        return Traffic(requests, self._poison(max(6, calls // 250)))

    def _some(self) -> Iterator[Request]:
        kinds = {
            self._login: 50,
            self._ban: 10,
            self._notice: 5,
            self._profiles: 6,
            self._customer: 6,
            self._message: 12,
            self._usage: 2,
            self._mistake: 9,
        }
        [write] = self._random.choices(list(kinds), weights=list(kinds.values()))
        request = write()
        yield request
        # Callers that time out send once more.
        if request.outcome == OK and request.repeatable and self._random.random() < 0.06:
            yield msgspec.structs.replace(request, again=True)

    def _signed(self, path: str, body: dict[str, Any], **fields: Any) -> Request:
        return Request(path, orjson.dumps(self._with_signature(body, **fields)), headers=JSON)

    def _with_signature(self, body: dict[str, Any], **fields: Any) -> dict[str, Any]:
        self._written += 1
        whole = {
            **body,
            # Behind now, and in the order written: far less than the tolerance of the gateway.
            "timestamp": int((self._now - timedelta(minutes=2)).timestamp() * 1000) + self._written,
            "nonce": self._random.randrange(2**31),
            "secretId": SECRET_ID,
            "requestSeq": f"seq-{self._written}",
            **fields,
        }
        return {**whole, "signature": signature_of(whole, SECRET)}

    def _login(self) -> Request:
        return self._signed(LOGIN, self._login_body())

    def newcomers(self) -> Iterator[tuple[str, Request]]:
        """Logins of accounts that nobody has seen before, without end."""
        for number in count(1):
            user = f"newcomer-{number:04}"
            yield user, self._signed(LOGIN, {**self._login_body(), "userId": user, "onOffline": 0})

    def _login_body(self) -> dict[str, Any]:
        user = self._random.choice(self._accounts)
        name = f"{self._random.choice(GIVEN_NAMES)} {self._random.choice(FAMILY_NAMES)}"
        return {
            "userId": user,
            "onOffline": self._random.choice((0, 0, 1)),
            "corpId": "corp-1",
            "corpName": "Lantern Trading",
            "name": name,
            "seatNo": f"S{self._random.randrange(1, 40):03}",
            "requestId": f"login-{self._written}",
        }

    def _ban(self) -> Request:
        user, banned = self._random.choice(self._accounts), self._random.random() < 0.6
        body: dict[str, Any] = {"userId": user, "status": 2 if banned else 1, "channel": self._channel()}
        if banned:
            body |= {"lockStartTime": self._api_time(timedelta()), "unlockTime": self._unlock_time()}
        return self._signed(BAN, body)

    def _unlock_time(self) -> str:
        """Never (empty), tomorrow, or in a few seconds: then nobody calls, and it must end by itself."""
        return self._random.choice(("", self._api_time(timedelta(days=1)), self._api_time(timedelta(seconds=8))))

    def _notice(self) -> Request:
        users = self._random.sample(self._accounts, self._random.randint(1, 12))
        records = [
            {
                "userId": user,
                "checkStatus": self._random.choice(("1", "1", "1", "0")),
                "inspectionStatus": self._random.choice(("1", "1", "2")),
                "unLockTime": self._api_time(timedelta(days=2)),
                "content": "checked",
            }
            for user in users
        ]
        body: dict[str, Any] = {
            "type": "1",
            "code": f"task-{self._written}",
            "taskCodeName": "hourly check",
            "title": "Accounts checked",
            "content": f"{len(records)} accounts were checked",
            "total": len(records),
            "recordList": records,
            "channel": self._channel(),
        }
        if self._random.random() < 0.8:
            body["receiveEmail"] = self._random.choice(
                ("ops@lantern.example", "ops@lantern.example;cs@lantern.example")
            )
        if self._random.random() < 0.7:
            body["receiveUserId"] = self._random.choice(self.readers)
        return self._signed(NOTICE, body)

    def _profiles(self) -> Request:
        """A batch of CloudEvents from an upstream that, now and then, repeats one of its own events later."""
        events = [self._profile() for _ in range(self._random.randint(1, 8))]
        return Request(EVENTS, orjson.dumps(events), headers=BATCH)

    def _profile(self) -> dict[str, Any]:
        number = self._random.randrange(len(self._accounts) * 3)
        user = self._accounts[number % len(self._accounts)]
        data = {"user_id": user, "name": f"{user} of department {number}", "department": f"D{number}"}
        # By its number: drawn again, it is the same event, whatever request it comes in.
        return self._structured(f"profile-{number}", "account.profiled", data)

    def _customer(self) -> Request:
        number = self._random.randrange(200)
        data = {"customer_id": f"customer-{number}", "name": f"Customer {number}"}
        event = self._structured(f"customer-{number}", "customer.synced", data)
        return Request(EVENTS, orjson.dumps(event), headers=STRUCTURED)

    def _structured(self, event_id: str, event_type: str, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": event_id,
            "source": "directory",
            "type": event_type,
            "time": self._now.isoformat(timespec="milliseconds"),
            "data": data,
        }

    def _message(self) -> Request:
        """A message that is sent again counts again: the API tells repeats within one second only. An imported one is
        known by what it is."""
        call, body = self._talk.message()
        return Request(messages.path_of(call), body, repeatable=call == messages.IMPORT)

    def _usage(self) -> Request:
        return Request(EVENTS, orjson.dumps(self._calls.batch()), headers=BATCH)

    def _mistake(self) -> Request:
        body = self._login_body()
        signed = self._with_signature(body)
        forged = {**signed, "onOffline": 1 - body["onOffline"]}
        stranger = self._with_signature(body, secretId="nobody")
        late = self._with_signature(body, timestamp=int(self._now.timestamp() * 1000) - 3_600_000)
        unnamed = self._with_signature({name: value for name, value in body.items() if name != "userId"})
        odd = self._with_signature({**body, "onOffline": 7})
        event = self._structured("x", "weather.changed", {})
        mistakes = (
            Request(LOGIN, orjson.dumps(forged), "bad_signature", JSON),
            Request(LOGIN, orjson.dumps(stranger), "bad_signature", JSON),
            Request(LOGIN, orjson.dumps(body), "bad_signature", JSON),
            Request(LOGIN, orjson.dumps(late), "stale", JSON),
            Request(LOGIN, orjson.dumps(unnamed), "bad_field", JSON),
            Request(LOGIN, orjson.dumps(odd), "bad_field", JSON),
            Request(LOGIN, orjson.dumps(signed)[:-9], "bad_json", JSON),
            Request(LOGIN, b"", "method_not_allowed", method="GET"),
            Request(f"{CHAT}loginCallback", orjson.dumps(signed), "not_found", JSON),
            Request(f"{CHAT}getUsers", b"{}", "unauthenticated", JSON),
            Request(EVENTS, orjson.dumps(event), "bad_field", STRUCTURED),
            Request(EVENTS, orjson.dumps(event), "unauthenticated", {"Content-Type": STRUCTURED["Content-Type"]}),
            Request(EVENTS, b"<event/>", "wrong_content_type", {**AUTHORIZED, "Content-Type": "application/xml"}),
        )
        return self._random.choice(mistakes)

    def _poison(self, count: int) -> list[Poison]:
        attributes = (("ce_specversion", b"1.0"), ("ce_source", b"upstream"))
        kinds = (
            ("not_a_cloudevent", b"\x00\x01 not an event", ()),
            ("unknown_type", b"{}", (("ce_type", b"weather.changed"),)),
            ("bad_payload", b'{"user_id": 7}', (("ce_type", b"account.session.changed"),)),
        )
        written = []
        for number in range(count):
            reason, value, headers = kinds[number % len(kinds)]
            whole = (*attributes, ("ce_id", f"poison-{number}".encode()), *headers) if headers else ()
            written.append(Poison("accounts", f"key-{number}".encode(), value, whole, reason))
        return written

    def _channel(self) -> str:
        return self._random.choice(CHANNELS)

    def _api_time(self, later: timedelta) -> str:
        return f"{(self._now + later).astimezone(UTC) + CHINA:%Y-%m-%d %H:%M:%S}"


AUTHORIZED = {"Authorization": f"Bearer {EVENTS_TOKEN}"}
JSON = {"Content-Type": "application/json"}
STRUCTURED = {**AUTHORIZED, "Content-Type": "application/cloudevents+json"}
BATCH = {**AUTHORIZED, "Content-Type": "application/cloudevents-batch+json"}
