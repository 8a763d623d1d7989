"""Which calls of the API have callbacks, and what those say (contracts/im-callbacks.yaml).

The calls themselves know nothing of it: what is told is in their requests and answers.
Not called here, as in that API: C2C callbacks for `batchsendmsg` and `importmsg`, and the
before-callbacks of friends, which are for clients alone.

`UnreadMsgNum` is what is known in the moment of the call: of what is folded by then, with the
message just sent, or without those just read and the one just recalled. What other calls of the last
milliseconds have changed is not in it.
"""

import hashlib
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import msgspec
from ulid import ULID

from gateway.body import Typed
from gateway.im.callbacks_out import CallbacksOut
from gateway.im.envelope import SomeFailed
from gateway.im.frame import Caller, Command
from gateway.im.messages_facts import checked_body
from gateway.system import Reply
from schemas.errors import Refused
from schemas.events import Event
from schemas.im.callback_rules import DROP
from schemas.im.callbacks import (
    AFTER_READ,
    AFTER_SEND,
    AFTER_WITHDRAW,
    BEFORE_SEND,
    FRIEND_ADD,
    FRIEND_DELETE,
    PORTRAIT_SET,
)
from schemas.im.codes import Failed
from schemas.im.ids import key_of
from schemas.im.message import READ, MessageKey, MessagesRead, conversation_of, parse_key
from schemas.im.message_bodies import SendMsg, Sent
from schemas.im.sns_facts import FRIEND_ADDED, FRIEND_DELETED, FriendAdded, FriendDeleted
from schemas.times import unix_milliseconds

Json = Mapping[str, Any]
Handle = Callable[[Caller, Any], Awaitable[Reply]]

BAD_ANSWER = 90992
"""The app's answer made something of the message that is no message."""
PAIRS_IN_ONE = 500
"""Of friends, in one callback: 130 KB with the longest names, half of what a delivery may hold."""
FORBID_BEFORE, FORBID_AFTER = "ForbidBeforeSendMsgCallback", "ForbidAfterSendMsgCallback"


class Unread(msgspec.Struct, frozen=True):
    """What is folded of the messages that an account of an app has not read."""

    total: Callable[[str, str], Awaitable[int]]
    """How many, of all peers."""
    after: Callable[[str, str, str, datetime], Awaitable[int]]
    """The same, once what a peer has sent up to then is read."""
    counts: Callable[[str, str, str, MessageKey], Awaitable[bool]]
    """Whether this one of a sender's messages to it is among them."""


class Told(msgspec.Struct, frozen=True):
    """A callback to be. `what` names what it tells; those of one `conversation` go in order."""

    command: str
    body: Json
    what: str
    conversation: str


class Called(msgspec.Struct, frozen=True):
    """A call that went well: request and answer as they are written, and its facts."""

    caller: Caller
    request: Json
    answer: Json
    facts: Sequence[Event]

    def facts_of(self, kind: str) -> list[Event]:
        return [fact for fact in self.facts if fact.type == kind]

    @property
    def app(self) -> str:
        return self.caller.app.id

    @property
    def sender(self) -> str:
        return sender_of(self.caller, self.request)


Tell = Callable[[Called], Awaitable[Iterable[Told]]]


def sender_of(caller: Caller, request: Json) -> str:
    """Left out, the admin who calls is the sender (contract, imSendMsg)."""
    return request.get("From_Account") or caller.admin


def calling_back(commands: Iterable[Command], callbacks: CallbacksOut, unread: Unread) -> tuple[Command, ...]:
    """The same commands; those that have callbacks ask the app before, and tell it after they went well."""
    tells = {**_TELLS, **_c2c_tells(unread)}

    def of(command: Command) -> Command:
        handle: Handle = command.handle
        if command.operation_id in tells:
            handle = _then(handle, callbacks, *tells[command.operation_id])
        if command.operation_id == "imSendMsg":
            handle = _asked_first(command, handle, callbacks)
        return command if handle is command.handle else msgspec.structs.replace(command, handle=handle)

    return tuple(of(command) for command in commands)


def _then(handle: Handle, callbacks: CallbacksOut, wanted: str, tell: Tell) -> Handle:
    async def handled(caller: Caller, body: Any) -> Reply:
        reply = await handle(caller, body)
        if not callbacks.wants(caller.app.id, wanted):
            return reply
        # What the app made of a message is told; without that, what was sent.
        request = msgspec.to_builtins(body) if wanted == AFTER_SEND else caller.call.raw
        told = await tell(Called(caller, request, _written(reply), reply.facts))
        events = [callbacks.after(caller, each.command, each.body, each.what, each.conversation) for each in told]
        return msgspec.structs.replace(reply, facts=(*reply.facts, *(event for some in events for event in some)))

    return handled


