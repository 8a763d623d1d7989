"""POST /callbacks/im: what the IM server says, and asks, about an app.

An after-callback is answered once Kafka has the fact. A before-callback is decided by the
app's rules; it is a fact as well, with the decision, which does not wait long for Kafka. What a body of a known command
lacks to be folded is not refused: the IM server sends nothing twice for it, so it is kept.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from config.settings import ImCallbacksIn, ImSettings
from gateway.im.apps import apps_of
from gateway.im.callbacks_in_auth import Gate
from gateway.im.callbacks_in_facts import Received, friends_fact, kept_fact, profile_fact, state_fact
from gateway.im.callbacks_in_messages import MESSAGE_FACTS, ToFact
from gateway.im.callbacks_in_rules import decide, rules_of
from gateway.system import Answer, Call, Operation, Reply, System
from schemas.errors import Refused
from schemas.events import Event
from schemas.im.apps import App
from schemas.im.callbacks import (
    COMMAND,
    FRIEND_ADD,
    FRIEND_DELETE,
    PORTRAIT_SET,
    STATE_CHANGE,
    CallbackAnswer,
    FriendPairs,
    PortraitChange,
    StateChange,
    is_before,
)
from schemas.refusals import REASONS

PATH = "/callbacks/im"
RECORD_SECONDS = 0.5
"""How long a decision waits for the record of it. The IM server waits for 2 s and then allows what it asked about
(semantics, section 15): what is forbidden must not pass because Kafka is away."""
OK = CallbackAnswer()

_encode = msgspec.json.Encoder().encode
_command = re.compile(COMMAND)


class Desk:
    """What callbacks of one app meet."""

    def __init__(self, app: App, settings: ImCallbacksIn) -> None:
        self.app = app
        self.gate = Gate(settings)
        self.rules = rules_of(settings.rules)


class Callbacks:
    def __init__(self, desks: Mapping[str, Desk]) -> None:
        self._desks = desks

    def authenticate(self, call: Call) -> None:
        app_id = call.query.get("SdkAppid", "")
        if app_id not in self._desks:
            raise Refused("unauthenticated", "SdkAppid is no app that is set up here")
        self._desks[app_id].gate.check(call)

    async def take(self, call: Call) -> Reply:
        desk = self._desks[call.query["SdkAppid"]]
        received = Received(desk.app, *_named(call), call)
        if is_before(received.command):
            answer = decide(desk.rules, received.command, received.body)
            return Reply(answer, (kept_fact(received, _encode(answer)),), publish_seconds=RECORD_SECONDS)
        return Reply(OK, (_fact(received),))


FACTS: Mapping[str, tuple[type[msgspec.Struct], ToFact]] = {
    STATE_CHANGE: (StateChange, state_fact),
    PORTRAIT_SET: (PortraitChange, profile_fact),
    FRIEND_ADD: (FriendPairs, friends_fact),
    FRIEND_DELETE: (FriendPairs, friends_fact),
    **MESSAGE_FACTS,
}


def _fact(received: Received) -> Event:
    if received.command not in FACTS:
        return kept_fact(received)
    kind, to_fact = FACTS[received.command]
    try:
        told = to_fact(received, msgspec.convert(received.body, kind))
    except (ValueError, msgspec.ValidationError):
        told = None
    return told or kept_fact(received)


def _named(call: Call) -> tuple[str, dict[str, Any]]:
    """Command and body. Read here, for a callback may hold what no document can, NULs in a group's custom data say."""
    try:
        # As text first: no byte that is not UTF-8 may hide in a name that is not read.
        body = msgspec.json.decode(call.raw_bytes.decode())
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise Refused("bad_json", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise Refused("bad_json", "the body is not a JSON object")
    command = call.query.get("CallbackCommand") or body.get("CallbackCommand")
    if not (isinstance(command, str) and _command.match(command)):
        raise Refused("bad_field", "CallbackCommand is missing, or no command")
    if body.get("CallbackCommand", command) != command:
        raise Refused("bad_field", "CallbackCommand is one in the query and another in the body")
    return command, body


def _refuse(refused: Refused) -> Answer:
    """Not with status 200: to the IM server a before-callback was not answered then, and goes by its own setting."""
    status = REASONS[refused.reason].status
    return Answer(status, _encode(CallbackAnswer(action_status="FAIL", error_code=1, error_info=str(refused))))


def im_callbacks_system(settings: ImSettings) -> System:
    apps = apps_of(settings)
    desks = {app_id: Desk(apps[app_id], app.callbacks_in) for app_id, app in settings.apps.items()}
    callbacks = Callbacks(desks)
    return System(
        name="im-callbacks",
        operations=(
            Operation(
                "imCallback",
                "POST",
                PATH,
                callbacks.take,
                callbacks.authenticate,
                security=("sign", "token"),
            ),
        ),
        succeed=lambda answer, status: Answer(status, _encode(answer)),
        refuse=_refuse,
        contract=("im-callbacks.yaml", "im-callbacks-in.yaml"),
        security_schemes={
            "sign": {
                "type": "apiKey",
                "in": "query",
                "name": "Sign",
                "description": "sha256(token + RequestTime) in hex, with RequestTime in the query",
            },
            "token": {"type": "apiKey", "in": "query", "name": "Token", "description": "The token itself"},
        },
    )
