"""The contact binding API as agents use it, and its contract as a judge of the answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

import aiohttp
import msgspec
import yaml
from argon2 import PasswordHasher
from chat_api import an_event, eventually, publish
from chat_contract import formats
from jsonschema import Draft202012Validator
from tg_api import serving

from config.settings import Settings
from stores.collections import ensure_indexes
from stores.contacts import known_contacts
from stores.mongo import open_database

PATH = "/api/v1/user/relationship/cid.json"
AGENT, PASSWORD = "agent@acme", "geheim: ü"
# Cheap: what a check costs is no matter of these tests.
HASHED = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

USER_ERROR = {"state": "403", "message": "user error"}
ALREADY_BOUND = {"state": "403", "message": "Bind Already exists"}
TRUE, FALSE, NONE = ({"data": data, "msg": "success"} for data in (True, False, []))


class Answered(msgspec.Struct):
    status: int
    whole: Any
    headers: Any


class Agent:
    """One agent. Each method takes the fields of the call, in whatever they are sent."""

    def __init__(self, http: aiohttp.ClientSession, account: str = AGENT, password: str = PASSWORD) -> None:
        self.http = http
        self.headers = {"Authorization": aiohttp.encode_basic_auth(account, password, encoding="utf-8")}

    async def send(self, method: str, headers: dict[str, str] | None = None, **request: Any) -> Answered:
        sent = self.headers | (headers or {})
        async with self.http.request(method, PATH, headers=sent, **request) as answer:
            return Answered(answer.status, await answer.json(), answer.headers)

    async def add(self, contact: int | str, open_id: str, source: str = "wechat", **fields: str) -> Answered:
        body = {"cId": contact, "openId": open_id, "account_source": source, **fields}
        return await self.send("POST", json=body)

    async def get(self, source: str = "wechat", **query: int | str) -> Answered:
        return await self.send("GET", params={**query, "account_source": source})

    async def rows(self, source: str = "wechat", **query: int | str) -> list[dict[str, Any]]:
        return (await self.get(source, **query)).whole["data"]

    async def update(self, contact: int | str, source: str = "wechat", **fields: str) -> Answered:
        return await self.send("PUT", json={"cId": contact, "account_source": source, **fields})

    async def delete(self, contact: int | str, source: str = "wechat") -> Answered:
        return await self.send("DELETE", params={"cId": contact, "account_source": source})


def with_agents(settings: Settings, **others: str) -> Settings:
    agents = {AGENT: HASHED, **others}
    return Settings.model_validate({**settings.model_dump(), "contact_binding": {"agents": agents}})


@asynccontextmanager
async def serving_agents(settings: Settings) -> AsyncIterator[Agent]:
    """A gateway, and an agent who calls it."""
    async with open_database(settings.mongo) as database:
        await ensure_indexes(database)
    async with serving(settings) as http:
        yield Agent(http)


async def synced(settings: Settings, *contacts: str, **fields: Any) -> None:
    """Tell of these contacts, and wait until they are known so. Needs a folder at work."""
    events = (an_event("contact.synced", contact, {"contact_id": contact, **fields}) for contact in contacts)
    await publish(settings, *events)
    await known_so(settings, *contacts, **fields)


async def known_so(settings: Settings, *contacts: str, **fields: Any) -> None:
    """Wait until these contacts are known so."""
    gone = fields.get("removed", False)
    async with open_database(settings.mongo) as database:

        async def told() -> bool:
            known = await known_contacts(database, contacts)
            return not known if gone else all(_is(known.get(contact), fields) for contact in contacts)

        await eventually(told)


def _is(contact: Any, fields: dict[str, Any]) -> bool:
    return contact is not None and all(getattr(contact, name) == value for name, value in fields.items())


# ---- the contract ---------------------------------------------------------------------------------------------------


@cache
def contract() -> dict[str, Any]:
    """As it is, but that no field may be there which it does not name."""
    strict = deepcopy(yaml.safe_load(files("schemas").joinpath("contracts", "contact-binding.yaml").read_text("utf-8")))
    for name in ("Binding", "BindingError"):
        strict["components"]["schemas"][name]["additionalProperties"] = False
    strict["components"]["schemas"]["Binding"]["required"] = [*strict["components"]["schemas"]["Binding"]["properties"]]
    return strict


def judge(method: str, answer: Answered) -> None:
    """Raise ValidationError or AssertionError where an answer with HTTP 200 is not what the contract says."""
    assert answer.status == 200, answer
    assert answer.whole.keys() in ({"data", "msg"}, {"state", "message"})
    pointer = f"#/paths/{PATH.replace('/', '~1')}/{method.lower()}/responses/200/content/application~1json/schema"
    Draft202012Validator({**contract(), "$ref": pointer}, format_checker=formats).validate(answer.whole)


def judge_refusal(answer: Answered, status: int) -> None:
    """An error that the contract does not know: its shape, and the HTTP status as the state."""
    Draft202012Validator({**contract(), "$ref": "#/components/schemas/BindingError"}).validate(answer.whole)
    assert (answer.status, answer.whole["state"]) == (status, str(status))
    assert answer.whole["message"]
