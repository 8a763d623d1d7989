"""The frame of every call of the metering platform: who calls, for whose data, with what body.

A module declares its operations; the frame makes routes of them.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from channels.net import Net
from config.settings import Settings
from gateway.mt.access import Access, Admitted
from gateway.system import Call, Operation, Reply
from schemas.mt.access import Principal, Scope
from schemas.mt.common import Zone
from stores.mongo import Database
from stores.vault import Vault

SECURITY = "session"


class Tools(msgspec.Struct, frozen=True):
    """What operations work with. `net` is None where nothing is sent, only described."""

    settings: Settings
    database: Database
    zone: Zone
    vault: Vault
    """For personal data and for secrets at rest."""
    net: Net | None = None


class Asked(msgspec.Struct, frozen=True):
    """One call that was let in."""

    call: Call
    admitted: Admitted
    operation: "MtOperation"

    @property
    def body(self) -> Any:
        return self.call.body

    @property
    def at(self) -> datetime:
        """When the call came in, in UTC."""
        return self.call.received_at

    @property
    def principal(self) -> Principal:
        return self.admitted.principal

    @property
    def scope(self) -> Scope:
        return self.admitted.scope

    def param(self, name: str) -> str:
        """A parameter of the path."""
        for asked, sent in zip(self.operation.path.split("/"), self.call.path.split("/"), strict=False):
            if asked == "{" + name + "}":
                return sent
        raise KeyError(name)


class MtOperation(msgspec.Struct, frozen=True):
    """An operation of the contract, as a module declares it. `body` None: none, or not one of JSON (`call.raw_bytes`).

    `handle` answers data for the envelope, or an `Answer` of its own where the contract wants no envelope.
    """

    operation_id: str
    method: str
    path: str
    handle: Callable[[Asked], Awaitable[Reply]]
    body: type[msgspec.Struct] | None = None


Declares = Callable[[Tools], Sequence[MtOperation]]


class Frame:
    """Makes routes of operations, for who has access."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def route(self, operation: MtOperation) -> Operation:
        async def handle(call: Call) -> Reply:
            return await operation.handle(Asked(call, call.admitted, operation))

        return Operation(
            operation.operation_id,
            operation.method,
            operation.path,
            handle,
            _anybody,
            operation.body,
            admit=self._access.admit,
            security=(SECURITY,),
        )


def _anybody(_call: Call) -> None:
    """Whether to let a caller in takes a look at the store: `admit` does that."""
