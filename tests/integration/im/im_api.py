"""The IM server API as its callers use it: an admin's calls, answers in the envelope."""

import asyncio
import itertools
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from config.settings import FilesSettings, ImSettings, Settings
from config.topics import TOPICS
from schemas.im import usersig
from stores.mongo import open_database
from streams.cluster import open_cluster
from workers.embedded.ports import LOOPBACK
from workers.gateway import open_gateway
from workers.health import Health

APP, KEY = "1400000001", "key of the app"
OTHER_APP, OTHER_KEY = "1400000002", "key of the other app"
ADMIN = "administrator"

IM = {
    "apps": {
        APP: {
            "key": KEY,
            "admins": [ADMIN, "root"],
            "name": "Example",
            "company": "Example Company",
            "profile_custom": ["Test", "Level"],
            "sns_custom": ["Test"],
            "pushes_per_day": 1_000_000,
            "seconds_between_pushes": 0,
        },
        OTHER_APP: {"key": OTHER_KEY, "admins": [ADMIN], "seconds_between_pushes": 3600},
    },
    "calls_per_second": 0,
    "roaming_days": 36_500,
    "server_addresses": ["192.0.2.0/24", "198.51.100.17"],
}

_numbers = itertools.count(1)
_run = secrets.token_hex(3)


def a_user(name: str = "user") -> str:
    """A user id that no other test uses."""
    return f"{name}-{_run}-{next(_numbers)}"


class Answered(msgspec.Struct):
    """`body` is the whole answer."""

    status: int
    code: int
    info: str
    body: dict[str, Any]
    headers: Any

    def __getitem__(self, field: str) -> Any:
        return self.body[field]


class ImApi:
    """One admin of one app."""

    def __init__(self, http: aiohttp.ClientSession, app: str = APP, key: str = KEY, identifier: str = ADMIN) -> None:
        self.http = http
        self.app = app
        self.query = {
            "sdkappid": app,
            "identifier": identifier,
            "usersig": usersig.make(key, app, identifier, int(time.time()), 3600),
            "contenttype": "json",
        }

    async def ask(self, call: str, body: Any = None, **query: str | None) -> Answered:
        """`call` is SERVICE/COMMAND. Of `query`, None leaves a parameter out."""
        return await self.send(call, msgspec.json.encode({} if body is None else body), **query)

    async def send(self, call: str, body: bytes, **query: str | None) -> Answered:
        """The body as it is, declared as nothing: clients of this API send no content type."""
        sent = {**self.query, "random": str(random.getrandbits(32)), **query}
        params = {name: value for name, value in sent.items() if value is not None}
        headers = {"Content-Type": ""}
        async with self.http.post(f"/v4/{call}", data=body, params=params, headers=headers) as answer:
            whole = await answer.json()
            return Answered(answer.status, whole["ErrorCode"], whole["ErrorInfo"], whole, answer.headers)

    async def ok(self, call: str, body: Any = None) -> dict[str, Any]:
        """The answer of a call that must go well."""
        answered = await self.ask(call, body)
        assert (answered.status, answered.code) == (200, 0), answered
        return answered.body

    async def imported(self, *users: str) -> None:
        for start in range(0, len(users), 100):
            answer = await self.ok("im_open_login_svc/multiaccount_import", {"Accounts": users[start : start + 100]})
            assert answer["FailAccounts"] == []


def with_im(settings: Settings, **im: Any) -> Settings:
    """The settings, and two apps."""
    files = FilesSettings.model_validate({"link_key": "a key for the links of the tests"})
    return settings.model_copy(update={"im": ImSettings.model_validate({**IM, **im}), "files": files})


@asynccontextmanager
async def serving_im(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """A gateway ready to work, with topics and a database of its own; the database is dropped after it."""
    async with open_cluster(settings.kafka) as cluster:
        await cluster.sync(TOPICS)
    health = Health()
    async with open_database(settings.mongo) as database, open_gateway(settings, health) as port:
        async with asyncio.timeout(30):
            while health.problems:  # noqa: ASYNC110 - a state that others post, not an event of ours
                await asyncio.sleep(0.01)
        async with aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http:
            yield http
        await database.client.drop_database(database.name)
