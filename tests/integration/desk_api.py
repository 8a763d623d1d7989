"""The APIs of endpoints, deliveries, preferences and inboxes as back ends use them.

Every answer is held against its contract.
"""

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import aiohttp
import msgspec
from chat_contract import formats
from cryptography.fernet import Fernet
from jsonschema import Draft202012Validator
from tg_api import serving

from config.settings import Settings
from gateway.events import Problem
from gateway.openapi import load_contract
from schemas.delivery import Attempt, State, lane_of
from schemas.refusals import REASONS
from stores.collections import DELIVERIES, ensure_indexes
from stores.deliveries import to_document
from stores.endpoints import Endpoints
from stores.mongo import Database, open_database
from stores.vault import Vault

TOKEN = "a-back-ends-token"
KEY = Fernet.generate_key().decode()
CONTRACTS = ("endpoints.yaml", "deliveries.yaml", "preferences.yaml", "inbox.yaml")
NOW = datetime(2096, 3, 1, 12, tzinfo=UTC)
"""Far from now: what is older than a month is cleared away at any moment."""
HOOK = {"owner": "user/7", "channel": "webhook", "url": "https://hooks.example.com/fanfold"}


def with_push(settings: Settings, **push: Any) -> Settings:
    """Back ends are let in, and there is a key for what is encrypted."""
    given = {"tokens": [TOKEN], "secrets_keys": [KEY], **push}
    return Settings.model_validate({**settings.model_dump(), "push": {**settings.push.model_dump(), **given}})


class Answered(msgspec.Struct):
    status: int
    body: Any
    text: str


class PushApi:
    """One back end."""

    def __init__(self, http: aiohttp.ClientSession, token: str = TOKEN) -> None:
        self.http = http
        self.headers = {"Authorization": f"Bearer {token}"}
        self.answered: set[str] = set()
        """Operations that succeeded, as the contract says."""

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> Answered:
        async with self.http.request(method, path, json=body, params=query, headers=self.headers) as answer:
            text = await answer.text()
            answered = Answered(answer.status, msgspec.json.decode(text) if text else None, text)
        if operation := judge(method, path, body, answered):
            self.answered.add(operation)
        return answered

    async def get(self, path: str, **query: str) -> Any:
        return (await self.told("GET", path, **query)).body

    async def told(self, method: str, path: str, body: Any = None, status: int = 200, **query: str) -> Answered:
        """The answer to what must succeed."""
        answered = await self.call(method, path, body, **query)
        assert answered.status == status, answered
        return answered

    async def refused(self, reason: str, method: str, path: str, body: Any = None, **query: str) -> str:
        """What the caller is told of why not."""
        answered = await self.call(method, path, body, **query)
        assert (answered.status, answered.body["reason"]) == (REASONS[reason].status, reason), answered
        return answered.body["detail"]  # type: ignore[no-any-return]

    async def register(self, **fields: Any) -> dict[str, Any]:
        """A new endpoint and its secret."""
        made = (await self.told("POST", "/endpoints", {**HOOK, **fields}, 201)).body
        return {**made["endpoint"], "secret": made["secret"]}


# ---- the contracts --------------------------------------------------------------------------------------------------


@cache
def contract() -> dict[str, Any]:
    """All of them, with no field in an answer that they do not name."""
    strict = deepcopy(load_contract(CONTRACTS))
    for name in (
        "Endpoint",
        "EndpointMade",
        "Summary",
        "Delivery",
        "Attempt",
        "Preferences",
        "Inbox",
        "Entry",
        "NowRead",
    ):
        strict["components"]["schemas"][name]["additionalProperties"] = False
    return strict


def operations(prefix: str) -> set[str]:
    """The ids of all operations on paths that begin so."""
    paths = contract()["paths"].items()
    return {operation["operationId"] for path, item in paths if path.startswith(prefix) for operation in item.values()}


