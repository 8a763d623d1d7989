"""The OpenAPI 3.1 document of what is served: the systems' contracts, and Fanfold's own operations from their types."""

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from config.topics import EVENT_TYPES
from gateway.events import Accepted, Attributes, Problem
from gateway.pipeline import RETRIED
from gateway.system import System
from schemas.catalogue import EventType
from schemas.errors import Refused
from schemas.refusals import REASONS

OWN = "fanfold"
Json = dict[str, Any]

INTRODUCTION = """\
Every answer carries `traceparent` and `X-Trace-Id`; send a W3C `traceparent` to have your own trace go on.

A success is answered once Kafka has what the call meant. A refusal leaves nothing behind; its `reason` says why.
`429` and `503` come with `Retry-After`: send the same request again, with the same id, and it counts once.
"""


EXAMPLE: Json = {
    "specversion": "1.0",
    "id": "seat-7-3",
    "source": "directory",
    "type": "seat.synced",
    "time": "2026-01-02T03:04:05Z",
    "data": {"user_id": "u7", "name": "Li Lei", "seat_no": "A-12", "online": True},
}


class Health(msgspec.Struct, frozen=True):
    status: str


class Readiness(msgspec.Struct, frozen=True):
    """`problems` names what is missing."""

    ready: bool
    problems: dict[str, str]


def build_document(systems: Sequence[System], catalogue: Mapping[str, EventType] = EVENT_TYPES) -> Json:
    """The document. Components are named `system.Name`, so that two contracts may use one name."""
    document: Json = {
        "openapi": "3.1.0",
        "info": {"title": "Fanfold", "version": version("fanfold"), "description": INTRODUCTION},
        "tags": [],
        "paths": {},
        "components": {"schemas": {}, "responses": {}, "securitySchemes": {}, "parameters": {}},
    }
    _add_own(document, [kind for kind in catalogue.values() if not kind.internal])
    for system in systems:
        _add_system(document, system)
    return document


def _add_system(document: Json, system: System) -> None:
    components = document["components"]
    for name, scheme in system.security_schemes.items():
        components["securitySchemes"][f"{system.name}.{name}"] = scheme
    if system.contract is not None:
        _add_contract(document, system, load_contract(system.contract))
    if system.fixed_status is None:
        components["responses"].update(_refusals(system))
    for operation in system.operations:
        described = document["paths"][operation.path][operation.method.lower()]
        if system.fixed_status is None:
            described["responses"].update(_refusal_refs(system))
        if operation.security:
            described["security"] = [{f"{system.name}.{name}": []} for name in operation.security]


def _add_contract(document: Json, system: System, contract: Json) -> None:
    """The contract's operations, as far as they are served, and its components."""
    contract = _renamed(contract, system.name)
    paths = paths_of(contract)
    document["tags"] += contract.get("tags", [])
    for kind, members in contract.get("components", {}).items():
        if kind == "pathItems":
            continue
        named = {f"{system.name}.{name}": member for name, member in members.items()}
        document["components"].setdefault(kind, {}).update(named)
    if webhooks := contract.get("webhooks"):
        document.setdefault("webhooks", {}).update(webhooks)
    for operation in system.operations:
        described = paths[operation.path][operation.method.lower()]
        document["paths"].setdefault(operation.path, {})[operation.method.lower()] = described


def load_contract(names: str | tuple[str, ...]) -> Json:
    """A contract, or several as one: what they name alike is the same in all of them."""
    # The C loader where PyYAML has it: the contracts are long.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    whole: Json = {}
    for name in (names,) if isinstance(names, str) else names:
        text = files("schemas").joinpath("contracts", name).read_text(encoding="utf-8")
        _merge(whole, yaml.load(text, Loader=loader))  # noqa: S506 - both are safe
    return whole


def _merge(whole: Json, part: Json) -> None:
    for key, value in part.items():
        match whole.get(key), value:
            case dict() as known, dict():
                _merge(known, value)
            case list() as known, list():
                whole[key] = known + [member for member in value if member not in known]
            case _:
                whole[key] = value


def paths_of(contract: Json) -> Json:
    """The contract's path items by path; those too that stand among its components, with their path as `x-path`."""
    paths: Json = contract.get("paths", {})
    kept_apart = contract.get("components", {}).get("pathItems", {}).values()
    return paths | {
        item["x-path"]: {method: operation for method, operation in item.items() if method != "x-path"}
        for item in kept_apart
    }


def _renamed(node: Any, system: str) -> Any:
    """The same with every reference to a component pointing at its name in the whole document."""
    match node:
        case {"$ref": str(ref), **rest}:
            place, _, name = ref.rpartition("/")
            return {"$ref": f"{place}/{system}.{name}", **_renamed(rest, system)}
        case dict():
            return {key: _renamed(value, system) for key, value in node.items()}
        case list():
            return [_renamed(value, system) for value in node]
    return node