def _written(reply: Reply) -> Json:
    fields = reply.data.fields if isinstance(reply.data, SomeFailed) else reply.data
    written: Json = {} if fields is None else msgspec.to_builtins(fields)
    return written


# ---- before ----------------------------------------------------------------------------------------------------------


def _asked_first(command: Command, handle: Handle, callbacks: CallbacksOut) -> Handle:
    """sendmsg: the app may deny a message, drop it, or change what it says.

    What is no message, or has no receiver, it is not asked about. What fails once it has let the message go
    it is told (semantics, section 15), as the caller is.
    """
    typed = Typed(command.body, nul_in_text=command.nul_in_text)

    async def handled(caller: Caller, body: SendMsg) -> Reply:
        request: Json = caller.call.raw
        if not callbacks.wants(caller.app.id, BEFORE_SEND) or FORBID_BEFORE in body.forbid_callback_control:
            return await handle(caller, body)
        await command.check(caller, body)
        seq = request.get("MsgSeq")
        # Chosen now: the app is told the key that the message will have.
        request = {**request, "MsgSeq": random.getrandbits(32) if seq is None else seq}
        message = _message(request, sender_of(caller, request), int(caller.at.timestamp()))
        verdict = await callbacks.ask(caller, BEFORE_SEND, {"CallbackCommand": BEFORE_SEND, **message})
        if verdict.error_code == DROP:
            return Reply(Sent(msg_time=message["MsgTime"], msg_key=message["MsgKey"]))
        said = {"MsgBody": verdict.msg_body, "CloudCustomData": verdict.cloud_custom_data}
        changed = {name: value for name, value in said.items() if value is not None}
        try:
            now = typed.validate({**request, **changed})
            checked_body(now.msg_body, now.cloud_custom_data)
        except Refused:
            return _failed(caller, callbacks, request, message, Failed(BAD_ANSWER))
        try:
            return await handle(caller, now)
        except Failed as failed:
            return _failed(caller, callbacks, request, message | changed, failed)

    return handled


def _failed(caller: Caller, callbacks: CallbacksOut, request: Json, message: Json, failed: Failed) -> Reply:
    if FORBID_AFTER in _forbidden(request):
        raise failed
    outcome = {"SendMsgResult": failed.code, "ErrorInfo": str(failed), "UnreadMsgNum": -1}
    conversation = conversation_of(caller.app.id, message["From_Account"], message["To_Account"])
    # With the code: the same message may be sent within its second after all.
    what = f"{conversation}/{message['MsgKey']}/{failed.code}"
    body = {"CallbackCommand": AFTER_SEND, **message, **outcome}
    return Reply(facts=callbacks.after(caller, AFTER_SEND, body, what, conversation), refused=failed)


def _message(request: Json, sender: str, at: int) -> dict[str, Any]:
    """What the send callbacks have in common."""
    seq, number = request["MsgSeq"], request["MsgRandom"]
    message = {
        "From_Account": sender,
        "To_Account": request["To_Account"],
        "MsgSeq": seq,
        "MsgRandom": number,
        "MsgTime": at,
        "MsgKey": f"{seq}_{number}_{at}",
        "OnlineOnlyFlag": int(request.get("MsgLifeTime") == 0),
        "MsgBody": request["MsgBody"],
    }
    data = request.get("CloudCustomData")
    return message | ({"CloudCustomData": data} if data else {})


def _forbidden(request: Json) -> Sequence[str]:
    return request.get("ForbidCallbackControl") or ()


# ---- after -----------------------------------------------------------------------------------------------------------


