"""Sessions of people in the portals: a bearer token each, of which only the hash is kept."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec

from schemas.mt.access import Principal, Role
from stores.mongo import Database, translated

SESSIONS = "sessions"
TOKEN_BYTES = 32
SHOWN_CHARS = 16
"""Of a hash: enough to name a session by."""
MAX_LISTED = 1_000


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """As it is listed; `id` is the beginning of its token's hash."""

    id: str
    role: Role
    user_id: int
    name: str = ""
    merchant_id: int | None = None
    created_at: datetime | None = None
    expires_at: datetime


class Sessions:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._sessions = database[SESSIONS]

    async def principal(self, token: str, at: datetime) -> Principal | None:
        """Who holds the token, where it is known and not expired."""
        with translated():
            found = await self._sessions.find_one({"_id": key_of(token)})
        if found is None or found["expires_at"] <= at:
            return None
        return Principal(
            role=Role(found["role"]),
            user_id=found["user_id"],
            name=found["name"],
            merchant_id=found.get("merchant_id"),
        )

    async def create(self, principal: Principal, lasting: timedelta, at: datetime) -> str:
        """A new token. It is told here and never again."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        document: dict[str, Any] = {
            "_id": key_of(token),
            "role": principal.role.value,
            "user_id": principal.user_id,
            "name": principal.name,
            "lasting_seconds": int(lasting.total_seconds()),
            "created_at": at,
            "expires_at": at + lasting,
        }
        if principal.merchant_id is not None:
            document["merchant_id"] = principal.merchant_id
        with translated():
            await self._sessions.insert_one(document)
        return token

    async def refresh(self, token: str, at: datetime) -> None:
        """Let it last as long from now on as it did from the beginning; nothing for a token of a service."""
        with translated():
            found = await self._sessions.find_one({"_id": key_of(token)})
            if found is not None and "lasting_seconds" in found:
                until = at + timedelta(seconds=found["lasting_seconds"])
                await self._sessions.update_one({"_id": found["_id"]}, {"$max": {"expires_at": until}})

    async def list(self, at: datetime) -> list[Session]:
        """Those that are not expired, the one that ends last first."""
        with translated():
            found = (
                await self._sessions.find({"expires_at": {"$gt": at}})
                .sort("expires_at", -1)
                .limit(MAX_LISTED)
                .to_list()
            )
        return [msgspec.convert({**each, "id": each["_id"][:SHOWN_CHARS]}, Session) for each in found]

    async def revoke(self, session_id: str) -> int:
        """End the sessions whose ids begin so; how many there were. Raises ValueError for what is no id."""
        if len(session_id) < SHOWN_CHARS or set(session_id) - set("0123456789abcdef"):
            raise ValueError(f"{session_id[:80]!r} is no id of a session: `list` shows them")
        with translated():
            deleted = await self._sessions.delete_many({"_id": {"$gte": session_id, "$lt": session_id + "g"}})
        return deleted.deleted_count


def key_of(token: str) -> str:
    """Tokens are random and long, so a plain hash cannot be turned round."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
