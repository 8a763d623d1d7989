"""Dead letters over HTTP: what `fanfold dead-letters` does, for operators' own tools."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import msgspec

from config.settings import OperatorsSettings
from gateway.events import problem
from gateway.repair import Sends, discard, find, replay
from gateway.system import Answer, Call, Operation, Reply, System
from gateway.tokens import Tokens, bearer_token
from handlers.letters import Unseal
from schemas.errors import Refused
from stores.dead_letters import MAX_PAGE, DeadLetters, Letter, State, Which

PATH = "/dead-letters"
DEFAULT_PAGE = 50

OpenSender = Callable[[], AbstractAsyncContextManager[Sends]]
"""A connection for one replay: they are rare, so none is kept."""


class Page(msgspec.Struct, frozen=True):
    """`next` is what to send as `after` for the following page; null on the last one."""

    letters: list[Letter]
    next: str | None


class Desk:
    """The four operations."""

    def __init__(self, letters: DeadLetters, open_sender: OpenSender, unseal: Unseal) -> None:
        self._letters = letters
        self._open_sender = open_sender
        self._unseal = unseal

    async def list(self, call: Call) -> Reply:
        limit = page_size(call.query)
        found = await self._letters.page(which(call.query), after=call.query.get("after"), limit=limit)
        return Reply(Page(found, found[-1].id if len(found) == limit else None))

    async def show(self, call: Call) -> Reply:
        return Reply(await find(self._letters, id_in(call.path)))

    async def replay(self, call: Call) -> Reply:
        async with self._open_sender() as sender:
            await replay(self._letters, sender, id_in(call.path), datetime.now(UTC), self._unseal)
        return await self.show(call)

    async def discard(self, call: Call) -> Reply:
        await discard(self._letters, id_in(call.path), datetime.now(UTC))
        return await self.show(call)


def id_in(path: str) -> str:
    """The letter's id in a path `/dead-letters/{id}...`."""
    return path.removeprefix(f"{PATH}/").partition("/")[0]


def which(query: Mapping[str, str]) -> Which:
    """The choice that a query asks for. Refuses a state that there is not."""
    state = query.get("state")
    try:
        return Which(State(state) if state else None, query.get("reason"), query.get("topic"))
    except ValueError:
        raise Refused("bad_field", f"state is one of {', '.join(State)}") from None


def page_size(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(DEFAULT_PAGE))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PAGE):
        raise Refused("bad_field", f"limit is a number from 1 to {MAX_PAGE}")
    return int(text)


def dead_letters_system(
    settings: OperatorsSettings, letters: DeadLetters, open_sender: OpenSender, unseal: Unseal
) -> System:
    tokens = Tokens(settings.tokens)
    desk = Desk(letters, open_sender, unseal)

    def authenticate(call: Call) -> None:
        if not tokens:
            raise Refused("not_configured", "FANFOLD_OPERATORS__TOKENS is not set: nobody can see dead letters here")
        if not tokens.accept(bearer_token(call.headers)):
            raise Refused("unauthenticated", "send an operator's token as Authorization: Bearer")

    def operation(operation_id: str, method: str, path: str, handle: Any) -> Operation:
        return Operation(operation_id, method, path, handle, authenticate, security=("operator",))

    return System(
        name="dead-letters",
        prefix=PATH,
        operations=(
            operation("listDeadLetters", "GET", PATH, desk.list),
            operation("getDeadLetter", "GET", f"{PATH}/{{id}}", desk.show),
            operation("replayDeadLetter", "POST", f"{PATH}/{{id}}/replay", desk.replay),
            operation("discardDeadLetter", "POST", f"{PATH}/{{id}}/discard", desk.discard),
        ),
        succeed=lambda data, status: Answer(status, msgspec.json.encode(data)),
        refuse=problem,
        contract="dead-letters.yaml",
        security_schemes={"operator": {"type": "http", "scheme": "bearer"}},
    )