def _statuses() -> dict[int, list[str]]:
    """Reasons by the status they are answered with."""
    statuses: dict[int, list[str]] = {}
    for reason, refusal in REASONS.items():
        statuses.setdefault(refusal.status, []).append(reason)
    return statuses


def _refusals(system: System) -> Json:
    """A response per status, its examples made by the system's own envelope."""
    responses = {}
    for status, reasons in _statuses().items():
        examples = {}
        for reason in reasons:
            answer = system.refuse(Refused(reason, REASONS[reason].summary))
            examples[reason] = {"summary": REASONS[reason].summary, "value": json.loads(answer.body)}
        description = "; ".join(f"`{reason}`: {REASONS[reason].summary}" for reason in reasons)
        response: Json = {"description": description, "content": {answer.content_type: {"examples": examples}}}
        if status in RETRIED:
            response["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
        responses[f"{system.name}.{status}"] = response
    return responses


def _refusal_refs(system: System) -> Json:
    return {str(status): {"$ref": f"#/components/responses/{system.name}.{status}"} for status in _statuses()}


def _add_own(document: Json, kinds: Iterable[EventType]) -> None:
    kinds = list(kinds)
    types: list[type] = [kind.payload for kind in kinds] + [Accepted, Attributes, Problem, Health, Readiness]
    refs, schemas = msgspec.json.schema_components(types, ref_template=f"#/components/schemas/{OWN}.{{name}}")
    ref_of = dict(zip(types, refs, strict=True))
    document["components"]["schemas"] |= {f"{OWN}.{name}": schema for name, schema in schemas.items()}
    document["tags"].append({"name": OWN, "description": "Fanfold's own operations"})
    paths = document["paths"]
    paths["/events"] = {"post": _publish_events(kinds, ref_of)}
    paths["/healthz"] = {"get": _get("healthz", "Whether the process runs", {"200": _json(ref_of[Health])})}
    readiness = _json(ref_of[Readiness])
    readinesses = {"200": readiness, "503": readiness | {"description": "not ready; `problems` says why"}}
    paths["/readyz"] = {"get": _get("readyz", "Whether it can do its work", readinesses)}
    paths["/openapi.json"] = {"get": _get("openapi", "This document", {"200": _json({"type": "object"})})}
    page = {"description": "OK", "content": {"text/html": {}}}
    paths["/docs"] = {"get": _get("docs", "This document as a page", {"200": page})}


def _publish_events(kinds: Sequence[EventType], ref_of: Mapping[type, Json]) -> Json:
    events = [_structured(kind, ref_of) for kind in kinds]
    any_data = {"anyOf": [ref_of[kind.payload] for kind in kinds]}
    table = "\n".join(f"| `{kind.name}` | {kind.summary} | {_subject(kind)} |" for kind in kinds)
    return {
        "operationId": "publishEvents",
        "tags": [OWN],
        "summary": "Publish CloudEvents",
        "description": (
            "CloudEvents 1.0 in binary (attributes as `ce-` headers), structured or batched mode. In a batch the good "
            "events are published and the others reported; where none is good the answer is 400. `time` left out is "
            "now. The same `source` and `id` again counts once.\n\n"
            f"| type | what it says | subject |\n|---|---|---|\n{table}"
        ),
        "parameters": [
            {
                "name": f"ce-{name}",
                "in": "header",
                "required": False,
                "description": "binary mode only, and there required" if required else "binary mode only",
                "schema": {"type": "string"},
            }
            for name, required in (
                ("specversion", True),
                ("id", True),
                ("source", True),
                ("type", True),
                ("subject", False),
                ("time", False),
            )
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": {"anyOf": events}, "example": EXAMPLE},
                "application/cloudevents-batch+json": {
                    "schema": {"type": "array", "items": {"anyOf": events}},
                    "example": [EXAMPLE],
                },
                "application/json": {"schema": any_data, "example": EXAMPLE["data"]},
            },
        },
        "responses": {"202": _json(ref_of[Accepted]) | {"description": "Kafka has them"}},
    }


def _subject(kind: EventType) -> str:
    return f"`data.{kind.key_as_sent}`" if kind.key else "to be given"


def _structured(kind: EventType, ref_of: Mapping[type, Json]) -> Json:
    subject = [] if kind.key else ["subject"]
    return {
        "title": kind.name,
        "allOf": [ref_of[Attributes]],
        "properties": {"specversion": {"const": "1.0"}, "type": {"const": kind.name}, "data": ref_of[kind.payload]},
        "required": ["specversion", "id", "source", "type", "data", *subject],
    }


def _get(operation_id: str, summary: str, responses: Json) -> Json:
    return {"operationId": operation_id, "tags": [OWN], "summary": summary, "responses": responses}


def _json(schema: Json) -> Json:
    return {"description": "OK", "content": {"application/json": {"schema": schema}}}
