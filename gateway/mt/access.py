"""Who may call which portal, and whose data they reach: decided here and nowhere else.

The contract documents no authentication. A bearer token is expected: one of
`FANFOLD_METERING__TOKENS`, for services, or that of a session, for people.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from config.settings import MeteringSettings
from gateway.system import Call
from gateway.tokens import bearer_token
from schemas.errors import Refused
from schemas.mt.access import EVERYTHING, Principal, Role, Scope

ROLES = {
    "/mt/beeback/": frozenset({Role.CUSTOMER}),
    "/mt/crm/": frozenset({Role.OPERATOR}),
    "/mt/sales/": frozenset({Role.SALESMAN}),
    "/mt/portal/": frozenset(Role),
}
"""Who may call what is below a path."""

FindSession = Callable[[str, datetime], Awaitable[Principal | None]]
CustomersOf = Callable[[int], Awaitable[frozenset[int]]]


class Admitted(msgspec.Struct, frozen=True):
    principal: Principal
    scope: Scope


class Access:
    """`find_session` tells who holds a session's token, `customers_of` which customers a salesman's user id has."""

    def __init__(self, settings: MeteringSettings, find_session: FindSession, customers_of: CustomersOf) -> None:
        self._services = {_digest(token.get_secret_value()): who.principal for token, who in settings.tokens.items()}
        self._find_session = find_session
        self._customers_of = customers_of

    async def admit(self, call: Call) -> Admitted:
        """Refuses unauthenticated and forbidden. Raises StoreAway."""
        token = bearer_token(call.headers)
        if token is None:
            raise Refused("unauthenticated", "send a token as Authorization: Bearer")
        # Looked up by its digest: how long that takes tells nothing of the tokens that are known.
        principal = self._services.get(_digest(token)) or await self._find_session(token, call.received_at)
        if principal is None:
            raise Refused("unauthenticated", "the token is not known, or its session has ended")
        if principal.role not in roles_of(call.path):
            raise Refused("forbidden", f"not for the role {principal.role}")
        return Admitted(principal, await self._scope(principal))

    async def _scope(self, principal: Principal) -> Scope:
        match principal.role:
            case Role.OPERATOR:
                return EVERYTHING
            case Role.SALESMAN:
                return Scope(await self._customers_of(principal.user_id))
            case Role.CUSTOMER:
                # A principal of this role without a customer cannot be made; it would reach nobody's data.
                return Scope(frozenset(() if principal.merchant_id is None else (principal.merchant_id,)))


def roles_of(path: str) -> frozenset[Role]:
    return next((roles for prefix, roles in ROLES.items() if path.startswith(prefix)), frozenset())


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
