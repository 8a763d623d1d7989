"""Recalls that were told before their messages: a callback may overtake another.

`im_recalls`, one document for each time that somebody told of a recall, kept for thirty days: `message`
is the `_id` of the message that is meant.
"""

from collections.abc import Sequence

from handlers.im.conversations import MESSAGES
from handlers.im.messages import RECALLS
from stores.mongo import IDS_PER_FIND, Database, translated


async def recalled_before(database: Database, messages: Sequence[str]) -> set[str]:
    """Which of these messages, that are here now, were told as recalled and are not shown so.

    Raises StoreAway.
    """
    found: set[str] = set()
    for start in range(0, len(messages), IDS_PER_FIND):
        some = list(messages[start : start + IDS_PER_FIND])
        with translated():
            told = await database[RECALLS].find({"message": {"$in": some}}, {"message": 1}).to_list()
            if not told:
                continue
            marked = {"_id": {"$in": list({row["message"] for row in told})}, "withdrawn": False}
            found |= {row["_id"] for row in await database[MESSAGES].find(marked, {"_id": 1}).to_list()}
    return found
