"""openim_msg_ext_http_svc: extensions of messages between two are set, deleted, cleared, and read at once."""

from collections.abc import Sequence
from functools import partial

from gateway.im.frame import Caller, Command
from gateway.im.messages_changes import NOT_FOUND, stored_message
from gateway.im.messages_facts import checked_key
from gateway.im.services import MESSAGE_EXTENSIONS
from gateway.system import Reply
from handlers.im.extensions import Outcome, clear_pairs, delete_pairs, set_pairs, shown
from schemas.im.codes import Failed
from schemas.im.extensions import (
    CLEAR,
    MAX_PAIRS_AT_ONCE,
    SET,
    GetKeyValues,
    GivenPair,
    OfMessage,
    PairResults,
    Pairs,
    SetKeyValues,
)
from schemas.im.message import message_id_of
from stores.im.extensions import change_extensions, extensions_of
from stores.mongo import Database

BAD_PARAMETER = 10004


class Extensions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: Caller, body: GetKeyValues) -> Reply:
        kept = await extensions_of(self._database, await self._message(caller, body))
        pairs, complete = shown(kept, body.start_seq)
        return Reply(
            Pairs(complete_flag=int(complete), latest_seq=kept.latest, clear_seq=kept.cleared, extension_list=pairs)
        )

    async def set(self, caller: Caller, body: SetKeyValues) -> Reply:
        change = _change(body)
        message_id = await self._message(caller, body)
        minute = int(caller.at.timestamp()) // 60
        results = await change_extensions(self._database, message_id, lambda kept: change(kept.counted(minute)))
        return Reply(PairResults(extension_list=results) if results else PairResults())

    async def _message(self, caller: Caller, body: OfMessage) -> str:
        """The id of a message that is there, and that may have extensions."""
        key, sender = checked_key(body.msg_key), body.from_account or caller.admin
        message = await stored_message(self._database, caller, sender, body.to_account, key)
        if message.withdrawn:
            raise Failed(NOT_FOUND)
        if not message.extensible:
            raise Failed(BAD_PARAMETER, "the message was sent without SupportMessageExtension")
        return message_id_of(caller.app.id, sender, body.to_account, key)


def extension_commands(database: Database) -> Sequence[Command]:
    own = Extensions(database)
    get = Command(
        operation_id="imGetKeyValues",
        service=MESSAGE_EXTENSIONS,
        name="get_key_values",
        body=GetKeyValues,
        handle=own.get,
    )
    change = Command(
        operation_id="imSetKeyValues",
        service=MESSAGE_EXTENSIONS,
        name="set_key_values",
        body=SetKeyValues,
        handle=own.set,
    )
    return get, change


def _change(body: SetKeyValues) -> partial[Outcome]:
    if body.operate_type == CLEAR:
        return partial(clear_pairs)
    given: Sequence[GivenPair] = body.extension_list or ()
    if not 1 <= len(given) <= MAX_PAIRS_AT_ONCE:
        raise Failed(BAD_PARAMETER, f"ExtensionList has 1 to {MAX_PAIRS_AT_ONCE} pairs")
    if not all(pair.fits for pair in given):
        raise Failed(BAD_PARAMETER, "a key has 1 to 100 bytes, a value up to 1000")
    if len({pair.key for pair in given}) < len(given):
        raise Failed(BAD_PARAMETER, "a key comes twice")
    return partial(set_pairs if body.operate_type == SET else delete_pairs, given=given)
