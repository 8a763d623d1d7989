"""What the contact binding system declares, held against its contract; and what its envelope makes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import msgspec
import pytest
import yaml

from config.settings import Settings
from gateway.contact_binding import SOURCE, contact_binding_system, fact_of
from gateway.contact_envelope import ALREADY_BOUND, USER_ERROR, refuse, succeed
from gateway.system import System
from schemas.contact import AccountSource, AddBindingRequest, BindingQuery, QueryAccountSource, UpdateBindingRequest
from schemas.errors import Refused
from schemas.refusals import REASONS
from stores.contacts import ContactBinding, Standing
from stores.mongo import open_database


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return yaml.safe_load(files("schemas").joinpath("contracts", "contact-binding.yaml").read_text(encoding="utf-8"))


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with open_database(Settings().mongo) as database:  # never contacted
        yield contact_binding_system(Settings().contact_binding, database)


async def test_its_operations_are_those_of_the_contract(system: System, contract: dict[str, Any]) -> None:
    declared = {(operation.operation_id, operation.method, operation.path) for operation in system.operations}

    assert declared == {
        (operation["operationId"], method.upper(), path)
        for path, item in contract["paths"].items()
        for method, operation in item.items()
    }


def test_fields_and_sources_are_those_of_the_contract(contract: dict[str, Any]) -> None:
    schemas = contract["components"]["schemas"]
    for kind in (AddBindingRequest, UpdateBindingRequest):
        fields = {field.encode_name: field.required for field in msgspec.structs.fields(kind)}
        assert fields == {
            name: name in schemas[kind.__name__]["required"] for name in schemas[kind.__name__]["properties"]
        }
    parameters = contract["paths"]["/api/v1/user/relationship/cid.json"]["get"]["parameters"]
    fields = {field.encode_name: field.required for field in msgspec.structs.fields(BindingQuery)}
    assert fields == {parameter["name"]: parameter["required"] for parameter in parameters}
    assert [*AccountSource.__args__] == schemas["AccountSource"]["enum"]
    assert [*QueryAccountSource.__args__] == schemas["QueryAccountSource"]["enum"]


def test_what_the_contract_knows_as_errors_comes_with_success_and_all_else_with_its_status() -> None:
    for error in (USER_ERROR, ALREADY_BOUND):
        assert (succeed(error, 200).status, msgspec.json.decode(succeed(error, 200).body)["state"]) == (200, "403")
    assert msgspec.json.decode(succeed(True, 200).body) == {"data": True, "msg": "success"}
    for reason, refusal in REASONS.items():
        answer = refuse(Refused(reason, "why"))
        assert msgspec.json.decode(answer.body) == {"state": str(refusal.status), "message": "why"}
        assert (answer.status, "WWW-Authenticate" in answer.headers) == (refusal.status, reason == "unauthenticated")


def test_a_fact_is_known_by_what_has_changed_and_how_often() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    binding = ContactBinding(contact="7", account_source="open", open_id="o", app_id="a")
    standing = Standing(contact="7", account_source="open", binding=binding, agent="ann", seq=3, at=at)

    bound = fact_of(standing, "00-trace")
    assert (bound.id, bound.source, bound.type) == ("7/open/3", SOURCE, "contact.bound")
    assert (bound.subject, bound.time, bound.traceparent) == ("7", at, "00-trace")
    unbound = fact_of(msgspec.structs.replace(standing, binding=None, seq=4))
    assert (unbound.id, unbound.type) == ("7/open/4", "contact.unbound")
