"""The metering platform's portals as their users call them: one client a role, answers in the envelope."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec
from cryptography.fernet import Fernet
from product_server import ProductServer, product_server
from pydantic import SecretStr

from channels.signing import signatures
from config.settings import FilesSettings, MeteringSettings, Settings, TasksSettings
from config.topics import TOPICS
from stores.collections import ensure_indexes
from stores.mongo import open_database
from streams.cluster import open_cluster
from workers.embedded.ports import LOOPBACK, free_port
from workers.gateway import open_gateway
from workers.health import Health

MERCHANT, OTHER_MERCHANT, SALESMAN, OPERATOR = 1001, 1002, 31, 1

TOKENS: dict[str, dict[str, Any]] = {
    "operator-token": {"role": "operator", "user_id": OPERATOR, "name": "Li"},
    "customer-token": {"role": "customer", "user_id": 21, "name": "Wang", "merchant_id": MERCHANT},
    "other-customer-token": {"role": "customer", "user_id": 22, "name": "Zhao", "merchant_id": OTHER_MERCHANT},
    "salesman-token": {"role": "salesman", "user_id": SALESMAN, "name": "Sun"},
}
SHARED_SECRET = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
METERING = {
    "tokens": TOKENS,
    "secrets_keys": [Fernet.generate_key().decode()],
    # Nobody listens there: who wants to be heard sets another URL.
    "other_environment": {"url": "http://127.0.0.1:9", "token": "operator-token", "secret": SHARED_SECRET},
}


class Answered(msgspec.Struct):
    """`body` is the whole envelope, amounts as Decimal; {} where the answer is none, which `raw` has."""

    status: int
    body: dict[str, Any]
    raw: bytes
    headers: Mapping[str, str]

    @property
    def code(self) -> int:
        return int(self.body["code"])

    @property
    def data(self) -> Any:
        return self.body.get("data")


class Portal:
    """One caller."""

    def __init__(self, http: aiohttp.ClientSession, token: str | None) -> None:
        self.http = http
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def ask(
        self,
        path: str,
        body: Any = None,
        *,
        method: str = "POST",
        query: Any = None,
        form: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """`form` is sent in place of a JSON body."""
        sent: dict[str, Any] = {"json": body} if body is not None else {}
        if form is not None:
            sent = {"data": form}
        async with self.http.request(
            method, path, params=query, headers={**self._headers, **(headers or {})}, **sent
        ) as answer:
            raw = await answer.read()
            is_json = answer.content_type == "application/json"
            return Answered(answer.status, json.loads(raw, parse_float=Decimal) if is_json else {}, raw, answer.headers)

    async def ok(self, path: str, body: Any = None, **how: Any) -> Any:
        """The data of a call that must go well."""
        answered = await self.ask(path, body, **how)
        assert (answered.status, answered.code) == (200, 0), answered
        return answered.data

    async def get(self, path: str, **how: Any) -> Any:
        return await self.ok(path, method="GET", **how)


class Portals:
    """All callers of one gateway. `for_path` is the one whose portal a path belongs to."""

    def __init__(self, http: aiohttp.ClientSession, settings: Settings, products: ProductServer) -> None:
        self.http = http
        self.settings = settings
        self.products = products
        self.operator = Portal(http, "operator-token")
        self.customer = Portal(http, "customer-token")
        self.other = Portal(http, "other-customer-token")
        self.salesman = Portal(http, "salesman-token")
        self.nobody = Portal(http, None)

    def for_path(self, path: str) -> Portal:
        portals = {"beeback": self.customer, "portal": self.customer, "crm": self.operator, "sales": self.salesman}
        return portals[path.split("/")[2]]

    async def publish(self, *events: dict[str, Any]) -> None:
        """CloudEvents, by POST /events."""
        headers = {"Authorization": "Bearer events-token", "Content-Type": "application/cloudevents-batch+json"}
        async with self.http.post("/events", data=msgspec.json.encode(events), headers=headers) as answer:
            assert answer.status < 300, await answer.text()


def with_metering(settings: Settings, **metering: Any) -> Settings:
    """The settings, and tokens for everybody."""
    changed = MeteringSettings.model_validate({**METERING, **metering})
    files = FilesSettings(link_key=SecretStr("a key for the links of the tests"))
    push = settings.push.model_copy(update={"secrets_keys": [SecretStr(Fernet.generate_key().decode())]})
    tasks = TasksSettings(endpoint=SecretStr(f"http://{LOOPBACK}:{free_port()}/products"), calls_per_second=200)
    return settings.model_copy(update={"metering": changed, "files": files, "push": push, "tasks": tasks})


def signed(body: Any) -> dict[str, str]:
    """What the other environment signs a body with."""
    now = int(time.time())
    signature = signatures([SHARED_SECRET], "msg_1", now, json.dumps(body).encode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": signature}


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Portals]:
    """A gateway ready to work, with topics and a database of its own; the database is dropped after it."""
    async with open_cluster(settings.kafka) as cluster:
        await cluster.sync(TOPICS)
    health = Health()
    async with open_database(settings.mongo) as database:
        await ensure_indexes(database)
        async with open_gateway(settings, health) as port:
            async with asyncio.timeout(30):
                while health.problems:  # noqa: ASYNC110 - a state that others post, not an event of ours
                    await asyncio.sleep(0.01)
            async with (
                product_server(settings) as products,
                aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http,
            ):
                yield Portals(http, settings, products)
        await database.client.drop_database(database.name)
