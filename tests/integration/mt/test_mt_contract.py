"""The walk through the metering contract: every operation that is served, by a real call; and what is not served yet.

A group of operations has a module `calls_*` with its `CALLS`, by operationId.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from mt_api import Portals
from mt_contract import JSON, Builder, judge_answer, judge_request, operations, wanted

from config.settings import Settings
from gateway.mt.system import mt_system
from stores.mongo import open_database

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("calls_*.py"))
BUILDERS: dict[str, Builder] = {
    operation_id: build for module in MODULES for operation_id, build in import_module(module).CALLS.items()
}


@pytest.mark.parametrize("operation_id", sorted(BUILDERS))
async def test_the_answer_is_what_the_contract_says(portals: Portals, operation_id: str) -> None:
    described = operations()[operation_id]
    portal = portals.for_path(described.path)
    requests = await BUILDERS[operation_id](portals)
    assert requests

    for request in requests:
        judge_request(operation_id, request.body)
        path = described.path.format(**request.params)
        answered = await portal.ask(
            path,
            request.body,
            method=described.method,
            query=request.query,
            form=request.form,
            headers=request.headers,
        )

        assert answered.status == 200, answered
        kind = answered.headers["Content-Type"].partition(";")[0]
        # A file has the content type of what it is.
        assert kind in described.answer or "application/octet-stream" in described.answer, kind
        if JSON in described.answer:
            assert answered.code == 0, answered
            judge_answer(operation_id, answered.body)


@pytest.mark.parametrize("operation_id", sorted(wanted() & BUILDERS.keys()))
async def test_who_has_no_token_or_another_role_is_refused_in_the_envelope(portals: Portals, operation_id: str) -> None:
    described = operations()[operation_id]
    path = described.path.format_map(_Anything())
    callers = {401: [portals.nobody], 403: []}
    if not path.startswith("/mt/portal/"):
        callers[403] = [portals.operator, portals.customer, portals.salesman]
        callers[403].remove(portals.for_path(path))

    for status, portal in [(status, portal) for status, refused in callers.items() for portal in refused]:
        answered = await portal.ask(path, {} if described.request else None, method=described.method)
        assert answered.status == status, answered
        assert answered.code == status * 100 + 1
        assert answered.body["traceId"]


def coverage() -> str:
    covered, missing = wanted() & BUILDERS.keys(), sorted(wanted() - BUILDERS.keys())
    lines = [
        f"\nmetering contract: {len(covered)} of {len(wanted())} operations of usage and billing covered,"
        f" {len(BUILDERS)} of {len(operations())} in all"
    ]
    lines += [f"  not yet: {', '.join(missing)}"] if missing else []
    return "\n".join(lines)


async def test_every_operation_that_is_served_is_walked_through(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings()
    async with open_database(settings.mongo) as database:  # never contacted
        served = {
            operation.operation_id: (operation.method, operation.path)
            for operation in mt_system(settings, database).operations
        }
    with capsys.disabled():
        print(coverage())  # noqa: T201 - how far the walk goes is to be read where the tests run

    assert served.keys() == BUILDERS.keys()
    assert served == {name: (operations()[name].method, operations()[name].path) for name in served}


class _Anything(dict[str, Any]):
    """Any parameter of a path."""

    def __missing__(self, name: str) -> str:
        return "1"
