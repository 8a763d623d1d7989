"""How much is unread, and the list of conversations."""

from collections.abc import Sequence

from msgspec import UNSET

from gateway.im.frame import Caller, Command
from gateway.im.messages_facts import FIELD_CODES, ITEM_UNKNOWN, TO_BAD
from gateway.im.services import OPENIM
from gateway.system import Reply
from schemas.im.codes import Failed
from schemas.im.message_bodies import MAX_PEERS, GetUnreadNum, PeerError, PeerUnread, TotalUnread, UnreadOfPeers
from stores.im import conversations
from stores.im.accounts import existing
from stores.mongo import Database

TOO_MANY_PEERS, NO_PEERS = 90018, 90010


class Conversations:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def unread(self, caller: Caller, body: GetUnreadNum) -> Reply:
        """Of all conversations together, or of each of some; as far as messages are folded."""
        peers = tuple(dict.fromkeys(body.peer_account or ()))
        if body.peer_account is not None and not peers:
            raise Failed(NO_PEERS, "Peer_Account is empty")
        if len(peers) > MAX_PEERS:
            raise Failed(TOO_MANY_PEERS, f"at most {MAX_PEERS} conversations, not {len(peers)}")
        known = await existing(self._database, caller.app, (body.to_account, *peers))
        if body.to_account not in known:
            raise Failed(TO_BAD)
        if not peers:
            return Reply(
                TotalUnread(total=await conversations.unread_total(self._database, caller.app.id, body.to_account))
            )
        good = [peer for peer in peers if peer in known]
        numbers = await conversations.unread_of(self._database, caller.app.id, body.to_account, good)
        errors = tuple(PeerError(peer_account=peer, error_code=ITEM_UNKNOWN) for peer in peers if peer not in known)
        found = tuple(PeerUnread(peer_account=peer, number=numbers[peer]) for peer in good)
        return Reply(UnreadOfPeers(numbers=found, error_list=errors or UNSET))


def conversation_commands(database: Database) -> Sequence[Command]:
    own = Conversations(database)
    return (
        Command(
            operation_id="imGetC2CUnreadMsgNum",
            service=OPENIM,
            name="get_c2c_unread_msg_num",
            body=GetUnreadNum,
            handle=own.unread,
            field_codes={**FIELD_CODES, "Peer_Account": NO_PEERS},
        ),
    )
