"""The frame of every call: POST /v4/SERVICE/COMMAND?sdkappid=&identifier=&usersig=&random=&contenttype=json.

A module of the API declares its commands; the frame makes operations of them. It sees
to it that an app admin calls, with a UserSig that is good, and not too often.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import msgspec

from gateway.im.envelope import ImEnvelope
from gateway.im.pace import Pace
from gateway.im.services import Service
from gateway.system import Call, Operation, Reply
from schemas.im import usersig
from schemas.im.apps import App
from schemas.im.codes import Failed

PREFIX = "/v4/"
MAX_UINT32 = 2**32 - 1

BAD_URL, UNKNOWN_APP, TOO_OFTEN, NO_APP, NO_IDENTIFIER, NO_SIGNATURE = 60002, 60006, 60007, 60012, 60004, 70002


class Caller(msgspec.Struct, frozen=True):
    """Who calls: an admin of an app. `call` says when, and under which trace."""

    app: App
    admin: str
    call: Call

    @property
    def at(self) -> datetime:
        """When the call came in."""
        return self.call.received_at


async def unchecked(_caller: Caller, _body: msgspec.Struct) -> None:
    """Whatever it is, it may be done."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the API, as a module declares it. `handle` gets the caller and the typed body."""

    operation_id: str
    service: Service
    name: str
    """The last part of the path."""
    body: type[msgspec.Struct]
    handle: Callable[..., Awaitable[Reply]]
    check: Callable[..., Awaitable[None]] = unchecked
    """Refuses what `handle` would refuse; asked first where somebody else is to be asked about the call."""
    field_codes: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Codes for a field that is missing or wrong, where it is not the service's `bad_field`."""
    info: str = ""
    """`ErrorInfo` of a success, where the API has one."""
    calls_per_second: int | None = None
    """Where the API has another limit than for the rest."""
    nul_in_text: bool = False
    """Texts may hold a NUL: what users send each other may have any control character (contract, TIMFaceElem)."""

    @property
    def path(self) -> str:
        return f"{PREFIX}{self.service.name}/{self.name}"


class Frame:
    """Makes operations of commands, for the apps that are set."""

    def __init__(self, apps: Mapping[str, App], calls_per_second: int, pace: Pace | None = None) -> None:
        self._apps = apps
        self._calls_per_second = calls_per_second
        self._pace = pace or Pace()

    def operation(self, command: Command) -> Operation:
        limit = self._limit(command)

        def authenticate(call: Call) -> None:
            app = self._authenticated(call)
            if call.query["identifier"] not in app.admins:
                raise Failed(command.service.not_admin)
            if not self._pace.admit((app.id, command.operation_id), limit):
                raise Failed(TOO_OFTEN)

        async def handle(call: Call) -> Reply:
            caller = Caller(self._apps[call.query["sdkappid"]], call.query["identifier"], call)
            return await command.handle(caller, call.body)

        return Operation(
            command.operation_id,
            "POST",
            command.path,
            handle,
            authenticate,
            command.body,
            nul_in_text=command.nul_in_text,
            envelope=ImEnvelope(command.service, command.info, command.field_codes),
        )

    def _limit(self, command: Command) -> int:
        """0 switches all limits off, a command's own one too."""
        if command.calls_per_second is None or self._calls_per_second == 0:
            return self._calls_per_second
        return command.calls_per_second

    def _authenticated(self, call: Call) -> App:
        """The app that is called for; its identifier has shown a UserSig, and may yet be no admin."""
        query = call.query
        if not (app_id := query.get("sdkappid")):
            raise Failed(NO_APP)
        _check_url(query)
        app = self._apps.get(app_id)
        if app is None:
            raise Failed(UNKNOWN_APP)
        if not (identifier := query.get("identifier")):
            raise Failed(NO_IDENTIFIER, "identifier is missing")
        if not (signature := query.get("usersig")):
            raise Failed(NO_SIGNATURE)
        # 5 us: not worth remembering which were good.
        if usersig.verify(signature, app.key, app.id, identifier) <= call.received_at.timestamp():
            raise Failed(usersig.EXPIRED)
        return app


def _check_url(query: Mapping[str, str]) -> None:
    """What is there must be right; what is left out does no harm here."""
    random = query.get("random")
    if random is not None and not (random.isascii() and random.isdigit() and int(random[:11]) <= MAX_UINT32):
        raise Failed(BAD_URL, "random is no unsigned 32-bit integer")
    if query.get("contenttype", "json") != "json":
        raise Failed(BAD_URL, "contenttype is json")
