"""openim/admin_getroammsg: the messages of a conversation as one of the two has them.

Pages go from the newest to the oldest; inside a page messages ascend. A page ends by number or by size, and is
continued behind its oldest message, which LastMsgKey names. That key does not say the direction: two messages
of opposite directions with one key, which only imports bring about, are never parted.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

import msgspec
from msgspec import UNSET

from gateway.im.frame import Caller, Command
from gateway.im.messages_facts import FIELD_CODES, FROM_BAD, TO_BAD, checked_key
from gateway.im.services import OPENIM
from gateway.system import Reply
from schemas.im.codes import Failed
from schemas.im.message import MAX_UINT32, edge_of, parse_key, side_of
from schemas.im.message_bodies import GetRoamMsg, RoamMsg, RoamMsgs
from stores.im.accounts import existing
from stores.im.conversations import cleared_up_to
from stores.im.messages import Stored, history
from stores.mongo import Database

MAX_PAGE_BYTES = 13 * 1024
ENVELOPE_BYTES = 256
"""What an answer has besides its messages, at most."""
MOST_IN_PAGE = MAX_PAGE_BYTES // 200
"""More do not fit: a message without a word in it has over 200 bytes."""

RECALLED = 8
"""MsgFlagBits."""

_encode = msgspec.json.Encoder().encode


class History:
    def __init__(self, database: Database, kept: timedelta) -> None:
        self._database = database
        self._kept = kept

    async def get(self, caller: Caller, body: GetRoamMsg) -> Reply:
        app, owner, peer = caller.app, body.operator_account, body.peer_account
        last = None if not body.last_msg_key else checked_key(body.last_msg_key)
        known = await existing(self._database, app, (owner, peer))
        if owner not in known:
            raise Failed(FROM_BAD)
        if peer not in known:
            raise Failed(TO_BAD)
        oldest = int((caller.at - self._kept).timestamp())
        first = edge_of(min(max(body.min_time, oldest), MAX_UINT32))
        before = edge_of(min(body.max_time, MAX_UINT32) + 1)
        if last is not None:
            before = min(before, last.order)
        most = min(body.max_cnt, MOST_IN_PAGE)
        cleared = await cleared_up_to(self._database, app.id, owner, peer)
        # Two more: the other half of a pair, and one that tells that there is more.
        found = await history(self._database, side_of(app.id, owner, peer), first, before, cleared, most + 2, caller.at)
        return Reply(_page(found, most))


def _page(found: Sequence[Stored], most: int) -> RoamMsgs:
    """Of messages, newest first, those that fit."""
    written: list[bytes] = []
    oldest: Stored | None = None
    room = MAX_PAGE_BYTES - ENVELOPE_BYTES
    for _, group in groupby(found, key=lambda message: message.order):
        messages = list(group)
        together = [_encode(_roamed(message)) for message in messages]
        room -= sum(len(one) + 1 for one in together)
        if written and (room < 0 or len(written) + len(together) > most):
            break
        written += together
        oldest = messages[-1]
    key = None if oldest is None else parse_key(oldest.key)
    return RoamMsgs(
        complete=int(len(written) == len(found)),
        msg_cnt=len(written),
        last_msg_time=UNSET if key is None else key.time,
        last_msg_key=UNSET if key is None else str(key),
        msg_list=tuple(msgspec.Raw(one) for one in reversed(written)),
    )


def _roamed(message: Stored) -> RoamMsg:
    seq, random, at = map(int, message.key.split("_"))
    return RoamMsg(
        from_account=message.sender,
        to_account=message.receiver,
        msg_seq=seq,
        msg_random=random,
        msg_time_stamp=at,
        msg_flag_bits=RECALLED if message.withdrawn else 0,
        is_peer_read=int(message.peer_read),
        msg_key=message.key,
        msg_body=message.body,
        cloud_custom_data=UNSET if message.custom_data is None else message.custom_data,
    )


def history_commands(database: Database, kept: timedelta) -> Sequence[Command]:
    """`kept`: how far back messages are shown."""
    return (
        Command(
            operation_id="imAdminGetRoamMsg",
            service=OPENIM,
            name="admin_getroammsg",
            body=GetRoamMsg,
            handle=History(database, kept).get,
            field_codes=FIELD_CODES,
        ),
    )
