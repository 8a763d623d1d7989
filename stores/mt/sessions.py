"""Sessions of people in the portals: a bearer token each, of which only the hash is kept."""

import hashlib
from datetime import datetime

from schemas.mt.access import Principal, Role
from stores.mongo import Database, translated

SESSIONS = "sessions"


class Sessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def principal(self, token: str, at: datetime) -> Principal | None:
        """Who holds the token, where it is known and not expired. Raises StoreAway."""
        with translated():
            found = await self._database[SESSIONS].find_one({"_id": key_of(token)})
        if found is None or found["expires_at"] <= at:
            return None
        return Principal(
            role=Role(found["role"]),
            user_id=found["user_id"],
            name=found["name"],
            merchant_id=found.get("merchant_id"),
        )


def key_of(token: str) -> str:
    """Tokens are random and long, so a plain hash cannot be turned round."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
