"""The chat contract as a judge of answers: types, formats, and no field that it does not name."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker

formats = FormatChecker()


@formats.checks("int32")
def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@formats.checks("int64")
def _is_int64(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


@cache
def contract() -> dict[str, Any]:
    return yaml.safe_load(files("schemas").joinpath("contracts", "chat.yaml").read_text(encoding="utf-8"))


def operations() -> dict[str, str]:
    """operationId to path."""
    return {operation["post"]["operationId"]: path for path, operation in contract()["paths"].items()}


def judge_answer(operation_id: str, answer: dict[str, Any]) -> None:
    """Raise ValidationError or AssertionError where a success is not what the contract says."""
    path = operations()[operation_id].replace("/", "~1")
    _judge(f"#/paths/{path}/post/responses/200/content/application~1json/schema", answer)
    schema = contract()["paths"][operations()[operation_id]]["post"]["responses"]["200"]["content"]
    _require_named(answer, schema["application/json"]["schema"], "$")


def judge_refusal(answer: dict[str, Any]) -> None:
    _judge("#/components/schemas/ChatResult", answer)
    assert answer["code"] != 0
    assert answer["msg"]


def _judge(pointer: str, answer: dict[str, Any]) -> None:
    Draft202012Validator({**contract(), "$ref": pointer}, format_checker=formats).validate(answer)


def _require_named(value: Any, schema: dict[str, Any], place: str) -> None:
    """Every key of the answer is a property that the contract names, unless it leaves the names open."""
    properties, items, is_open = _shape(schema)
    if isinstance(value, dict) and not is_open:
        unknown = value.keys() - properties.keys()
        assert not unknown, f"{place}: {sorted(unknown)} are not in the contract"
        for name, inner in value.items():
            _require_named(inner, properties[name], f"{place}.{name}")
    if isinstance(value, list) and items:
        for inner in value:
            _require_named(inner, items, f"{place}[]")


def _shape(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None, bool]:
    """Properties, items, and whether any property may be there; of the schema and all it is made of."""
    parts = [schema, *schema.get("allOf", ())]
    if "$ref" in schema:
        parts.append(contract()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    properties, items = dict(schema.get("properties", {})), schema.get("items")
    is_open = schema.get("additionalProperties") is True
    for part in parts[1:]:
        inner, inner_items, inner_open = _shape(part)
        properties |= inner
        items, is_open = items or inner_items, is_open or inner_open
    return properties, items, is_open
