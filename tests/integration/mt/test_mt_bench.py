"""The bench of queries leaves no list and no figure out."""

from datetime import UTC, datetime
from typing import Any

from mt_contract import JSON, contract, operations, wanted

from bench.portal_calls import calls
from schemas.mt.common import Zone

FIGURES = ("statistics", "calculate", "sum", "backlog")


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = contract()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    own: dict[str, Any] = dict(schema.get("properties", {})) | {"type": schema.get("type")}
    for part in schema.get("allOf", ()):
        own |= {name: value for name, value in _properties(part).items() if value is not None}
    return own


def _lists_or_adds_up(name: str) -> bool:
    described = operations()[name]
    if JSON not in described.answer:
        return False
    data = _properties(_properties(described.answer[JSON]).get("data", {}))
    is_list = "results" in data or data["type"] == "array"
    return is_list or described.path.rpartition("/")[2].lower().endswith(FIGURES)


def test_each_list_and_each_figure_is_asked_for() -> None:
    asked = {(ask.method, ask.path) for ask in calls(datetime.now(UTC), Zone("Asia/Shanghai"), 2_000).values()}
    described = [operations()[name] for name in sorted(wanted()) if _lists_or_adds_up(name)]

    assert len(described) > 30
    assert [one.path for one in described if (one.method, one.path) not in asked] == []
