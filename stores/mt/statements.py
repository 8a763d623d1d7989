"""Statements as they are kept: a change is one conditional write, and what it was is kept beside it.

A statement carries its last move itself, so a change and its move are written at once. The
move goes to `statement_moves` right after; where a crash comes between, before the next
change overwrites it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from handlers.statements.moves import kept
from handlers.statements.statement import Move, State, Statement
from schemas.errors import Refused
from schemas.mt.access import Principal, Scope
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.statement_codes import CHANGED_MEANWHILE
from stores.mongo import Database, Document, translated

STATEMENTS = "statements"
STATEMENT_MOVES = "statement_moves"
ATTEMPTS = 8
"""So often a change is tried again that others came before."""

Change = Callable[[Statement], Statement]


class Actor(msgspec.Struct, frozen=True):
    """Who does something to a statement, as it is kept of it."""

    by: str
    name: str = ""


CLOCK = Actor("clock")


def actor_of(principal: Principal) -> Actor:
    return Actor(f"{principal.role}/{principal.user_id}", principal.name)


class StatementRows(Protocol):
    """What changing a statement needs of a store. Every method may raise StoreAway; then it may have been done."""

    async def statement(self, statement_no: str) -> Statement | None:
        """As it is now, deleted ones too."""
        ...

    async def add(self, statement: Statement) -> bool:
        """Write a new one; False where there is one of this number."""
        ...

    async def put(self, statement: Statement) -> bool:
        """Write it in place of the one that is a revision older; False where that is not there any more."""
        ...

    async def keep_move(self, statement: Statement) -> None:
        """Keep its last move, unless it is kept."""
        ...


async def insert_in(rows: StatementRows, statement: Statement, actor: Actor, at: datetime) -> bool:
    """False where there is one of this number already, whatever has become of it."""
    made = kept(None, statement, Move(what="make", at=at, by=actor.by, name=actor.name))
    if not await rows.add(made):
        return False
    await rows.keep_move(made)
    return True


async def change_in(
    rows: StatementRows, statement_no: str, what: str, actor: Actor, at: datetime, how: Change
) -> Statement:
    """The statement as it is after the change; `how` is asked again where somebody else came before.

    What `how` refuses passes through, and nothing is changed. Nothing is written where it answers the same.
    """
    for _ in range(ATTEMPTS):
        before = await rows.statement(statement_no)
        if before is None:
            raise not_found(f"statement {statement_no}")
        after = how(before)
        if after == before:
            return before
        written = kept(before, after, Move(what=what, at=at, by=actor.by, name=actor.name))
        await rows.keep_move(before)
        if await rows.put(written):
            await rows.keep_move(written)
            return written
    raise MtRefused(CHANGED_MEANWHILE, f"statement {statement_no} is being changed by others: ask again")


class MongoRows:
    def __init__(self, database: Database) -> None:
        self._statements = database[STATEMENTS]
        self._moves = database[STATEMENT_MOVES]

    async def statement(self, statement_no: str) -> Statement | None:
        with translated():
            document = await self._statements.find_one({"_id": statement_no})
        return None if document is None else to_statement(document)

    async def add(self, statement: Statement) -> bool:
        return await _inserted(self._statements, to_document(statement))

    async def put(self, statement: Statement) -> bool:
        seen = {"_id": statement.statement_no, "revision": statement.revision - 1}
        with translated():
            done = await self._statements.replace_one(seen, to_document(statement))
        return done.matched_count == 1

    async def keep_move(self, statement: Statement) -> None:
        await _inserted(self._moves, _move(statement))


class Statements:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._statements = database[STATEMENTS]
        self._moves = database[STATEMENT_MOVES]
        self._rows = MongoRows(database)

    async def find(self, scope: Scope, which: Mapping[str, Any]) -> Statement:
        """Refuses not_found where there is none, or it is deleted, or not of this scope."""
        with translated():
            document = await self._statements.find_one({**which, **scope.match()})
        if document is None or document["state"] == State.DELETED:
            raise not_found("the statement")
        return to_statement(document)

    async def all_of(self, match: Mapping[str, Any]) -> list[Statement]:
        """Oldest first, deleted ones too."""
        with translated():
            found = await self._statements.find(dict(match)).sort([("month", 1), ("id", 1)]).to_list()
        return [to_statement(document) for document in found]

    async def change(self, statement_no: str, what: str, actor: Actor, at: datetime, how: Change) -> Statement:
        """As `change_in`."""
        return await change_in(self._rows, statement_no, what, actor, at, how)

    async def change_all(
        self, statements: Sequence[Statement], what: str, actor: Actor, at: datetime, how: Change
    ) -> None:
        """All of them, or none: `how` is asked of all before the first is written.

        Where somebody else changes one of them at that very moment, those before it stay changed: each is
        refused or written by itself, and to ask again for what is left is safe.
        """
        for statement in statements:
            how(statement)
        for statement in statements:
            await self.change(statement.statement_no, what, actor, at, how)

    async def moves_of(self, statement_no: str) -> list[Document]:
        """Everything that was done to a statement, from its making on."""
        with translated():
            found = await self._moves.find({"statement_no": statement_no}).sort("revision", 1).to_list()
            current = await self._statements.find_one({"_id": statement_no})
        if current is not None and all(move["revision"] != current["revision"] for move in found):
            found.append(_move(to_statement(current)))
        return found

    async def with_mail_under_way(self, limit: int) -> list[Statement]:
        with translated():
            found = await self._statements.find({"mailing": True}).sort("id", 1).limit(limit).to_list()
        return [to_statement(document) for document in found]


async def _inserted(collection: AsyncCollection[Document], document: Document) -> bool:
    try:
        with translated():
            await collection.insert_one(document)
    except DuplicateKeyError:
        return False
    return True


def _move(statement: Statement) -> Document:
    if statement.last_move is None:
        raise Refused("internal", f"statement {statement.statement_no} was written without its move")
    move: Document = msgspec.to_builtins(statement.last_move, builtin_types=(datetime,))
    return {
        "_id": f"{statement.statement_no}/{statement.revision}",
        "statement_no": statement.statement_no,
        "revision": statement.revision,
        **move,
    }


def to_statement(document: Mapping[str, Any]) -> Statement:
    return msgspec.convert(document, Statement)


def to_document(statement: Statement) -> Document:
    """With the sums that lists are filtered and added up by."""
    document: Document = msgspec.to_builtins(statement, builtin_types=(datetime,))
    document |= {
        "total_micro": statement.total_micro,
        "settled_micro": statement.settled_micro,
        "open_micro": statement.open_micro,
        "invoiced_micro": statement.invoiced_micro,
        "payment_state": statement.payment_state.value,
        "invoice_state": statement.invoice_state.value,
    }
    if statement.state != State.DELETED:
        # What lists begin with: an index has it before the month, by which they are sorted.
        document["listed"] = True
    if statement.mail_under_way:
        document["mailing"] = True
    return document
