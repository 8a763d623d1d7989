"""The walk through the IM contracts: every operation that is served, by a real call; and what is not served yet.

A module of the API that is added joins its builders in `BUILDERS`.
"""

from collections.abc import AsyncIterator

import aiohttp
import im_calls
import im_extensions_calls
import im_figures_calls
import im_labels_calls
import im_messages_calls
import im_relations_calls
import pytest
from im_api import ImApi
from im_contract import call_of, judge_answer, judge_request, operations, wanted
from im_messages import at_work

from config.settings import ImSettings, Settings
from gateway.im.system import im_system
from stores.mongo import open_database
from tests.integration.jobs_at_work import doing_jobs

BUILDERS: dict[str, im_calls.Builder] = {
    **im_calls.CALLS,
    **im_relations_calls.CALLS,
    **im_messages_calls.CALLS,
    **im_figures_calls.CALLS,
    **im_extensions_calls.CALLS,
    **im_labels_calls.CALLS,
}


@pytest.fixture(scope="module", autouse=True)
async def folder(im_settings: Settings, im_http: object) -> AsyncIterator[None]:
    async with at_work(im_settings), doing_jobs(im_settings):
        yield


@pytest.mark.parametrize("operation_id", sorted(BUILDERS))
async def test_the_answer_is_what_the_contract_says(im: ImApi, operation_id: str) -> None:
    bodies = await BUILDERS[operation_id](im)
    assert bodies

    for body in bodies:
        judge_request(operation_id, body)
        answered = await im.ask(call_of(operation_id), body)
        assert (answered.status, answered.code) == (200, 0), answered
        judge_answer(operation_id, answered.body)


@pytest.mark.parametrize("operation_id", sorted(BUILDERS))
async def test_a_refusal_is_what_the_contract_says(
    im: ImApi, im_http: aiohttp.ClientSession, operation_id: str
) -> None:
    call = call_of(operation_id)
    for answered in (
        await im.send(call, b"{"),
        await im.ask(call, sdkappid="7"),
        await ImApi(im_http, identifier="nobody").ask(call),
    ):
        assert answered.status == 200
        assert answered.code != 0
        assert answered.info
        judge_answer(operation_id, answered.body)


def coverage() -> str:
    covered, later = wanted() & BUILDERS.keys(), sorted(operations().keys() - wanted())
    missing = sorted(wanted() - covered)
    lines = [f"\nIM contract: {len(covered)} of {len(wanted())} operations covered"]
    lines += [f"  not yet: {', '.join(missing)}"] if missing else []
    return "\n".join([*lines, f"  groups, communities and mutes, {len(later)}: {', '.join(later)}"])


async def test_every_operation_that_is_served_is_walked_through(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings()
    async with open_database(settings.mongo) as database:  # never contacted
        served = {operation.operation_id: operation.path for operation in im_system(ImSettings(), database).operations}
    with capsys.disabled():
        print(coverage())  # noqa: T201 - how far the walk goes is to be read where the tests run

    assert wanted() <= BUILDERS.keys()
    assert served.keys() == BUILDERS.keys()
    assert served == {operation_id: operations()[operation_id][0] for operation_id in served}
