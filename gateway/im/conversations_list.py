"""recentcontact: the list of a user's conversations, and taking one off it.

The list ascends by time, as in the contract's example: a conversation that moves while pages are read comes again
at the end, and none is missed. A cursor is the time and the place of what came last. Groups have no
conversations here yet.
"""

from collections.abc import Sequence
from heapq import merge

import msgspec
from ulid import ULID

from gateway.im.frame import Caller, Command
from gateway.im.messages_facts import fact
from gateway.im.services import RECENT_CONTACT
from gateway.system import Reply
from handlers.im.conversations import list_order
from schemas.im.codes import Failed
from schemas.im.ids import is_user_id
from schemas.im.message import DELETED, ConversationDeleted, conversation_of
from schemas.im.message_lists import (
    PINNED_APART,
    PINNED_PAGED,
    WITH_EMPTY,
    DeleteContact,
    GetList,
    SessionItem,
    Sessions,
)
from stores.im.accounts import existing
from stores.im.conversations import Listed, conversations_of
from stores.mongo import Database

PAGE = 100
UNKNOWN, BAD_PARAMETER = 50001, 50002
BETWEEN_TWO = 1


class Part(msgspec.Struct, frozen=True):
    """A part of a list, and whether it is the last."""

    items: Sequence[Listed]
    ends: bool
    cursor: str
    """Behind what came last."""


class ConversationList:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: Caller, body: GetList) -> Reply:
        if body.from_account not in await existing(self._database, caller.app, (body.from_account,)):
            raise Failed(UNKNOWN)
        top = list_order(body.top_time_stamp, body.top_start_index)
        plain = list_order(body.time_stamp, body.start_index)
        app, owner = caller.app.id, body.from_account
        if body.assist_flags & PINNED_APART:
            limit = PAGE if body.assist_flags & PINNED_PAGED else None
            pinned = await self._part(app, owner, (True,), top, limit)
            others = await self._part(app, owner, (False,), plain, max(0, PAGE - len(pinned.items)))
        else:
            pinned = Part((), True, top)
            others = await self._part(app, owner, (True, False), plain, PAGE)
        time_stamp, start_index = _cursor(others.cursor)
        top_time_stamp, top_start_index = _cursor(pinned.cursor)
        items = [_item(item, pinned=True) for item in _shown(pinned, body.assist_flags)]
        items += [_item(item, pinned=False) for item in _shown(others, body.assist_flags)]
        sessions = Sessions(
            session_item=tuple(items),
            complete_flag=1 if pinned.ends and others.ends else 0,
            time_stamp=time_stamp,
            start_index=start_index,
            top_time_stamp=top_time_stamp,
            top_start_index=top_start_index,
        )
        return Reply(sessions)

    async def _part(self, app: str, owner: str, pinned: Sequence[bool], after: str, limit: int | None) -> Part:
        """`pinned`: which kinds, in one order."""
        more = None if limit is None else limit + 1
        found = [
            await conversations_of(self._database, app, owner, pinned=kind, after=after, limit=more) for kind in pinned
        ]
        rows = list(merge(*found, key=lambda row: row.order))
        items = rows[:limit]
        return Part(items, len(items) == len(rows), items[-1].order if items else after)

    async def delete(self, caller: Caller, body: DeleteContact) -> Reply:
        """The peer need not exist any more."""
        peer = body.to_account
        if body.type != BETWEEN_TWO or peer is None or not is_user_id(peer):
            raise Failed(BAD_PARAMETER)
        if body.from_account not in await existing(self._database, caller.app, (body.from_account,)):
            raise Failed(UNKNOWN)
        app = caller.app.id
        deleted = ConversationDeleted(
            conversation=conversation_of(app, body.from_account, peer),
            app=app,
            owner=body.from_account,
            peer=peer,
            history_cleared=bool(body.clear_ramble),
        )
        return Reply(facts=(fact(caller, f"deleted/{ULID()}", DELETED, deleted.conversation, caller.at, deleted),))


def conversation_list_commands(database: Database) -> Sequence[Command]:
    own = ConversationList(database)
    return (
        Command(
            operation_id="imRecentContactGetList",
            service=RECENT_CONTACT,
            name="get_list",
            body=GetList,
            handle=own.get,
        ),
        Command(
            operation_id="imRecentContactDelete",
            service=RECENT_CONTACT,
            name="delete",
            body=DeleteContact,
            handle=own.delete,
        ),
    )


def _shown(part: Part, flags: int) -> list[Listed]:
    return [item for item in part.items if flags & WITH_EMPTY or not item.empty]


def _item(item: Listed, *, pinned: bool) -> SessionItem:
    return SessionItem(to_account=item.peer, msg_time=_cursor(item.order)[0], top_flag=1 if pinned else 0)


def _cursor(order: str) -> tuple[int, int]:
    """Time and place."""
    seconds, _, place = order.partition(".")
    return int(seconds), int(place)
