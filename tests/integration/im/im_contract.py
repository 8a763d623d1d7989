"""The IM contracts as a judge: requests and answers by their schemas, and no field that they do not name."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from gateway.im.system import CONTRACTS
from gateway.openapi import load_contract, paths_of

LATER = frozenset({"group", "community", "mute"})
"""Tags of what is not part of instant messages between two."""

JSON = "application/json"


@cache
def contract() -> dict[str, Any]:
    return load_contract(CONTRACTS)


@cache
def operations() -> dict[str, tuple[str, dict[str, Any]]]:
    """operationId to path and operation."""
    return {item["post"]["operationId"]: (path, item["post"]) for path, item in paths_of(contract()).items()}


def wanted() -> set[str]:
    """The operations that are to be covered in the end."""
    return {name for name, (_, operation) in operations().items() if not LATER & set(operation["tags"])}


def call_of(operation_id: str) -> str:
    """SERVICE/COMMAND."""
    return operations()[operation_id][0].removeprefix("/v4/")


def examples_of(operation_id: str) -> list[dict[str, Any]]:
    """The contract's own examples of a request."""
    content = operations()[operation_id][1]["requestBody"]["content"][JSON]
    return [json.loads(json.dumps(example["value"])) for example in content["examples"].values()]


def judge_request(operation_id: str, body: Any) -> None:
    """Raise ValidationError where a request is not what the contract says."""
    _judge(operations()[operation_id][1]["requestBody"]["content"][JSON]["schema"], body)


def judge_answer(operation_id: str, answer: dict[str, Any]) -> None:
    """Raise ValidationError or AssertionError where an answer is not what the contract says."""
    schema = operations()[operation_id][1]["responses"]["200"]["content"][JSON]["schema"]
    _judge(schema, answer)
    _require_named(answer, schema, "$")


def _judge(schema: dict[str, Any], value: Any) -> None:
    Draft202012Validator({"components": contract()["components"], **schema}).validate(value)


def _require_named(value: Any, schema: dict[str, Any], place: str) -> None:
    """Every key of the answer is a property that the contract names."""
    if isinstance(value, dict):
        properties = _properties(schema)
        unknown = value.keys() - properties.keys()
        assert not unknown or not properties, f"{place}: {sorted(unknown)} are not in the contract"
        for name, inner in value.items():
            _require_named(inner, properties.get(name, {}), f"{place}.{name}")
    if isinstance(value, list):
        for inner in value:
            _require_named(inner, _items(schema), f"{place}[]")


def _parts(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema and all that it is made of."""
    parts = [schema]
    if "$ref" in schema:
        parts += _parts(contract()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for key in ("allOf", "oneOf", "anyOf"):
        for part in schema.get(key, ()):
            parts += _parts(part)
    return parts


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in _parts(schema):
        for name, inner in part.get("properties", {}).items():
            known = found.get(name)
            found[name] = inner if known is None else {"anyOf": [known, inner]}
    return found


def _items(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [part["items"] for part in _parts(schema) if isinstance(part.get("items"), dict)]}


def published_codes() -> dict[int, set[str]]:
    """Every code that the contracts name, with what they say of it."""
    codes: dict[int, set[str]] = {}
    for name in CONTRACTS:
        whole = yaml.safe_load(files("schemas").joinpath("contracts", name).read_text(encoding="utf-8"))
        found = list(whole.get("x-common-errors", ()))
        for item in paths_of(whole).values():
            found += item["post"].get("x-errors") or []
        for error in found:
            codes.setdefault(error["code"], set()).add(error["meaning"])
    return codes
