"""The API document, held against what is served."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import orjson
import pytest
from aiohttp import web
from openapi_spec_validator import validate

from config.settings import GatewaySettings, Settings
from config.topics import EVENT_TYPES
from gateway.app import build_app
from gateway.docs import ASSETS, assets
from gateway.openapi import build_document
from gateway.system import System
from gateway.systems import systems
from schemas.errors import Refused
from schemas.refusals import REASONS
from stores.mongo import open_database


@pytest.fixture
async def served() -> AsyncIterator[tuple[System, ...]]:
    settings = Settings()
    async with open_database(settings.mongo) as database:  # never contacted
        yield systems(settings, database)


@pytest.fixture
def document(served: tuple[System, ...]) -> dict[str, Any]:
    """As a client reads it."""
    return orjson.loads(orjson.dumps(build_document(served)))


class NoPublisher:
    async def publish(self, events: object) -> None:
        raise NotImplementedError


def routes(app: web.Application) -> set[tuple[str, str]]:
    """What answers something else than a refusal."""
    return {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method not in ("*", "HEAD")
    }


async def test_every_route_is_in_the_document_and_every_operation_of_the_document_is_served(
    served: tuple[System, ...], document: dict[str, Any]
) -> None:
    app = build_app(GatewaySettings(), served, NoPublisher(), dict)
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item}

    assert routes(app) - {("GET", f"{ASSETS}/{name}") for name in assets()} == documented


async def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    validate(document)


async def test_no_operation_has_two_meanings(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]

    assert len(names) == len(set(names))


async def test_every_operation_of_a_system_tells_every_refusal_in_the_systems_envelope(
    served: tuple[System, ...], document: dict[str, Any]
) -> None:
    statuses = {str(refusal.status) for refusal in REASONS.values()}
    for system in served:
        for operation in system.operations if system.fixed_status is None else ():
            responses = document["paths"][operation.path][operation.method.lower()]["responses"]
            assert statuses <= responses.keys(), operation.operation_id

    chat = document["components"]["responses"]["chat.401"]["content"]["application/json"]["examples"]
    assert chat["bad_signature"]["value"]["code"] == 4011


async def test_the_status_of_a_refusal_is_the_same_in_every_system_that_has_not_one_for_everything(
    served: tuple[System, ...],
) -> None:
    for system in served:
        for reason, refusal in REASONS.items():
            expected = system.fixed_status or refusal.status
            assert system.refuse(Refused(reason, "x")).status == expected, (system.name, reason)


async def test_what_needs_a_token_says_so(document: dict[str, Any]) -> None:
    assert document["paths"]["/events"]["post"]["security"] == [{"events.bearer": []}]
    assert document["paths"]["/message/chat/getUsers"]["post"]["security"] == [
        {"chat.accessToken": []},
        {"chat.bearer": []},
    ]


async def test_the_examples_are_events_that_would_be_taken(document: dict[str, Any]) -> None:
    content = document["paths"]["/events"]["post"]["requestBody"]["content"]
    example = content["application/cloudevents+json"]["example"]
    payload = EVENT_TYPES[example["type"]].payload

    assert isinstance(msgspec.convert(example["data"], payload, strict=True), payload)
    assert content["application/cloudevents-batch+json"]["example"] == [example]
    assert content["application/json"]["example"] == example["data"]
