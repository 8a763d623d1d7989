"""What the two systems of Telegram declare, held against their contracts; and how commands are read."""

from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

import msgspec
import pytest
import yaml

from config.settings import Settings
from gateway.system import System
from gateway.tg_binding import tg_binding_system
from gateway.tg_updates import command_in, tg_updates_system
from schemas.tg import Nothing, Update, language_of
from stores.mongo import open_database


def contract(name: str) -> dict[str, Any]:
    return yaml.safe_load(files("schemas").joinpath("contracts", name).read_text(encoding="utf-8"))


@pytest.fixture
async def binding() -> AsyncIterator[System]:
    async with open_database(Settings().mongo) as database:  # never contacted
        yield tg_binding_system(Settings(), database)


async def test_its_operations_are_those_of_the_contract(binding: System) -> None:
    paths = contract("tg-binding.yaml")["paths"]
    declared = {operation.operation_id: (operation.path, operation.method) for operation in binding.operations}

    assert declared == {item["post"]["operationId"]: (path, "POST") for path, item in paths.items()}
    assert len(binding.operations) == 4


async def test_each_takes_the_body_that_the_contract_names(binding: System) -> None:
    for operation in binding.operations:
        body = contract("tg-binding.yaml")["paths"][operation.path]["post"]["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        assert operation.body is not None
        if "$ref" in schema:
            assert operation.body.__name__ == schema["$ref"].rpartition("/")[2]
        else:
            assert operation.body is Nothing


async def test_the_examples_of_the_callback_are_updates_that_are_read() -> None:
    post = contract("telegram-callback.yaml")["paths"]["/callbacks/telegram"]["post"]
    for example in post["requestBody"]["content"]["application/json"]["examples"].values():
        update = msgspec.convert(example["value"], Update)
        assert update.message or update.my_chat_member
    async with open_database(Settings().mongo) as database:
        [operation] = tg_updates_system(Settings().telegram, database).operations
    assert (operation.operation_id, operation.body) == (post["operationId"], None)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("/start", ("/start", "")),
        ("/start abc_-9", ("/start", "abc_-9")),
        ("/start  abc ", ("/start", "abc")),
        ("/start\nabc", ("/start", "abc")),
        ("/start@fanfold_bot abc", ("/start", "abc")),
        ("/stop@fanfold_bot", ("/stop", "")),
        ("/started abc", ("/started", "abc")),
        ("/", ("/", "")),
        ("/ start", ("/", "start")),
        ("start abc", None),
        (" /start abc", None),
        ("", None),
    ],
)
def test_a_command_is_read_without_the_bots_name(text: str, read: tuple[str, str] | None) -> None:
    assert command_in(text) == read


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh_CN", "zh"),
        ("zh-hans", "zh"),
        (" ZH-TW ", "zh"),
        ("en-US", "en"),
        ("EN", "en"),
        ("zha", None),
        ("fr", None),
        ("", None),
        (None, None),
    ],
)
def test_a_language_is_known_by_its_first_part(code: str | None, language: str | None) -> None:
    assert language_of(code) == language
