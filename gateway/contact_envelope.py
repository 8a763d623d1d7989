"""The two shapes of the contact API's answers: `{data, msg}`, and `{state, message}` for what is wrong.

What the contract knows as errors, a contact that is missing and a binding that is there
already, comes with HTTP 200 and state 403, as the contract has it. What else may be
wrong keeps its HTTP status, and has it as its state.
"""

from typing import Any

import msgspec

from gateway.contact_auth import REALM
from gateway.system import Answer
from schemas.errors import Refused
from schemas.refusals import REASONS


class BindingError(msgspec.Struct, frozen=True):
    state: str
    message: str


class BindingResult(msgspec.Struct, frozen=True):
    data: Any
    msg: str = "success"


USER_ERROR = BindingError("403", "user error")
ALREADY_BOUND = BindingError("403", "Bind Already exists")

_encoder = msgspec.json.Encoder()


def succeed(data: Any, status: int) -> Answer:
    return Answer(status, _encoder.encode(data if isinstance(data, BindingError) else BindingResult(data)))


def refuse(refused: Refused) -> Answer:
    status = REASONS[refused.reason].status
    headers = {"WWW-Authenticate": REALM} if refused.reason == "unauthenticated" else {}
    return Answer(status, _encoder.encode(BindingError(str(status), str(refused))), headers)
