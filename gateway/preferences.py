"""Preferences over HTTP: what back ends set for the people they push to."""

from collections.abc import Awaitable, Callable

import msgspec

from channels.registry import ways
from config.settings import PushSettings
from gateway.body import Typed
from gateway.events import problem
from gateway.recipients import recipient_in
from gateway.system import Answer, Call, Operation, Reply, System
from gateway.tokens import by_bearer
from handlers.routing import EMAIL, TELEGRAM
from schemas.cloudevents import to_millisecond
from schemas.errors import Refused
from schemas.mail_address import parse_address
from schemas.preferences import Preferences
from stores.mongo import Database
from stores.preferences import forget_preferences, keep_preferences, preferences_of

PATH = "/preferences"
NO_CONTENT = 204


class SentPreferences(msgspec.Struct, frozen=True):
    """The rest is read with the recipient that the path names."""

    recipient: str | None = None


class Desk:
    """The three operations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._typed = Typed(Preferences)

    async def show(self, call: Call) -> Reply:
        """The defaults where none are set."""
        recipient = recipient_in(call, PATH)
        return Reply((await preferences_of(self._database, [recipient]))[recipient])

    async def replace(self, call: Call) -> Reply:
        recipient = recipient_in(call, PATH)
        if call.body.recipient not in (None, recipient):
            raise Refused("bad_field", "recipient is another than the path's")
        preferences: Preferences = self._typed.validate({**call.raw, "recipient": recipient})
        check(preferences)
        await keep_preferences(self._database, preferences, to_millisecond(call.received_at))
        return Reply(preferences)

    async def delete(self, call: Call) -> Reply:
        await forget_preferences(self._database, recipient_in(call, PATH))
        return Reply()


def check(preferences: Preferences) -> None:
    """Refuses channels that there are not, and an address that is none."""
    known = chosen_channels()
    for number, rule in enumerate(preferences.rules):
        for channel in rule.channels:
            if channel not in known:
                raise Refused("bad_field", f"rules[{number}].channels: there are {', '.join(sorted(known))}")
    if preferences.email is not None:
        try:
            parse_address(preferences.email)
        except ValueError as error:
            raise Refused("bad_field", f"email: {error}") from None


def chosen_channels() -> set[str]:
    """The channels by which a push may reach somebody."""
    return {name for name, way in ways().items() if way.options is not None or name in (EMAIL, TELEGRAM)}


def preferences_system(settings: PushSettings, database: Database) -> System:
    authenticate = by_bearer(settings.tokens, "FANFOLD_PUSH__TOKENS")
    desk = Desk(database)

    def operation(
        operation_id: str,
        method: str,
        handle: Callable[[Call], Awaitable[Reply]],
        body: type[msgspec.Struct] | None = None,
        status: int = 200,
    ) -> Operation:
        path = f"{PATH}/{{kind}}/{{id}}"
        return Operation(
            operation_id, method, path, handle, authenticate, body, success_status=status, security=("back-end",)
        )

    return System(
        name="preferences",
        prefix=PATH,
        operations=(
            operation("getPreferences", "GET", desk.show),
            operation("putPreferences", "PUT", desk.replace, SentPreferences),
            operation("deletePreferences", "DELETE", desk.delete, status=NO_CONTENT),
        ),
        succeed=succeed,
        refuse=problem,
        contract="preferences.yaml",
        security_schemes={"back-end": {"type": "http", "scheme": "bearer"}},
    )


def succeed(data: object, status: int) -> Answer:
    return Answer(status, b"" if status == NO_CONTENT else msgspec.json.encode(data))
