"""Pushes as they were routed: what a repeat goes by."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from pymongo.read_concern import ReadConcern

from handlers.routing import Routed
from stores.collections import PUSHES
from stores.mongo import IDS_PER_FIND, Database, translated


def document_of(routed: Routed) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(routed, builtin_types=(datetime,))
    return body


async def routed_pushes(database: Database, identities: Sequence[str]) -> dict[str, Routed]:
    """Those of the pushes that have been routed. Raises StoreAway."""
    pushes = database.get_collection(PUSHES, read_concern=ReadConcern("majority"))
    routed: dict[str, Routed] = {}
    for start in range(0, len(identities), IDS_PER_FIND):
        with translated():
            async for document in pushes.find({"_id": {"$in": list(identities[start : start + IDS_PER_FIND])}}):
                routed[document["_id"]] = msgspec.convert(document, Routed)
    return routed
