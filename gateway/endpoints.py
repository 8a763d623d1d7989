"""Endpoints over HTTP: what `fanfold endpoints` does, for back ends."""

from collections.abc import Awaitable, Callable

import msgspec

from config.settings import PushSettings
from gateway import endpoint_desk as desk
from gateway.events import problem
from gateway.questions import only, page_size, truth
from gateway.system import Answer, Call, Operation, Reply, System
from gateway.tokens import by_bearer
from schemas.endpoint_api import (
    DisableEndpoint,
    EndpointChanges,
    EndpointPage,
    NewEndpoint,
    Recovered,
    RecoverEndpoint,
    RotateSecret,
)
from stores.delivery_desk import DeliveryDesk
from stores.endpoints import MAX_PAGE, Endpoints, Which

PATH = "/endpoints"
NO_CONTENT = 204


class Desk:
    """The operations."""

    def __init__(self, endpoints: Endpoints, deliveries: DeliveryDesk) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries

    async def create(self, call: Call) -> Reply:
        wanted: NewEndpoint = call.body
        return Reply(await desk.create(self._endpoints, wanted, call.received_at))

    async def list(self, call: Call) -> Reply:
        only(call.query, ("owner", "channel", "enabled", "after", "limit"))
        limit = page_size(call.query, MAX_PAGE)
        which = Which(call.query.get("owner"), call.query.get("channel"), truth(call.query, "enabled"))
        found = await self._endpoints.page(which, after=call.query.get("after"), limit=limit)
        return Reply(EndpointPage([desk.show(each) for each in found], found[-1].id if len(found) == limit else None))

    async def show(self, call: Call) -> Reply:
        return Reply(desk.show(await desk.find(self._endpoints, id_in(call.path))))

    async def update(self, call: Call) -> Reply:
        changes: EndpointChanges = call.body
        return Reply(await desk.update(self._endpoints, id_in(call.path), changes))

    async def delete(self, call: Call) -> Reply:
        await desk.delete(self._endpoints, id_in(call.path), call.received_at)
        return Reply()

    async def rotate_secret(self, call: Call) -> Reply:
        wanted: RotateSecret = call.body
        return Reply(await desk.rotate_secret(self._endpoints, id_in(call.path), wanted, call.received_at))

    async def test(self, call: Call) -> Reply:
        push, sent = await desk.trial_push(self._endpoints, id_in(call.path), call.received_at)
        return Reply(sent, (msgspec.structs.replace(push, traceparent=call.traceparent),))

    async def enable(self, call: Call) -> Reply:
        return Reply(await desk.enable(self._endpoints, id_in(call.path)))

    async def disable(self, call: Call) -> Reply:
        body: DisableEndpoint = call.body
        return Reply(await desk.disable(self._endpoints, id_in(call.path), body.reason, call.received_at))

    async def recover(self, call: Call) -> Reply:
        body: RecoverEndpoint = call.body
        recovered = await desk.recover(self._endpoints, self._deliveries, id_in(call.path), body.since)
        return Reply(Recovered(recovered))


def id_in(path: str) -> str:
    """The id in a path `/endpoints/{id}...`."""
    return path.removeprefix(f"{PATH}/").partition("/")[0]


def endpoints_system(settings: PushSettings, endpoints: Endpoints, deliveries: DeliveryDesk) -> System:
    authenticate = by_bearer(settings.tokens, "FANFOLD_PUSH__TOKENS")
    served = Desk(endpoints, deliveries)

    def operation(
        operation_id: str,
        method: str,
        path: str,
        handle: Callable[[Call], Awaitable[Reply]],
        body: type[msgspec.Struct] | None = None,
        status: int = 200,
    ) -> Operation:
        return Operation(
            operation_id, method, PATH + path, handle, authenticate, body, success_status=status, security=("back-end",)
        )

    return System(
        name="endpoints",
        prefix=PATH,
        operations=(
            operation("createEndpoint", "POST", "", served.create, NewEndpoint, 201),
            operation("listEndpoints", "GET", "", served.list),
            operation("getEndpoint", "GET", "/{id}", served.show),
            operation("updateEndpoint", "PATCH", "/{id}", served.update, EndpointChanges),
            operation("deleteEndpoint", "DELETE", "/{id}", served.delete, status=NO_CONTENT),
            operation("rotateEndpointSecret", "POST", "/{id}/rotate-secret", served.rotate_secret, RotateSecret),
            operation("testEndpoint", "POST", "/{id}/test", served.test, status=202),
            operation("enableEndpoint", "POST", "/{id}/enable", served.enable),
            operation("disableEndpoint", "POST", "/{id}/disable", served.disable, DisableEndpoint),
            operation("recoverEndpoint", "POST", "/{id}/recover", served.recover, RecoverEndpoint),
        ),
        succeed=succeed,
        refuse=problem,
        contract="endpoints.yaml",
        security_schemes={"back-end": {"type": "http", "scheme": "bearer"}},
    )


def succeed(data: object, status: int) -> Answer:
    return Answer(status, b"" if status == NO_CONTENT else msgspec.json.encode(data))
