"""Deliveries over HTTP: what `fanfold deliveries` does, for back ends."""

from collections.abc import Awaitable, Callable

import msgspec

from config.settings import PushSettings
from gateway import delivery_desk as desk
from gateway.events import problem
from gateway.questions import cursor_in, only, page_size
from gateway.system import Answer, Call, Operation, Reply, System
from gateway.tokens import by_bearer
from stores.cursors import Cursor
from stores.delivery_desk import MAX_PAGE, DeliveryDesk, Summary
from stores.endpoints import Endpoints

PATH = "/deliveries"


class Page(msgspec.Struct, frozen=True):
    """`next` is what to send as `after` for the following page; null on the last one."""

    deliveries: list[Summary]
    next: str | None


class Desk:
    """The four operations."""

    def __init__(self, deliveries: DeliveryDesk, endpoints: Endpoints) -> None:
        self._deliveries = deliveries
        self._endpoints = endpoints

    async def list(self, call: Call) -> Reply:
        only(call.query, (*desk.FILTERS, "after", "limit"))
        limit = page_size(call.query, MAX_PAGE)
        after = cursor_in(call.query.get("after"))
        found = await self._deliveries.page(desk.which(call.query, call.received_at), after=after, limit=limit)
        return Reply(page_of(found, limit))

    async def show(self, call: Call) -> Reply:
        return Reply(await desk.find(self._deliveries, id_in(call.path)))

    async def retry(self, call: Call) -> Reply:
        return Reply(await desk.retry(self._deliveries, self._endpoints, id_in(call.path), call.received_at))

    async def cancel(self, call: Call) -> Reply:
        return Reply(await desk.cancel(self._deliveries, id_in(call.path), call.received_at))


def id_in(path: str) -> str:
    """The id in a path `/deliveries/{id}...`."""
    return path.removeprefix(f"{PATH}/").partition("/")[0]


def page_of(found: list[Summary], limit: int) -> Page:
    return Page(found, str(Cursor(found[-1].requested_at, found[-1].id)) if len(found) == limit else None)


def deliveries_system(settings: PushSettings, deliveries: DeliveryDesk, endpoints: Endpoints) -> System:
    authenticate = by_bearer(settings.tokens, "FANFOLD_PUSH__TOKENS")
    served = Desk(deliveries, endpoints)

    def operation(operation_id: str, method: str, path: str, handle: Callable[[Call], Awaitable[Reply]]) -> Operation:
        return Operation(operation_id, method, PATH + path, handle, authenticate, security=("back-end",))

    return System(
        name="deliveries",
        prefix=PATH,
        operations=(
            operation("listDeliveries", "GET", "", served.list),
            operation("getDelivery", "GET", "/{id}", served.show),
            operation("retryDelivery", "POST", "/{id}/retry", served.retry),
            operation("cancelDelivery", "POST", "/{id}/cancel", served.cancel),
        ),
        succeed=lambda data, status: Answer(status, msgspec.json.encode(data)),
        refuse=problem,
        contract="deliveries.yaml",
        security_schemes={"back-end": {"type": "http", "scheme": "bearer"}},
    )
