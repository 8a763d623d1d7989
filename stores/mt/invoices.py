"""Invoices: each takes its parts of statements before it counts, and gives them back where it comes to nothing.

An invoice is of several documents, so it is written in steps that anybody can finish: its
document with the parts it wants, the part in each statement, its document once more. What
was left in the middle by a process that died is finished by the clock.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from functools import partial
from typing import Any

import msgspec
from pymongo import ReturnDocument

from handlers.statements.shares import release_invoice, spread_invoice, take_invoice
from handlers.statements.statement import Statement
from schemas.mt.access import Scope
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.statement_codes import INVOICE_STATE, OVER_LIMIT, SEVERAL_CUSTOMERS
from stores.mongo import Database, Document, translated
from stores.mt.numbers import next_number
from stores.mt.statements import Actor, Statements

INVOICES = "invoices"
ABANDONED = timedelta(minutes=1)
"""A call that has gone on for so long has ended without finishing its invoice."""


class InvoiceState(IntEnum):
    """The contract lists no codes: these are Fanfold's own."""

    DROPPED = -30
    """Its parts could not be taken. Shown to nobody."""
    TAKING = -20
    """Its parts are being taken. Shown to nobody."""
    REJECTED = -10
    WAITING = 0
    """For an operator's audit."""
    APPROVED = 10
    """To be issued."""
    ISSUED = 20


SHOWN = (InvoiceState.REJECTED, InvoiceState.WAITING, InvoiceState.APPROVED, InvoiceState.ISSUED)


