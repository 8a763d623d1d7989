"""Endpoints as they are kept: address, options and secrets encrypted, everything else to be searched.

A change stamps `updated_at` by the store's own clock: many write, and who asks what has
changed since an instant must miss none of them. One that is deleted stays as a
tombstone for as long, without its secrets, so that it is seen to be gone.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from pymongo import ReturnDocument

from schemas.cloudevents import to_millisecond
from schemas.endpoint import Endpoint
from schemas.errors import Refused
from stores.collections import ENDPOINTS
from stores.mongo import IDS_PER_FIND, Database, Document, translated
from stores.vault import Vault

MAX_PAGE = 500
MOST_SECRETS = 5
"""Of one endpoint at a time: each signs every message."""
STAMPED = {"$currentDate": {"updated_at": True}}
_LIVE: Document = {"deleted": False}
_SOUND = {"disabled_reason": None, "disabled_at": None, "failing_since": None}
_ROUTED = {"url": 0, "options": 0, "secrets": 0}


class Which(msgspec.Struct, frozen=True):
    """A choice of endpoints; None chooses all."""

    owner: str | None = None
    channel: str | None = None
    enabled: bool | None = None

    @property
    def filter(self) -> Document:
        chosen = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        return chosen | _LIVE


class Kept(msgspec.Struct, frozen=True):
    """A secret as it is kept. The newest has no `until`; the others sign no more from then on."""

    value: str
    until: datetime | None = None


class Endpoints:
    """The collection. Everything may raise StoreAway; what reads or writes secrets, Refused by the vault."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._endpoints = database[ENDPOINTS]
        self._vault = vault

    # ---- managing ---------------------------------------------------------------------------------------------------

    async def create(self, endpoint: Endpoint) -> None:
        document: Document = msgspec.to_builtins(endpoint, builtin_types=(datetime,))
        document["_id"] = document.pop("id")
        document |= self._locked({"url": endpoint.url, "options": endpoint.options})
        document["secrets"] = _documents([Kept(self._vault.encrypt(secret)) for secret in endpoint.secrets])
        with translated():
            await self._endpoints.insert_one(document | _LIVE)

    async def find(self, endpoint_id: str) -> Endpoint | None:
        with translated():
            document = await self._endpoints.find_one({"_id": endpoint_id, **_LIVE})
        return None if document is None else self._endpoint(document)

    async def page(self, which: Which, *, after: str | None = None, limit: int = 50) -> list[Endpoint]:
        """At most `limit` endpoints, newest first, from behind the endpoint `after`, which may be gone."""
        chosen = which.filter if after is None else {**which.filter, "_id": {"$lt": after}}
        with translated():
            documents = await self._endpoints.find(chosen).sort([("_id", -1)]).limit(min(limit, MAX_PAGE)).to_list()
        return [self._endpoint(document) for document in documents]

    async def update(self, endpoint_id: str, fields: Mapping[str, Any]) -> Endpoint | None:
        """Set these fields of an endpoint, the later of two writers last. None where there is none."""
        changed = {**fields, **self._locked(fields)}
        if "url" in fields:
            # For how long another address has failed says nothing of this one.
            changed["failing_since"] = None
        return await self._change(endpoint_id, changed)

    async def rotate(self, endpoint_id: str, secret: str, until: datetime, now: datetime) -> Endpoint | None:
        """Put a new secret before the others, which are good `until` an instant. None where there is no endpoint."""
        encrypted = self._vault.encrypt(secret)
        while True:
            with translated():
                document = await self._endpoints.find_one({"_id": endpoint_id, **_LIVE}, {"secrets": 1})
            if document is None:
                return None
            kept = rotated(_kept(document), encrypted, until, now)
            # As it was read: of two that rotate at once, neither loses the other's secret.
            unchanged = {"secrets": document["secrets"]}
            changed = await self._change(endpoint_id, {"secrets": _documents(kept)}, unchanged)
            if changed is not None:
                return changed

    async def enable(self, endpoint_id: str) -> Endpoint | None:
        """With a clean slate: it has not failed since."""
        return await self._change(endpoint_id, {"enabled": True, **_SOUND})

    async def disable(self, endpoint_id: str, reason: str, at: datetime) -> Endpoint | None:
        """One that is disabled already keeps its reason."""
        disabled = {"enabled": False, "disabled_reason": reason, "disabled_at": at}
        return await self._change(endpoint_id, disabled, {"enabled": True}) or await self.find(endpoint_id)

    async def delete(self, endpoint_id: str, now: datetime) -> bool:
        """Whether there was one. Its address and secrets are gone at once."""
        tombstone = {"deleted": True, "deleted_at": now, "enabled": False, "disabled_reason": "deleted"}
        emptied: Document = {"url": "", "options": "", "secrets": []}
        with translated():
            result = await self._endpoints.update_one(
                {"_id": endpoint_id, **_LIVE}, {"$set": {**tombstone, **emptied}, **STAMPED}
            )
        return result.modified_count == 1

    async def renew(self) -> AsyncIterator[str]:
        """Encrypt everything with the newest key, so that older ones can be taken away; the ids of those done."""
        with translated():
            ids = [document["_id"] async for document in self._endpoints.find(_LIVE, {"_id": 1})]
        for endpoint_id in ids:
            while not await self._renew(endpoint_id):
                pass
            yield endpoint_id

    async def _renew(self, endpoint_id: str) -> bool:
        """False where somebody changed it meanwhile."""
        with translated():
            document = await self._endpoints.find_one(
                {"_id": endpoint_id, **_LIVE}, {"url": 1, "options": 1, "secrets": 1}
            )
        if document is None:
            return True
        renewed = {name: self._vault.renew(document[name]) for name in ("url", "options")}
        kept = [msgspec.structs.replace(each, value=self._vault.renew(each.value)) for each in _kept(document)]
        with translated():
            # Not stamped: nothing has changed for those who read it.
            result = await self._endpoints.update_one(document, {"$set": {**renewed, "secrets": _documents(kept)}})
        return result.matched_count == 1

    async def _change(
        self, endpoint_id: str, fields: Mapping[str, Any], only_where: Mapping[str, Any] | None = None
    ) -> Endpoint | None:
        with translated():
            document = await self._endpoints.find_one_and_update(
                {"_id": endpoint_id, **_LIVE, **(only_where or {})},
                {"$set": dict(fields), **STAMPED},
                return_document=ReturnDocument.AFTER,
            )
        return None if document is None else self._endpoint(document)

    # ---- routing: without addresses, options and secrets, of which a router has no need -----------------------------

    async def of_owners(self, owners: Sequence[str]) -> dict[str, list[Endpoint]]:
        """The enabled endpoints of each owner that has any."""
        found: dict[str, list[Endpoint]] = {}
        for start in range(0, len(owners), IDS_PER_FIND):
            some = {"owner": {"$in": list(owners[start : start + IDS_PER_FIND])}, "enabled": True, **_LIVE}
            with translated():
                for document in await self._endpoints.find(some, _ROUTED).sort([("_id", 1)]).to_list():
                    found.setdefault(document["owner"], []).append(self._endpoint(document))
        return found

    async def serving(self, source: str) -> list[Endpoint]:
        """The enabled endpoints through which contacts with accounts of this source are reached."""
        chosen = {"serves": source, "enabled": True, **_LIVE}
        with translated():
            documents = await self._endpoints.find(chosen, _ROUTED).sort([("_id", 1)]).to_list()
        return [self._endpoint(document) for document in documents]

    # ---- dispatching ------------------------------------------------------------------------------------------------

    async def by_ids(self, endpoint_ids: Sequence[str]) -> list[Endpoint]:
        """Those that there are."""
        found = []
        for start in range(0, len(endpoint_ids), IDS_PER_FIND):
            some = {"_id": {"$in": list(endpoint_ids[start : start + IDS_PER_FIND])}, **_LIVE}
            with translated():
                found += await self._endpoints.find(some).to_list()
        return [self._endpoint(document) for document in found]

    async def changed_since(self, instant: datetime) -> list[Endpoint]:
        """What has changed, deleted ones (as disabled) and those with a secret whose time is over among them."""
        lapsed = {"$gte": instant, "$lte": datetime.now(UTC)}
        with translated():
            changed = await self._endpoints.find({"updated_at": {"$gte": instant}}).to_list()
            changed += await self._endpoints.find({"secrets.until": lapsed}).to_list()
        return [self._endpoint(document) for document in {each["_id"]: each for each in changed}.values()]

    async def mark_failing(self, endpoint_id: str, since: datetime) -> None:
        """Note since when it fails, unless it is noted."""
        await self._note({"_id": endpoint_id, "failing_since": None, **_LIVE}, {"failing_since": since})

    async def clear_failing(self, endpoint_id: str) -> None:
        await self._note({"_id": endpoint_id, **_LIVE}, {"failing_since": None})

    async def _note(self, which: Document, fields: Document) -> None:
        with translated():
            await self._endpoints.update_one(which, {"$set": fields, **STAMPED})

    # ---- what is encrypted ------------------------------------------------------------------------------------------

    def _locked(self, fields: Mapping[str, Any]) -> Document:
        """Those of the fields that are encrypted, encrypted."""
        locked = {}
        if "url" in fields:
            locked["url"] = self._vault.encrypt(fields["url"])
        if "options" in fields:
            # Headers to be sent along hold keys as well.
            locked["options"] = self._vault.encrypt(msgspec.json.encode(fields["options"]).decode())
        return locked

    def _endpoint(self, document: Document) -> Endpoint:
        try:
            opened = self._opened(document)
        except Refused as refused:
            raise Refused(refused.reason, f"endpoint {document['_id']}: {refused}") from None
        return msgspec.convert({**document, **opened, "id": document["_id"]}, Endpoint)

    def _opened(self, document: Document) -> Document:
        now = datetime.now(UTC)
        url, options = document.get("url"), document.get("options")
        return {
            "url": self._vault.decrypt(url) if url else "",
            "options": msgspec.json.decode(self._vault.decrypt(options)) if options else {},
            "secrets": tuple(self._vault.decrypt(kept.value) for kept in _kept(document) if _good(kept, now)),
        }


def rotated(kept: Iterable[Kept], encrypted: str, until: datetime, now: datetime) -> list[Kept]:
    """The new secret, and behind it those of the others that are good for a while yet; at most MOST_SECRETS."""
    last = to_millisecond(until)
    older = [Kept(each.value, last if each.until is None else min(each.until, last)) for each in kept]
    return [Kept(encrypted), *(each for each in older if _good(each, now))][:MOST_SECRETS]


def _good(kept: Kept, now: datetime) -> bool:
    return kept.until is None or kept.until > now


def _kept(document: Document) -> list[Kept]:
    return [Kept(each["value"], each.get("until")) for each in document.get("secrets", ())]


def _documents(kept: Iterable[Kept]) -> list[Document]:
    return [
        {"value": each.value} if each.until is None else {"value": each.value, "until": each.until} for each in kept
    ]
