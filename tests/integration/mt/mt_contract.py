"""The metering contract as a judge: requests and answers by their schemas, and no field that it does not name."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator
from mt_api import Portals

from gateway.mt.system import CONTRACT
from gateway.openapi import load_contract, paths_of

JSON = "application/json"
SERVED = (
    "/mt/beeback/",
    "/mt/portal/",
    "/mt/crm/api/",
    "/mt/crm/bill/",
    "/mt/crm/customer/wallet/",
    "/mt/crm/customer/deptItem/",
    "/mt/crm/checkItem/",
    "/mt/crm/schedule/",
    "/mt/crm/index/",
)
"""Usage and billing; the rest of the contract is the operators' and salesmen's portals around it."""


class Described(msgspec.Struct, frozen=True):
    method: str
    path: str
    operation: dict[str, Any]

    @property
    def answer(self) -> Mapping[str, Any]:
        """Content type to schema, of the answer."""
        content = self.operation["responses"]["200"]["content"]
        return {kind: each["schema"] for kind, each in content.items()}

    @property
    def request(self) -> dict[str, Any] | None:
        """The schema of a JSON body; None where there is none."""
        content = self.operation.get("requestBody", {}).get("content", {})
        return content[JSON]["schema"] if JSON in content else None


class Request(msgspec.Struct, frozen=True):
    """A call of the walk. `params` are those of the path, `form` is sent in place of a JSON body."""

    body: Any = None
    params: Mapping[str, Any] = msgspec.field(default_factory=dict)
    query: Mapping[str, Any] | None = None
    form: Any = None
    headers: Mapping[str, str] | None = None


Builder = Callable[[Portals], Awaitable[list[Request]]]
"""Brings about what the calls need, and returns them; each must be answered with code 0."""


@cache
def contract() -> dict[str, Any]:
    return load_contract(CONTRACT)


@cache
def operations() -> dict[str, Described]:
    """operationId to operation."""
    return {
        operation["operationId"]: Described(method.upper(), path, operation)
        for path, item in paths_of(contract()).items()
        for method, operation in item.items()
        if isinstance(operation, dict) and "operationId" in operation
    }


def wanted() -> set[str]:
    """The operations of usage and billing."""
    return {name for name, described in operations().items() if described.path.startswith(SERVED)}


def judge_request(operation_id: str, body: Any) -> None:
    """Raise ValidationError where a body is not what the contract says."""
    schema = operations()[operation_id].request
    if schema is not None:
        _judge(schema, body)


def judge_answer(operation_id: str, answer: dict[str, Any]) -> None:
    """Raise ValidationError or AssertionError where an answer is not what the contract says."""
    schema = operations()[operation_id].answer[JSON]
    _judge(schema, answer)
    _require_named(answer, schema, "$")


def _judge(schema: dict[str, Any], value: Any) -> None:
    Draft202012Validator({"components": contract()["components"], **schema}).validate(_plain(value))


def _plain(value: Any) -> Any:
    """Amounts as the validator's numbers."""
    match value:
        case Decimal():
            return float(value)
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
    return value


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