def _c2c_tells(unread: Unread) -> Mapping[str, tuple[str, Tell]]:
    """By operationId: the callback, and what it says."""

    async def sent(called: Called) -> Iterable[Told]:
        request, key = called.request, called.answer["MsgKey"]
        if FORBID_AFTER in _forbidden(request):
            return ()
        # As the answer has it: where the sender left it out, the number was chosen here.
        request = {**request, "MsgSeq": int(key.partition("_")[0])}
        message = _message(request, called.sender, called.answer["MsgTime"])
        counts = message["OnlineOnlyFlag"] == 0 and "NoUnread" not in (request.get("SendMsgControl") or ())
        total = await unread.total(called.app, request["To_Account"])
        outcome = {"SendMsgResult": 0, "ErrorInfo": "send msg succeed", "UnreadMsgNum": total + counts}
        return (_c2c(called, AFTER_SEND, message | outcome, called.sender, request["To_Account"], key),)

    async def read(called: Called) -> Iterable[Told]:
        reader, peer = called.request["Report_Account"], called.request["Peer_Account"]
        # As the fact has it: a time too far ahead is not what was read, and a second holds more than one reading.
        (fact,) = called.facts_of(READ)
        up_to = msgspec.json.decode(fact.data, type=MessagesRead).up_to
        left = await unread.after(called.app, reader, peer, up_to)
        read_at = int(up_to.timestamp())
        body = {"Report_Account": reader, "Peer_Account": peer, "LastReadTime": read_at, "UnreadMsgNum": left}
        return (_c2c(called, AFTER_READ, body, reader, peer, f"{reader}/{unix_milliseconds(up_to)}"),)

    async def withdrawn(called: Called) -> Iterable[Told]:
        sender, receiver, key = (called.request[name] for name in ("From_Account", "To_Account", "MsgKey"))
        total = await unread.total(called.app, receiver)
        # The recall itself is not folded yet, not even published.
        parsed = parse_key(key)
        counts = parsed is not None and await unread.counts(called.app, sender, receiver, parsed)
        body = {"From_Account": sender, "To_Account": receiver, "MsgKey": key, "UnreadMsgNum": max(0, total - counts)}
        return (_c2c(called, AFTER_WITHDRAW, body, sender, receiver, key),)

    return {
        "imSendMsg": (AFTER_SEND, sent),
        "imAdminSetMsgRead": (AFTER_READ, read),
        "imAdminMsgWithdraw": (AFTER_WITHDRAW, withdrawn),
    }


def _c2c(called: Called, command: str, body: Json, one: str, other: str, what: str) -> Told:
    conversation = conversation_of(called.app, one, other)
    return Told(command, {"CallbackCommand": command, **body}, f"{conversation}/{what}", conversation)


async def _portrait_set(called: Called) -> Iterable[Told]:
    user = called.request["From_Account"]
    body = {
        "Operator_Account": called.caller.admin,
        "From_Account": user,
        "EventTime": unix_milliseconds(called.caller.at),
        "ProfileItem": called.request["ProfileItem"],
    }
    # Such a call has no id of its own: each one is told.
    whole = {"CallbackCommand": PORTRAIT_SET, **body}
    return (Told(PORTRAIT_SET, whole, str(ULID()), key_of(called.app, user)),)


async def _friends_added(called: Called) -> Iterable[Told]:
    """A pair for each direction. Those who are yet to confirm are no friends."""
    added = [msgspec.json.decode(fact.data, type=FriendAdded) for fact in called.facts_of(FRIEND_ADDED)]
    pairs = [_pair(fact.account, fact.friend) | {"Initiator_Account": fact.initiator} for fact in added]
    rest = {
        "ClientCmd": "friend_add",
        "Admin_Account": called.caller.admin,
        "ForceFlag": int(any(fact.forced for fact in added)),
    }
    return _of_friends(called, FRIEND_ADD, FRIEND_ADDED, pairs, rest)


async def _friends_deleted(called: Called) -> Iterable[Told]:
    deleted = [msgspec.json.decode(fact.data, type=FriendDeleted) for fact in called.facts_of(FRIEND_DELETED)]
    pairs = [_pair(fact.account, fact.friend) for fact in deleted]
    return _of_friends(called, FRIEND_DELETE, FRIEND_DELETED, pairs, {})


def _pair(account: str, friend: str) -> dict[str, str]:
    """`account` is the key, of which the user is a part (`schemas.im.ids`)."""
    return {"From_Account": unquote(account.partition("/")[2]), "To_Account": friend}


def _of_friends(called: Called, command: str, kind: str, pairs: Sequence[Json], rest: Json) -> list[Told]:
    # By the facts: a call that is repeated tells the same again, under the same ids.
    what = hashlib.sha256("\n".join(fact.id for fact in called.facts_of(kind)).encode()).hexdigest()
    user = key_of(called.app, called.request["From_Account"])

    def told(start: int) -> Told:
        some = pairs[start : start + PAIRS_IN_ONE]
        whole = {"CallbackCommand": command, "PairList": some, **rest}
        return Told(command, whole, f"{what}/{start // PAIRS_IN_ONE}", user)

    return [told(start) for start in range(0, len(pairs), PAIRS_IN_ONE)]


_TELLS: Mapping[str, tuple[str, Tell]] = {
    "imPortraitSet": (PORTRAIT_SET, _portrait_set),
    "imFriendAdd": (FRIEND_ADD, _friends_added),
    "imFriendDelete": (FRIEND_DELETE, _friends_deleted),
    "imFriendDeleteAll": (FRIEND_DELETE, _friends_deleted),
    "imBlackListAdd": (FRIEND_DELETE, _friends_deleted),
}
