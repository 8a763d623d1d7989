"""The Telegram binding API as its callers use it, and Telegram as it calls the webhook."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from chat_api import eventually

from config.settings import Settings
from config.topics import TOPICS, topic_of
from gateway.background import background
from handlers.tg import ANSWERS
from schemas.cloudevents import decode_record
from schemas.delivery import DeliveryPlanned
from schemas.events import Event
from streams.cluster import open_cluster
from workers.embedded.ports import LOOPBACK
from workers.gateway import open_gateway
from workers.health import Health
from workers.reader import to_record

SERVICE = "/global/message.app.CustomerTgBindApiService."
BOT = "fanfold_test_bot"
SECRET = "the-webhooks-secret"
COMPANY = "5"


def with_telegram(settings: Settings, *customers: str) -> Settings:
    """Set up for these customers; each has the token `token-of-CUSTOMER`."""
    tokens = {f"token-of-{customer}": {"customer": customer, "company": COMPANY} for customer in customers}
    telegram = {"bot_name": BOT, "webhook_secret": SECRET}
    return Settings.model_validate({**settings.model_dump(), "telegram": telegram, "tg_binding": {"tokens": tokens}})


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """A gateway with its topics, ready to work."""
    async with open_cluster(settings.kafka) as cluster:
        await cluster.sync(TOPICS)
    health = Health()
    async with _open(settings, health) as http:
        async with asyncio.timeout(30):
            while health.problems:  # noqa: ASYNC110 - a state that others post, not an event of ours
                await asyncio.sleep(0.01)
        yield http


def unready(settings: Settings) -> AbstractAsyncContextManager[aiohttp.ClientSession]:
    """A gateway whose broker or store is away."""
    return _open(settings, Health())


@asynccontextmanager
async def _open(settings: Settings, health: Health) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        open_gateway(settings, health) as port,
        aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http,
    ):
        yield http


class Answered(msgspec.Struct):
    status: int
    whole: Any
    headers: Any

    @property
    def data(self) -> Any:
        assert self.whole["ok"], self.whole
        return self.whole["data"]


class Customer:
    """A customer with a token."""

    def __init__(self, http: aiohttp.ClientSession, name: str) -> None:
        self.http = http
        self.headers = {"Authorization": f"Bearer token-of-{name}"}

    async def send(self, operation: str, body: Any = None, **headers: str) -> Answered:
        async with self.http.post(SERVICE + operation, json=body, headers=self.headers | headers) as answer:
            return Answered(answer.status, await answer.json(), answer.headers)

    async def link(self, **headers: str) -> str:
        return (await self.send("createTgQrCode", {}, **headers)).data

    async def token(self, **headers: str) -> str:
        return (await self.link(**headers)).partition("?start=")[2]

    async def unbind(self, chat: int) -> bool:
        return (await self.send("unbindTg", {"chatId": str(chat)})).data

    async def chats(self) -> list[str]:
        return [chat["chatId"] for chat in (await self.send("queryCustomerTgBindList")).data]

    async def has(self, *chats: int) -> None:
        """Wait until these chats are bound, and no others."""
        wanted = sorted(map(str, chats))

        async def bound() -> bool:
            return await self.chats() == wanted

        await eventually(bound)


class Telegram:
    """Calls the webhook; updates are numbered in the order in which they are made."""

    def __init__(self, http: aiohttp.ClientSession, first: int = 1) -> None:
        self.http = http
        self._ids = itertools.count(first)

    def message(self, chat: int, text: str, date: int | None = None, **sender: Any) -> dict[str, Any]:
        person = {"id": chat, "is_bot": False, "first_name": "Lei", **sender}
        return {
            "update_id": next(self._ids),
            "message": {
                "message_id": 1,
                "date": int(time.time()) if date is None else date,
                "chat": {"id": chat, "type": "private", "first_name": "Lei"},
                "from": person,
                "text": text,
            },
        }

    def blocked(self, chat: int, date: int | None = None, status: str = "kicked") -> dict[str, Any]:
        bot = {"id": 1, "is_bot": True, "first_name": "Bot"}
        return {
            "update_id": next(self._ids),
            "my_chat_member": {
                "date": int(time.time()) if date is None else date,
                "chat": {"id": chat, "type": "private", "first_name": "Lei"},
                "from": {"id": chat, "is_bot": False, "first_name": "Lei"},
                "old_chat_member": {"status": "member", "user": bot},
                "new_chat_member": {"status": status, "user": bot, "until_date": 0},
            },
        }

    async def post(self, update: Any, secret: str | None = SECRET) -> int:
        """The status that Telegram sees."""
        headers = {} if secret is None else {"X-Telegram-Bot-Api-Secret-Token": secret}
        body = update if isinstance(update, bytes) else msgspec.json.encode(update)
        headers["Content-Type"] = "application/json"
        async with self.http.post("/callbacks/telegram", data=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def says(self, chat: int, text: str, **fields: Any) -> dict[str, Any]:
        """Something that is taken; returns the update."""
        update = self.message(chat, text, **fields)
        assert await self.post(update) == 200
        return update

    async def blocks(self, chat: int) -> None:
        assert await self.post(self.blocked(chat)) == 200


class Log:
    """What is on the topics of chats and deliveries, read as it comes."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    async def read(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            self._events.append(decode_record(to_record(record)))

    async def has_facts(self, chat: int, *types: str) -> list[Event]:
        """Wait until these facts about a chat are there and no others; returns them, in their order."""

        async def facts() -> list[Event] | None:
            found = [event for event in self._events if event.subject == str(chat)]
            return found if [event.type for event in found] == list(types) else None

        found: list[Event] = await eventually(facts)
        return found

    def told(self, chat: int) -> list[DeliveryPlanned]:
        """What the bot has been asked to tell a chat, in that order."""
        events = [event for event in self._events if event.type == "delivery.planned"]
        planned = [msgspec.json.decode(event.data, type=DeliveryPlanned) for event in events]
        return [delivery for delivery in planned if delivery.target == str(chat)]

    async def has_told(self, chat: int, *names: str, language: str = "en") -> None:
        """Wait until the bot has been asked to say these and no others."""
        wanted = [ANSWERS[name][language] for name in names]

        async def told() -> bool:
            return [delivery.body for delivery in self.told(chat)] == wanted

        await eventually(told)


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Log]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50
    )
    await consumer.start()
    try:
        topics = [topic_of("telegram.bound"), topic_of("delivery.planned")]
        consumer.assign(
            [
                TopicPartition(settings.kafka.prefix + topic.name, number)
                for topic in topics
                for number in range(topic.partitions)
            ]
        )
        log = Log()
        async with background(log.read(consumer), "read the log"):
            yield log
    finally:
        await consumer.stop()