def judge(method: str, path: str, body: Any, answered: Answered) -> str | None:
    """The operation that succeeded. Raises ValidationError or AssertionError where an answer is not as it should be."""
    if answered.status >= 400:
        problem = msgspec.convert(answered.body, Problem)
        assert problem.status == answered.status == REASONS[problem.reason].status
        assert answered.body.keys() == {"title", "status", "detail", "reason"}
        return None
    template, operation = _operation(method, path)
    pointer = f"#/paths/{template.replace('~', '~0').replace('/', '~1')}/{method.lower()}"
    if "requestBody" in operation and body is not None:
        _validate(f"{pointer}/requestBody/content/application~1json/schema", body)
    response = operation["responses"][str(answered.status)]
    if "$ref" in response:
        _validate(f"{response['$ref']}/content/application~1json/schema", answered.body)
    elif "content" in response:
        _validate(f"{pointer}/responses/{answered.status}/content/application~1json/schema", answered.body)
    else:
        assert answered.text == ""
    operation_id: str = operation["operationId"]
    return operation_id


def _operation(method: str, path: str) -> tuple[str, dict[str, Any]]:
    for template, item in contract()["paths"].items():
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path) and method.lower() in item:
            return template, item[method.lower()]
    raise AssertionError(f"{method} {path} is not in the contracts")


def _validate(pointer: str, value: Any) -> None:
    Draft202012Validator({**contract(), "$ref": pointer}, format_checker=formats).validate(value)


# ---- what there is --------------------------------------------------------------------------------------------------


class Installation(msgspec.Struct):
    """A gateway at work, and the store behind it."""

    api: PushApi
    settings: Settings
    database: Database

    @property
    def endpoints(self) -> Endpoints:
        """As a dispatcher reads them."""
        return Endpoints(self.database, Vault(self.settings.push.secrets_keys))


@asynccontextmanager
async def installed(settings: Settings) -> AsyncIterator[Installation]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo))
        await ensure_indexes(database)
        http = await stack.enter_async_context(serving(settings))
        yield Installation(PushApi(http), settings, database)
        await database.client.drop_database(database.name)


def a_delivery(state: State = State.DELIVERED, endpoint: str = "ep_1", **fields: Any) -> dict[str, Any]:
    """One as the dispatcher keeps it."""
    delivery_id = f"dl_{secrets.token_hex(8)}"
    document: dict[str, Any] = {
        "_id": delivery_id,
        "lane": lane_of("webhook", endpoint),
        "push": f"shop/{delivery_id}",
        "recipient": "user/7",
        "channel": "webhook",
        "target": endpoint,
        "kind": "order.paid",
        "urgency": "normal",
        "title": "Paid",
        "body": "Order 1 is paid",
        "fields": {"order": 1},
        "language": "en",
        "requested_at": NOW,
        "origin": {"fence": "deliveries~x-0", "offset": 1},
        "partition": 0,
        "order": 1,
        "state": state.value,
        "failures": 0,
        "attempts": [],
        "recorded_at": NOW,
    }
    match state:
        case State.WAITING:
            document |= {"due_at": NOW + timedelta(hours=1), "failures": 1, "attempts": [an_attempt("retry", 503)]}
        case State.DELIVERED:
            document |= {"finished_at": NOW, "attempts": [an_attempt("delivered", 200)]}
        case State.DEAD:
            document |= {"finished_at": NOW, "reason": "refused", "attempts": [an_attempt("refused", 400)], "deaths": 1}
            document["failures"] = 1
        case State.CANCELLED:
            document |= {"finished_at": NOW, "reason": "by_request"}
    return document | fields


def an_attempt(outcome: str, status: int | None) -> dict[str, Any]:
    return to_document(Attempt(at=NOW, outcome=outcome, seconds=0.25, status=status, response="an answer"))


async def insert(database: Database, *documents: dict[str, Any]) -> list[str]:
    await database[DELIVERIES].insert_many(documents)
    return [document["_id"] for document in documents]
