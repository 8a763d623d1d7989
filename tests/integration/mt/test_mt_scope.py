"""Whatever a customer asks of the client console, nothing of another customer is told or changed."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from mt_api import MERCHANT, Portals
from mt_contract import Builder, operations

from stores.collections import COLLECTIONS
from stores.mongo import Database

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("calls_*.py"))
BUILDERS: dict[str, Builder] = {
    operation_id: build for module in MODULES for operation_id, build in import_module(module).CALLS.items()
}
OWN = sorted(name for name in BUILDERS if operations()[name].path.startswith("/mt/beeback/"))


@pytest.mark.parametrize("operation_id", OWN)
async def test_another_customers_call_tells_and_changes_nothing(
    portals: Portals, mt_database: Database, operation_id: str
) -> None:
    described = operations()[operation_id]
    requests = await BUILDERS[operation_id](portals)
    before = await everything_of(mt_database, MERCHANT)

    for request in requests:
        path = described.path.format(**request.params)
        answered = await portals.other.ask(
            path, request.body, method=described.method, query=request.query, form=request.form
        )

        assert answered.status < 500, answered
        told = {name: value for name, value in named(answered.data) if name in ("deptId", "merchantId", "walletId")}
        assert not {MERCHANT, MERCHANT * 10} & set(told.values()), answered.data

    assert await everything_of(mt_database, MERCHANT) == before


async def everything_of(database: Database, merchant_id: int) -> dict[str, list[dict[str, Any]]]:
    """By collection all documents of a customer."""
    found = {}
    for name in COLLECTIONS:
        documents = await database[name].find({"merchant_id": merchant_id}).sort("_id", 1).to_list()
        if documents:
            found[name] = documents
    return found


def named(value: Any) -> Iterator[tuple[str, Any]]:
    """All fields of an answer, however deep."""
    match value:
        case dict():
            for name, inner in value.items():
                yield name, inner
                yield from named(inner)
        case list():
            for inner in value:
                yield from named(inner)
