"""Inboxes over HTTP: what was pushed to somebody, how much of it is unread, and that it was read."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from config.settings import PushSettings
from gateway.events import problem
from gateway.questions import cursor_in, only, page_size
from gateway.recipients import recipient_in
from gateway.system import Answer, Call, Operation, Reply, System
from gateway.tokens import by_bearer
from schemas.cloudevents import format_time, parse_time, to_millisecond
from schemas.errors import Refused
from schemas.events import Event
from schemas.inbox import InboxRead
from stores.inboxes import MAX_PAGE, Entry, Inbox, count_unread, entry_page, find_inbox, time_of_entry
from stores.mongo import Database

PATH = "/inbox"
SOURCE = "inbox"


class ReadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the two."""

    up_to: str | UnsetType = UNSET
    """A time with its zone."""
    entry: str | UnsetType = UNSET
    """The id of an entry: it, and all up to its time."""


class Page(msgspec.Struct, frozen=True):
    """`next` is what to send as `after` for the following page; null on the last one."""

    inbox: Inbox
    entries: list[Entry]
    next: str | None


class NowRead(msgspec.Struct, frozen=True):
    recipient: str
    read_up_to: datetime
    unread: int


class Desk:
    """The three operations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, call: Call) -> Reply:
        only(call.query, ("after", "limit"))
        limit, after = page_size(call.query, MAX_PAGE), cursor_in(call.query.get("after"))
        inbox = await find_inbox(self._database, recipient_in(call, PATH))
        page = await entry_page(self._database, inbox, after, limit)
        return Reply(Page(inbox, page.entries, None if page.next is None else str(page.next)))

    async def unread(self, call: Call) -> Reply:
        return Reply(await find_inbox(self._database, recipient_in(call, PATH, "/unread")))

    async def read(self, call: Call) -> Reply:
        """Answers what will be unread once the fact is folded. What is read already is no fact any more."""
        body: ReadRequest = call.body
        recipient = recipient_in(call, PATH, "/read")
        up_to = await self._up_to(recipient, body, call.received_at)
        known = (await find_inbox(self._database, recipient)).read_up_to
        read_up_to = up_to if known is None else max(known, up_to)
        facts = () if read_up_to == known else (read_fact(recipient, up_to, call),)
        unread = await count_unread(self._database, recipient, read_up_to)
        return Reply(NowRead(recipient, read_up_to, unread), facts)

    async def _up_to(self, recipient: str, body: ReadRequest, now: datetime) -> datetime:
        if isinstance(body.up_to, str) and body.entry is UNSET:
            return time_told(body.up_to, now)
        if isinstance(body.entry, str) and body.up_to is UNSET:
            at = await time_of_entry(self._database, recipient, body.entry)
            if at is None:
                raise Refused("not_found", "this inbox has no such entry")
            return at
        raise Refused("bad_field", "send one of up_to and entry")


def time_told(text: str, now: datetime) -> datetime:
    """Not past now: what comes in the meantime was not there to be read."""
    try:
        return min(parse_time(text), to_millisecond(now))
    except ValueError:
        raise Refused("bad_field", "up_to is a time with its zone, as 2026-03-01T12:00:00Z") from None


def read_fact(recipient: str, up_to: datetime, call: Call) -> Event:
    """The same fact however often an inbox is read up to an instant."""
    return Event(
        id=f"{recipient}/{format_time(up_to)}",
        source=SOURCE,
        type="inbox.read",
        subject=recipient,
        time=call.received_at,
        data=msgspec.json.encode(InboxRead(recipient=recipient, up_to=up_to)),
        traceparent=call.traceparent,
    )


def inbox_system(settings: PushSettings, database: Database) -> System:
    authenticate = by_bearer(settings.tokens, "FANFOLD_PUSH__TOKENS")
    desk = Desk(database)

    def operation(
        operation_id: str,
        method: str,
        path: str,
        handle: Callable[[Call], Awaitable[Reply]],
        body: type[msgspec.Struct] | None = None,
        status: int = 200,
    ) -> Operation:
        whole = f"{PATH}/{{kind}}/{{id}}{path}"
        return Operation(
            operation_id, method, whole, handle, authenticate, body, success_status=status, security=("back-end",)
        )

    return System(
        name="inbox",
        prefix=PATH,
        operations=(
            operation("listInbox", "GET", "", desk.list),
            operation("getUnread", "GET", "/unread", desk.unread),
            operation("readInbox", "POST", "/read", desk.read, ReadRequest, 202),
        ),
        succeed=lambda data, status: Answer(status, msgspec.json.encode(data)),
        refuse=problem,
        contract="inbox.yaml",
        security_schemes={"back-end": {"type": "http", "scheme": "bearer"}},
    )