class Invoice(msgspec.Struct, frozen=True, rename={"id": "_id"}, kw_only=True):
    id: int
    merchant_id: int | None
    dept_ids: tuple[int, ...]
    dept_name: str = ""
    kind: str
    """`normal` or `special`."""
    amount_micro: int
    shares: Mapping[str, int]
    """By statement number."""
    header: str
    tin: str
    email: str
    url: str | None = None
    state: InvoiceState
    becomes: InvoiceState
    """Once its parts are taken."""
    unsettled: bool | None = None
    """Parts are still to be taken or given back."""
    by: str
    name: str = ""
    created_at: datetime
    audited_at: datetime | None = None
    issued_at: datetime | None = None
    reject_reason: str | None = None

    @property
    def share_name(self) -> str:
        return str(self.id)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as it is asked for."""

    amount_micro: int
    kind: str
    header: str
    tin: str
    email: str
    url: str | None = None
    approved: bool = False
    """By an operator, who needs no audit."""

    @property
    def becomes(self) -> InvoiceState:
        if not self.approved:
            return InvoiceState.WAITING
        return InvoiceState.APPROVED if self.url is None else InvoiceState.ISSUED


class Invoices:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._invoices = database[INVOICES]
        self._statements = Statements(database)

    async def find(self, scope: Scope, number: int) -> Invoice:
        """Refuses not_found."""
        with translated():
            document = await self._invoices.find_one({"_id": number, **scope.match()})
        if document is None or document["state"] not in SHOWN:
            raise not_found(f"invoice {number}")
        return to_invoice(document)

    async def add(self, statements: Sequence[Statement], wanted: Wanted, actor: Actor, at: datetime) -> Invoice:
        """An invoice of these statements, the oldest first. Refuses OVER_LIMIT, SEVERAL_CUSTOMERS: nothing is taken."""
        merchants = {statement.merchant_id for statement in statements}
        if len(merchants) > 1:
            raise MtRefused(SEVERAL_CUSTOMERS, "an invoice is of one customer")
        shares = spread_invoice(statements, wanted.amount_micro)
        taken = [statement for statement in statements if statement.statement_no in shares]
        invoice = Invoice(
            id=await next_number(self._database, INVOICES),
            merchant_id=merchants.pop() if merchants else None,
            dept_ids=tuple(dict.fromkeys(statement.dept_id for statement in taken)),
            dept_name=taken[0].dept_name if taken else "",
            kind=wanted.kind,
            amount_micro=wanted.amount_micro,
            shares=shares,
            header=wanted.header,
            tin=wanted.tin,
            email=wanted.email,
            url=wanted.url,
            state=InvoiceState.TAKING,
            becomes=wanted.becomes,
            unsettled=True,
            by=actor.by,
            name=actor.name,
            created_at=at,
            issued_at=at if wanted.becomes == InvoiceState.ISSUED else None,
        )
        with translated():
            await self._invoices.insert_one(_document(invoice))
        done = await self._finish(invoice)
        if done.state == InvoiceState.DROPPED:
            raise MtRefused(OVER_LIMIT, "others were faster: less may still be invoiced now")
        return done

    async def audit(
        self,
        scope: Scope,
        number: int,
        actor: Actor,
        at: datetime,
        *,
        passes: bool,
        url: str | None,
        reason: str | None,
    ) -> Invoice:
        """Refuses not_found, INVOICE_STATE. One that is rejected gives its parts back."""
        await self.find(scope, number)
        change: Document = {"audited_at": at, "audited_by": actor.by}
        if not passes:
            change |= {"state": InvoiceState.REJECTED.value, "reject_reason": reason, "unsettled": True}
        elif url is None:
            change |= {"state": InvoiceState.APPROVED.value}
        else:
            change |= {"state": InvoiceState.ISSUED.value, "url": url, "issued_at": at}
        return await self._move(number, InvoiceState.WAITING, change, at)

    async def issue(self, scope: Scope, number: int, url: str, at: datetime) -> Invoice:
        """Refuses not_found, INVOICE_STATE."""
        await self.find(scope, number)
        change: Document = {"state": InvoiceState.ISSUED.value, "url": url, "issued_at": at}
        return await self._move(number, InvoiceState.APPROVED, change, at)

    async def settle_abandoned(self, now: datetime) -> int:
        """Finish what was left in the middle; returns how many there were. Safe to call anywhere and at once."""
        with translated():
            found = await self._invoices.find({"unsettled": True, "created_at": {"$lt": now - ABANDONED}}).to_list()
        for document in found:
            await self._finish(to_invoice(document))
        return len(found)

    async def _move(self, number: int, state: InvoiceState, change: Document, at: datetime) -> Invoice:
        with translated():
            document = await self._invoices.find_one_and_update(
                {"_id": number, "state": state.value}, {"$set": change}, return_document=ReturnDocument.AFTER
            )
        if document is None:
            raise MtRefused(INVOICE_STATE, f"invoice {number} is not {state.name.lower()}")
        moved = to_invoice(document)
        if moved.unsettled:
            return await self._finish(moved)
        if moved.state == InvoiceState.ISSUED:
            await self._note_issued(moved, at)
        return moved

    async def _finish(self, invoice: Invoice) -> Invoice:
        """Take its parts, or give them back; then it is settled. Safe to repeat, and for two at once."""
        actor = Actor(invoice.by, invoice.name)
        if invoice.state == InvoiceState.TAKING:
            try:
                for number, share in invoice.shares.items():
                    await self._statements.change(
                        number,
                        "invoice",
                        actor,
                        invoice.created_at,
                        partial(take_invoice, invoice=invoice.share_name, share_micro=share),
                    )
            except MtRefused:
                invoice = await self._settle(invoice, {"state": InvoiceState.DROPPED.value}, still=True)
            else:
                invoice = await self._settle(invoice, {"state": invoice.becomes.value}, still=False)
        if invoice.state in (InvoiceState.DROPPED, InvoiceState.REJECTED):
            for number in invoice.shares:
                await self._statements.change(
                    number,
                    "release invoice",
                    actor,
                    invoice.audited_at or invoice.created_at,
                    partial(release_invoice, invoice=invoice.share_name),
                )
            with translated():
                await self._invoices.update_one({"_id": invoice.id}, {"$unset": {"unsettled": ""}})
        elif invoice.state == InvoiceState.ISSUED and invoice.issued_at is not None:
            await self._note_issued(invoice, invoice.issued_at)
        return invoice

    async def _settle(self, invoice: Invoice, change: Document, *, still: bool) -> Invoice:
        """The invoice as it is: as we say, or as somebody has said before us."""
        unset: Document = {} if still else {"$unset": {"unsettled": ""}}
        with translated():
            await self._invoices.update_one(
                {"_id": invoice.id, "state": InvoiceState.TAKING.value}, {"$set": change, **unset}
            )
            document = await self._invoices.find_one({"_id": invoice.id})
        if document is None:
            raise not_found(f"invoice {invoice.id}")
        return to_invoice(document)

    async def _note_issued(self, invoice: Invoice, at: datetime) -> None:
        for number in invoice.shares:
            await self._statements.change(
                number,
                "invoice issued",
                Actor(invoice.by, invoice.name),
                at,
                lambda statement: msgspec.structs.replace(statement, invoiced_at=max(at, statement.invoiced_at or at)),
            )


def to_invoice(document: Mapping[str, Any]) -> Invoice:
    return msgspec.convert(document, Invoice)


def _document(invoice: Invoice) -> Document:
    document: Document = msgspec.to_builtins(invoice, builtin_types=(datetime,))
    return {name: value for name, value in document.items() if value is not None}
