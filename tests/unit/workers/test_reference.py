"""The reference pages say what is, and nothing in them has been forgotten."""

from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from config.settings import Settings
from config.topics import EVENT_TYPES, TOPICS
from workers.cli import main
from workers.reference import asyncapi, asyncapi_text, metric_families, pages

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", pages())
def test_what_is_committed_is_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == pages()[name], f"docs/{name} is out of date: run `make docs`"


def test_every_event_type_is_a_message_of_its_topic() -> None:
    channels = asyncapi()["channels"]

    assert {name: set(channel["messages"]) for name, channel in channels.items()} == {
        topic.name: {kind.name for kind in topic.event_types} for topic in TOPICS
    }


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi()

    def follow(node: Any) -> None:
        match node:
            case {"$ref": str(reference)}:
                place = document
                for step in reference.removeprefix("#/").split("/"):
                    place = place[step]
            case dict():
                for member in node.values():
                    follow(member)
            case list():
                for member in node:
                    follow(member)

    follow(document)


def test_a_payload_that_is_folded_fits_its_schema_and_another_does_not() -> None:
    document = asyncapi()

    def check(payload: dict[str, Any]) -> None:
        schema = {**document["components"]["messages"]["account.session.changed"]["payload"], **document}
        jsonschema.validate(payload, schema)

    session = {"user_id": "u1", "online": True, "cause": "callback"}
    msgspec.convert(session, EVENT_TYPES["account.session.changed"].payload)
    check(session)
    with pytest.raises(jsonschema.ValidationError):
        check({"user_id": "u1", "online": "yes", "cause": "callback"})


def test_every_setting_is_in_the_configuration_reference() -> None:
    page = pages()["configuration.md"]

    for part, values in Settings.model_construct().model_dump().items():
        for name in values:
            assert f"`FANFOLD_{part.upper()}__{name.upper()}`" in page


def test_every_setting_says_when_to_turn_it() -> None:
    rows = [line for line in pages()["configuration.md"].splitlines() if line.startswith("| `FANFOLD_")]

    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_metric_of_ours_is_in_the_metrics_reference() -> None:
    page = pages()["metrics.md"]

    assert [f.name for f in metric_families() if f.name.startswith("fanfold_") and f"`{f.name}" not in page] == []


def test_the_command_prints_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["asyncapi"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == asyncapi_text()
