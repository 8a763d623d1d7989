"""What the chat system declares, held against its contract."""

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest
import yaml

from config.settings import ChatSettings, MongoSettings
from gateway.chat import chat_system
from gateway.system import System
from stores.mongo import open_database

CONTRACT = yaml.safe_load(files("schemas").joinpath("contracts", "chat.yaml").read_text(encoding="utf-8"))
OPERATIONS = {
    operation["post"]["operationId"]: (path, operation["post"]) for path, operation in CONTRACT["paths"].items()
}


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with open_database(MongoSettings()) as database:  # never contacted
        yield chat_system(ChatSettings(), database)


async def test_its_operations_are_those_of_the_contract(system: System) -> None:
    declared = {operation.operation_id: (operation.path, operation.method) for operation in system.operations}

    assert declared == {operation_id: (path, "POST") for operation_id, (path, _) in OPERATIONS.items()}
    assert len(system.operations) == 26


async def test_each_takes_the_body_that_the_contract_names(system: System) -> None:
    for operation in system.operations:
        _, contract = OPERATIONS[operation.operation_id]
        body = contract.get("requestBody")
        named = body and body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert (operation.body.__name__ if operation.body else None) == named, operation.operation_id


async def test_the_group_signed_is_signed_and_nothing_else(system: System) -> None:
    signed = {operation_id for operation_id, (_, contract) in OPERATIONS.items() if contract["x-subgroup"] == "signed"}

    assert {operation.operation_id for operation in system.operations if not operation.security} == signed
    assert len(signed) == 7
    by_signature = {operation.authenticate for operation in system.operations if operation.operation_id in signed}
    assert len(by_signature) == 1
    assert all(
        (operation.authenticate in by_signature) == (operation.operation_id in signed)
        for operation in system.operations
    )
