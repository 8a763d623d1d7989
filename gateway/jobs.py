"""Jobs over HTTP: what `fanfold jobs` does, for operators' programs."""

from collections.abc import Awaitable, Callable

import msgspec

from config.settings import OperatorsSettings
from gateway import job_desk as desk
from gateway.events import problem
from gateway.questions import cursor_in, only, page_size
from gateway.system import Answer, Call, Operation, Reply, System
from gateway.tokens import by_bearer
from stores.cursors import Cursor
from stores.job_desk import MAX_PAGE, JobDesk, Summary

PATH = "/jobs"


class Page(msgspec.Struct, frozen=True):
    """`next` is what to send as `after` for the following page; null on the last one."""

    jobs: list[Summary]
    next: str | None


class Desk:
    """The four operations."""

    def __init__(self, jobs: JobDesk) -> None:
        self._jobs = jobs

    async def list(self, call: Call) -> Reply:
        only(call.query, (*desk.FILTERS, "after", "limit"))
        limit = page_size(call.query, MAX_PAGE)
        found = await self._jobs.page(desk.which(call.query), after=cursor_in(call.query.get("after")), limit=limit)
        return Reply(page_of(found, limit))

    async def show(self, call: Call) -> Reply:
        return Reply(await desk.find(self._jobs, id_in(call.path)))

    async def cancel(self, call: Call) -> Reply:
        return Reply(await desk.cancel(self._jobs, id_in(call.path, "/cancel"), call.received_at))

    async def retry(self, call: Call) -> Reply:
        return Reply(await desk.retry(self._jobs, id_in(call.path, "/retry"), call.received_at))


def id_in(path: str, action: str = "") -> str:
    """The id in a path `/jobs/{id}` and what follows; decoded, so it may hold slashes."""
    return path.removeprefix(f"{PATH}/").removesuffix(action)


def page_of(found: list[Summary], limit: int) -> Page:
    return Page(found, str(Cursor(found[-1].created_at, found[-1].id)) if len(found) == limit else None)


def jobs_system(settings: OperatorsSettings, jobs: JobDesk) -> System:
    authenticate = by_bearer(settings.tokens, "FANFOLD_OPERATORS__TOKENS")
    served = Desk(jobs)

    def operation(operation_id: str, method: str, path: str, handle: Callable[[Call], Awaitable[Reply]]) -> Operation:
        return Operation(operation_id, method, PATH + path, handle, authenticate, security=("operator",))

    return System(
        name="jobs",
        prefix=PATH,
        operations=(
            operation("listJobs", "GET", "", served.list),
            operation("getJob", "GET", "/{id}", served.show),
            operation("cancelJob", "POST", "/{id}/cancel", served.cancel),
            operation("retryJob", "POST", "/{id}/retry", served.retry),
        ),
        succeed=lambda data, status: Answer(status, msgspec.json.encode(data)),
        refuse=problem,
        contract="jobs.yaml",
        security_schemes={"operator": {"type": "http", "scheme": "bearer"}},
    )
