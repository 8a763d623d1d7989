"""What portals do with statements, whoever's they are: find them, send them, and the files that go with them.

Customers see a statement once it was checked, and as long as it holds.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from gateway.file_links import PATH, Links, Promised
from gateway.mt.frame import Asked, Tools
from gateway.mt.sheets import XLSX, Cell, xlsx
from gateway.mt.statement_rows import LINE_COLUMNS, Rows, file_id, line_cells
from handlers.statements.moves import MAILABLE, wrong_state
from handlers.statements.statement import OWED, Send, State, Statement
from schemas.errors import Refused
from schemas.mail_address import parse_address
from schemas.mt.access import Role, Scope
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.common import Page, page_of
from schemas.mt.statement_codes import NO_FILE
from schemas.mt.statements import StatementQuery
from stores.files import Files, StoredFile
from stores.mongo import translated
from stores.mt.depts import depts_of, find_dept
from stores.mt.pages import containing, find_by, find_page
from stores.mt.statements import STATEMENTS, Statements, actor_of, to_statement
from stores.mt.whose import receivers_of

KEPT = timedelta(days=730)
"""How long attachments are kept; one that is gone is built again from the statement."""
SHOWN_TO_CUSTOMERS = (State.CHECKED.value, State.CONFIRMED.value, State.ARCHIVED.value)
NEWEST_FIRST = (("month", -1), ("id", -1))


class StatementDesk:
    """Everything may raise StoreAway."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.statements = Statements(tools.database)
        self._files = Files(tools.database)
        self._links = Links(tools.settings.files)
        self._has_links = tools.settings.files.link_key is not None

    # ---- finding -----------------------------------------------------------------------------------------------------

    def rows(self, at: datetime) -> Rows:
        def url(name: str) -> str | None:
            return self._links.make(Promised(name, at + KEPT), at).url if self._has_links else None

        return Rows(self.tools.zone, url)

    async def find(self, asked: Asked, **which: Any) -> Statement:
        """The one that is meant. Refuses not_found, also for what this caller does not see."""
        found = await self.statements.find(asked.scope, which)
        if asked.principal.role is Role.CUSTOMER and found.state not in SHOWN_TO_CUSTOMERS:
            raise not_found("the statement")
        return found

    async def chosen(
        self, asked: Asked, numbers: Sequence[str] | None, states: frozenset[State] = OWED, dept_id: int | None = None
    ) -> list[Statement]:
        """Those of these numbers (each must be there), or all in these states where none are named."""
        own: dict[str, Any] = asked.scope.match() | ({} if dept_id is None else {"dept_id": dept_id})
        if numbers is None:
            with translated():
                found = await self.tools.database[STATEMENTS].find({**own, "state": {"$in": sorted(states)}}).to_list()
            return [to_statement(document) for document in found]
        found = await find_by(self.tools.database, STATEMENTS, "_id", numbers, own)
        shown = [statement for each in found if self._sees(asked, statement := to_statement(each))]
        missing = set(numbers) - {statement.statement_no for statement in shown}
        if missing:
            raise not_found(f"statement {min(missing)}")
        return shown

    async def of_ids(self, asked: Asked, ids: Sequence[int]) -> list[Statement]:
        """Refuses not_found where one of them is not there."""
        found = await find_by(self.tools.database, STATEMENTS, "id", ids, asked.scope.match())
        shown = [statement for each in found if self._sees(asked, statement := to_statement(each))]
        missing = set(ids) - {statement.id for statement in shown}
        if missing:
            raise not_found(f"statement {min(missing)}")
        return shown

    async def page(self, asked: Asked) -> Page:
        query: StatementQuery = asked.body
        found, total = await find_page(
            self.tools.database,
            STATEMENTS,
            self.match(asked),
            query,
            NEWEST_FIRST,
            self.tools.settings.metering.unpaged_rows,
        )
        rows = self.rows(asked.at)
        return page_of([rows.statement(to_statement(document)) for document in found], total, query)

    def match(self, asked: Asked) -> dict[str, Any]:
        """The filter of MongoDB of what is asked for."""
        query: StatementQuery = asked.body
        match: dict[str, Any] = {**asked.scope.match(), "listed": True}
        match |= self._states(asked.principal.role, query.state_list)
        for field, first, last in (("month", query.bill_date_gte, query.bill_date_lte),):
            bounds = {"$gte": first and first[:7], "$lte": last and last[:7]}
            if known := {operator: bound for operator, bound in bounds.items() if bound}:
                match[field] = known
        lists: Mapping[str, Sequence[Any] | None] = {
            "_id": query.statement_no_list,
            # Customers' own accounts are a matter of scope: what they send here is not looked at.
            "dept_id": None if asked.principal.role is Role.CUSTOMER else query.dept_id_list,
            "invoice_state": query.invoice_state_list,
            "overdraft": query.overdraft_type_list,
            "payment_state": query.payment_state_list,
        }
        match |= {field: {"$in": list(values)} for field, values in lists.items() if values}
        if query.keyword:
            word = containing(query.keyword)
            match["$or"] = [{field: word} for field in ("_id", "dept_name", "app_id")]
        return match

    async def cells(self, asked: Asked) -> AsyncIterator[Sequence[Cell]]:
        """Of all that is asked for, whatever page."""
        rows = self.rows(asked.at)
        with translated():
            async for document in self.tools.database[STATEMENTS].find(self.match(asked)).sort(list(NEWEST_FIRST)):
                yield rows.cells(to_statement(document))

    @staticmethod
    def _states(role: Role, wanted: Sequence[int] | None) -> dict[str, Any]:
        if role is Role.CUSTOMER:
            return {"state": {"$in": [state for state in SHOWN_TO_CUSTOMERS if not wanted or state in wanted]}}
        return {"state": {"$in": list(wanted)}} if wanted else {}

    @staticmethod
    def _sees(asked: Asked, statement: Statement) -> bool:
        customers = asked.principal.role is Role.CUSTOMER
        return statement.state in SHOWN_TO_CUSTOMERS if customers else statement.state != State.DELETED

    # ---- sending -----------------------------------------------------------------------------------------------------

    async def attachment(self, statement: Statement, at: datetime, *, rebuild: bool = False) -> StoredFile:
        """The statement's workbook, built where it is not there."""
        name = file_id(statement)
        if not rebuild and (found := await self._files.find(name, at)) is not None:
            return found
        async with aclosing(xlsx(statement.month, LINE_COLUMNS, line_cells(statement))) as chunks:
            return await self._files.write(
                name,
                chunks,
                name=f"{statement.statement_no}.xlsx",
                content_type=XLSX,
                now=at,
                expires_at=at + KEPT,
            )

    async def named(self, statement: Statement, url: str, at: datetime) -> StoredFile:
        """The workbook of this statement that a link is of. Refuses NO_FILE: nothing else is mailed as a statement."""
        name = unquote(urlsplit(url).path).removeprefix(f"{PATH}/")
        found = None
        if name.startswith(f"statements/{statement.statement_no}/"):
            found = await self._files.find(name, at)
        if found is None:
            raise MtRefused(NO_FILE, "attachmentUrl is none of this statement's: gainAttachment answers one")
        return found

    def link(self, file: StoredFile, at: datetime) -> str:
        """Refuses not_configured where no links can be made."""
        return self._links.make(file, at).url

    async def send(
        self, asked: Asked, statement: Statement, receivers: Sequence[str], copies: Sequence[str], file: StoredFile
    ) -> None:
        """Have it mailed: the clock does that, and keeps what came of it. Refuses STATEMENT_STATE, bad_field."""
        for address in (*receivers, *copies):
            checked_address(address)

        def with_send(current: Statement) -> Statement:
            if current.state not in MAILABLE:
                raise wrong_state(current, "send")
            return sending(current, receivers, copies, file, asked.at)

        await self.statements.change(statement.statement_no, "send", actor_of(asked.principal), asked.at, with_send)

    async def receivers(self, scope: Scope, dept_id: int) -> tuple[str, ...]:
        """Where statements of an account go. Refuses not_found."""
        dept = await find_dept(self.tools.database, dept_id, scope)
        return await receivers_of(self.tools.database, dept.merchant_id, dept.emails)

    async def receivers_of(self, statement: Statement) -> tuple[str, ...]:
        """As they are known now; as they were when it was made, where its account is gone."""
        dept = (await depts_of(self.tools.database, [statement.dept_id])).get(statement.dept_id)
        if dept is None:
            return statement.emails
        return await receivers_of(self.tools.database, dept.merchant_id, dept.emails)


def sending(
    statement: Statement, receivers: Sequence[str], copies: Sequence[str], file: StoredFile, at: datetime
) -> Statement:
    number = 1 + max((send.no for send in statement.sends), default=0)
    send = Send(no=number, receivers=tuple(receivers), copies=tuple(copies), file_id=file.id, at=at)
    return replace(statement, sends=(*statement.sends, send))


def checked_address(address: str) -> str:
    """Refuses bad_field."""
    try:
        return parse_address(address).spec
    except ValueError as error:
        raise Refused("bad_field", f"email: {error}") from None
