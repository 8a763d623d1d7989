"""The endpoints that deliveries go to, kept up to date while the dispatcher works."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from schemas.endpoint import Endpoint
from stores.endpoints import Endpoints

OVERLAP = timedelta(seconds=60)
"""What changed just before the last look is asked for again: clocks differ, and writes take time to show."""


class Book:
    """Everything may raise StoreAway."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._known: dict[str, Endpoint | None] = {}
        self._looked_at = datetime.now(UTC)

    def known(self, endpoint_id: str) -> Endpoint | None:
        """As last seen; None where there is none, or it has not been looked up."""
        return self._known.get(endpoint_id)

    async def learn(self, endpoint_ids: Iterable[str]) -> None:
        """Look up those that are not known yet, all at once."""
        unknown = [key for key in dict.fromkeys(endpoint_ids) if key not in self._known]
        if unknown:
            found = {endpoint.id: endpoint for endpoint in await self._endpoints.by_ids(unknown)}
            self._known.update({key: found.get(key) for key in unknown})

    async def find(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint; None where there is none (any more)."""
        await self.learn([endpoint_id])
        return self._known[endpoint_id]

    async def refresh(self) -> set[str]:
        """Take over what has changed since the last look; returns which of ours it was."""
        now = datetime.now(UTC)
        changed = {endpoint.id: endpoint for endpoint in await self._endpoints.changed_since(self._looked_at - OVERLAP)}
        ours = {key for key, endpoint in changed.items() if key in self._known and self._known[key] != endpoint}
        self._known.update({key: changed[key] for key in ours})
        self._looked_at = now
        return ours

    def forget(self, endpoint_id: str) -> None:
        self._known.pop(endpoint_id, None)

    async def failed(self, endpoint: Endpoint, at: datetime) -> Endpoint:
        """Note that it fails, since the first failure after its last success."""
        if endpoint.failing_since is None:
            await self._endpoints.mark_failing(endpoint.id, at)
            self.forget(endpoint.id)
            return await self.find(endpoint.id) or endpoint
        return endpoint

    async def succeeded(self, endpoint: Endpoint) -> None:
        if endpoint.failing_since is not None:
            await self._endpoints.clear_failing(endpoint.id)
            self.forget(endpoint.id)

    async def disable(self, endpoint: Endpoint, reason: str, at: datetime) -> None:
        await self._endpoints.disable(endpoint.id, reason, at)
        self.forget(endpoint.id)
