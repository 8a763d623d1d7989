"""Clients that do not give up, and some that do: signed callbacks, batches of CloudEvents, records straight to Kafka.

What a client got no answer to it sends again under the same id; so do some that
had their answer. A few are impatient and never send again: what they sent may or
may not have arrived.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from gateway.chat_auth import signature_of
from schemas.api_time import format_api_time
from schemas.cloudevents import encode_headers, encode_structured
from schemas.events import Event
from streams.publisher import new_producer
from tests.chaos.ledger import Ledger, Sent
from tests.chaos.stage import SECRET, SECRET_ID, TOKEN, Stage
from tests.chaos.talk import Talk

ZONE = ZoneInfo("Asia/Shanghai")
SOURCE = "upstream"
USERS, READERS = 400, 50
TALK_SHARE = 0.3
"""Of the facts, so many are messages between people."""
BATCH = 50
RETRY_SECONDS = 0.2
REQUEST_SECONDS = 8.0
BAN_SECONDS = 12
"""How long a ban of this load lasts: it ends while the run lasts, so the clock has work."""


async def post(http: aiohttp.ClientSession, url: str, body: bytes, content_type: str) -> tuple[int | None, Any]:
    """Status and answer; no status where none came."""
    headers = {"Content-Type": content_type, "Authorization": f"Bearer {TOKEN}"}
    try:
        async with http.post(url, data=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None, None


def readers() -> list[str]:
    return [f"reader{number}" for number in range(READERS)]


class Load:
    """All the sending of a run. `pace` spreads it, in facts a second, so that there is time to kill."""

    def __init__(self, stage: Stage, ledger: Ledger, rng: Random, events: int, pace: float) -> None:
        self._stage = stage
        self._ledger = ledger
        self._rng = rng
        self._events = events
        self._pace = pace
        self._serial = itertools.count(1)
        self._started = time.monotonic()
        self._under_way: set[asyncio.Task[None]] = set()
        self.begun = 0
        self.retries = 0
        self.talk = Talk(self._post, ledger, rng)

    async def run(self) -> None:
        """Send everything; returns when each client has its answer or has given up."""
        connector = aiohttp.TCPConnector(limit=64)
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as self._http:
            producer = Producer(self._stage)
            try:
                self._producer = producer
                while self.begun < self._events:
                    await self._keep_pace()
                    await self._begin()
                await self._finish()
            finally:
                for client in self._under_way:
                    client.cancel()
                await asyncio.gather(*self._under_way, return_exceptions=True)
                await producer.close()

    async def _begin(self) -> None:
        """Start one client; at most so many are under way."""
        while len(self._under_way) >= 64:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        kind = self._rng.random()
        if kind < TALK_SHARE:
            self.begun += 1
            self._spawn(self.talk.say())
        elif kind < 0.97:
            self.begun += 1
            self._spawn(self._callback())
        elif kind < 0.975:
            self.begun += 1
            self._spawn(self._reading())
        elif kind < 0.9875:
            self.begun += BATCH
            self._spawn(self._cloud_events())
        else:
            self.begun += BATCH
            self._spawn(self._records())

    def _spawn(self, client: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(client)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.result()  # a bug of this program must show

    async def _finish(self) -> None:
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _keep_pace(self) -> None:
        ahead = self.begun / self._pace - (time.monotonic() - self._started)
        if ahead > 0:
            await asyncio.sleep(ahead)

    # Signed callbacks

    async def _callback(self) -> None:
        seq = str(next(self._serial))
        match self._rng.choices(("login", "ban", "detection"), (8, 1, 1))[0]:
            case "login":
                path, body, fact = self._login(seq)
            case "ban":
                path, body, fact = self._ban(seq)
            case _:
                path, body, fact = self._detection(seq)
        if self._rng.random() < 0.03:
            await self._impatient(path, body, fact)
            return
        copies = self._rng.choices((1, 2, 3), (8, 1, 1))[0]
        await asyncio.gather(*(self._until_told(path, body, fact) for _ in range(copies)))

    def _login(self, seq: str) -> tuple[str, dict[str, Any], Sent]:
        user, online = self._user(), self._rng.random() < 0.6
        body = {"userId": user, "onOffline": 0 if online else 1, "requestSeq": seq, "name": f"name {seq}"}
        return "loginCallBack", body, self._ledger.login(f"chat/{SECRET_ID}/loginCallBack/{seq}", user, online)

    def _ban(self, seq: str) -> tuple[str, dict[str, Any], Sent]:
        user = self._user()
        body = {"userId": user, "status": 2, "requestSeq": seq, "unlockTime": self._soon()}
        return "syncUserInfo", body, self._ledger.ban(f"chat/{SECRET_ID}/syncUserInfo/{seq}", user)

    def _detection(self, seq: str) -> tuple[str, dict[str, Any], Sent]:
        users = [self._user() for _ in range(self._rng.randrange(1, 4))]
        mails = [f"mail{self._rng.randrange(20)}@example.org" for _ in range(self._rng.randrange(3))]
        mails = list(dict.fromkeys(mails))
        reader = self._rng.choice(readers())
        body = {
            "requestSeq": seq,
            "code": f"task{seq}",
            "title": "checked",
            "receiveEmail": ",".join(mails),
            "receiveUserId": reader,
            "recordList": [
                {"userId": user, "checkStatus": "1", "inspectionStatus": "2", "unLockTime": self._soon()}
                for user in users
            ],
        }
        identity = f"chat/{SECRET_ID}/detectionNotice/{seq}"
        return "detection/notice", body, self._ledger.detection(identity, reader, len(users), len(mails) + 1)

    async def _until_told(self, path: str, body: dict[str, Any], fact: Sent) -> None:
        """Send until an answer says that it is stored."""
        await asyncio.sleep(self._rng.choice((0, 0, 0.05, 1)))
        while not await self._tell(path, body, fact):
            self.retries += 1
            await asyncio.sleep(RETRY_SECONDS)

    async def _impatient(self, path: str, body: dict[str, Any], fact: Sent) -> None:
        """Hang up after a moment, told or not."""
        try:
            async with asyncio.timeout(self._rng.uniform(0, 0.03)):
                await self._tell(path, body, fact)
        except TimeoutError:
            pass

    async def _tell(self, path: str, body: dict[str, Any], fact: Sent) -> bool:
        signed = {**body, "timestamp": int(time.time() * 1000), "nonce": 1, "secretId": SECRET_ID}
        signed["signature"] = signature_of(signed, SECRET)
        fact.sendings += 1
        status, answer = await self._post(f"/message/chat/{path}", msgspec.json.encode(signed), "application/json")
        if status is None or status == 503:
            return False
        if status != 200 or answer["code"] != 0:
            raise AssertionError(f"{path} was answered {status}: {answer}")
        fact.acknowledged = True
        return True

    async def _post(self, path: str, body: bytes, content_type: str) -> tuple[int | None, Any]:
        """Status and answer; no status where none came."""
        return await post(self._http, self._stage.url + path, body, content_type)

    # CloudEvents

    async def _cloud_events(self) -> None:
        """A batch over HTTP, repeated as a whole, in part, or over Kafka."""
        facts = [self._event() for _ in range(BATCH)]
        await self._until(self._post_batch, facts)
        if self._rng.random() < 0.2:
            await self._until(self._post_batch, self._some(facts))
        if self._rng.random() < 0.1:
            await self._until(self._write, self._some(facts))

    async def _records(self) -> None:
        """A batch straight to Kafka; some of it again, there or over HTTP, and poison among it."""
        facts = [self._event() for _ in range(BATCH)]
        await self._until(self._write, facts)
        if self._rng.random() < 0.2:
            await self._until(self._write, self._some(facts))
        if self._rng.random() < 0.1:
            await self._until(self._post_batch, self._some(facts))
        if self._rng.random() < 0.3 and await self._producer.write_poison(self._user()):
            self._ledger.poison_acknowledged += 1

    def _some(self, facts: Sequence[tuple[Event, Sent]]) -> list[tuple[Event, Sent]]:
        return self._rng.sample(facts, self._rng.randrange(1, len(facts)))

    def _event(self) -> tuple[Event, Sent]:
        number, user, online = next(self._serial), self._user(), self._rng.random() < 0.6
        event = Event(
            id=str(number),
            source=SOURCE,
            type="account.session.changed",
            subject=user,
            time=datetime.now(UTC).replace(microsecond=0),
            data=msgspec.json.encode({"user_id": user, "online": online, "cause": "callback"}),
        )
        return event, self._ledger.login(event.identity, user, online)

    async def _reading(self) -> None:
        """Somebody reads an inbox up to a moment that may lie a little back; sometimes twice."""
        number, reader = next(self._serial), f"user/{self._rng.choice(readers())}"
        up_to = datetime.now(UTC) - timedelta(seconds=self._rng.choice((0, 0, 2, 10)))
        event = Event(
            id=str(number),
            source=SOURCE,
            type="inbox.read",
            subject=reader,
            time=datetime.now(UTC),
            data=msgspec.json.encode({"recipient": reader, "up_to": up_to}),
        )
        facts = [(event, self._ledger.reading(event.identity, reader, up_to))]
        for _ in range(self._rng.choice((1, 1, 2))):
            await self._until(self._post_batch, facts)

    async def _until(
        self,
        send: Callable[[Sequence[tuple[Event, Sent]]], Awaitable[bool]],
        facts: Sequence[tuple[Event, Sent]],
    ) -> None:
        while True:
            for _, fact in facts:
                fact.sendings += 1
            if await send(facts):
                break
            self.retries += 1
            await asyncio.sleep(RETRY_SECONDS)
        for _, fact in facts:
            fact.acknowledged = True

    async def _post_batch(self, facts: Sequence[tuple[Event, Sent]]) -> bool:
        body = msgspec.json.encode([encode_structured(event) for event, _ in facts])
        status, answer = await self._post("/events", body, "application/cloudevents-batch+json")
        if status is None or status == 503:
            return False
        if status != 202 or answer["accepted"] != len(facts):
            raise AssertionError(f"/events answered {status}: {answer}")
        return True

    async def _write(self, facts: Sequence[tuple[Event, Sent]]) -> bool:
        return await self._producer.write([event for event, _ in facts])

    def _user(self) -> str:
        return f"user{self._rng.randrange(USERS)}"

    def _soon(self) -> str:
        return format_api_time(datetime.now(UTC) + timedelta(seconds=self._rng.randrange(2, BAN_SECONDS)), ZONE)


class Producer:
    """An upstream's own producer, opened again after each failure."""

    def __init__(self, stage: Stage, topic: str = "accounts") -> None:
        self._settings = stage.settings.kafka
        self._topic = topic
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()

    async def write(self, events: Sequence[Event]) -> bool:
        """Whether all of them are acknowledged."""
        return await self._send([(event.subject.encode(), event.data, encode_headers(event)) for event in events])

    async def write_poison(self, key: str) -> bool:
        return await self._send([(key.encode(), b"\xff no event", [])])

    async def _send(self, records: Sequence[tuple[bytes, bytes, list[tuple[str, bytes]]]]) -> bool:
        producer = None
        try:
            producer = await self._open()
            acks = [
                await producer.send(self._topic, key=key, value=value, headers=headers)
                for key, value, headers in records
            ]
            await asyncio.gather(*acks)
        except (KafkaError, OSError):
            if self._producer is producer:
                await self.close()
            return False
        return True

    async def _open(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                producer = new_producer(self._settings)
                try:
                    await producer.start()
                except (KafkaError, OSError):
                    await _discard(producer)
                    raise
                self._producer = producer
            return self._producer

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _discard(producer)


async def _discard(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(1):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        pass
