"""Statements made and corrected from the monthly usage of an account.

What is billed is decided once: the difference between usage and what is covered is written
into the account's head by a conditional write, and only then into the statement. Of two
that bill an account at once, one comes first and the other starts anew; what was decided
and not written yet is written by whoever comes next, once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from pymongo.errors import DuplicateKeyError

from handlers.statements.making import Difference, differences, fill, statement_no
from handlers.statements.statement import (
    OPEN_TO_CHANGE,
    Figures,
    Key,
    State,
    Statement,
    covered_by,
)
from handlers.usage.totals import CUST_MONTHLY
from schemas.errors import StoreAway
from stores.mongo import Database, Document, translated
from stores.mt.names import product_names
from stores.mt.numbers import next_number
from stores.mt.price_book import ACCOUNTS
from stores.mt.statements import STATEMENTS, Actor, Statements, to_document, to_statement
from stores.mt.whose import Whose, read_whose

STATEMENT_HEADS = "statement_heads"
ROUNDS = 50
"""Corrections and races in one call; there are as many as an account has statements that are not confirmed."""


class Head(msgspec.Struct, frozen=True, rename={"dept_id": "_id"}, kw_only=True):
    """Where the billing of an account stands."""

    dept_id: int
    revision: int = 0
    pending: dict[str, Any] | None = None


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """Differences that go into a statement; `new` is its document where it is still to be made.

    `whose` where the statement does not know it all: what comes in now may have been paid by a wallet that was
    opened after it was made.
    """

    revision: int
    statement_no: str
    found: tuple[Difference, ...]
    at: datetime
    by: str
    name: str = ""
    new: dict[str, Any] | None = None
    whose: Whose | None = None


class Billing:
    """Everything may raise StoreAway, and is safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._heads = database[STATEMENT_HEADS]
        self._statements = Statements(database)

    async def accounts_count(self) -> int:
        """How many accounts there are, more or less: how far a job is, is told by it."""
        with translated():
            return await self._database[ACCOUNTS].estimated_document_count()

    async def accounts_after(self, dept_id: int | None, limit: int) -> list[int]:
        """Accounts with usage, in the order of their ids as texts; each found by one look into the index."""
        found: list[int] = []
        last = dept_id
        while len(found) < limit:
            # "0" follows "/": what an account has lies between `7/` and `70`.
            after = {} if last is None else {"_id": {"$gte": f"{last}0"}}
            with translated():
                document = await self._database[CUST_MONTHLY].find_one(after, {"dept_id": 1}, sort=[("_id", 1)])
            if document is None:
                break
            last = int(document["dept_id"])
            found.append(last)
        return found

    async def bill(self, dept_id: int, month: str, actor: Actor, at: datetime, *, make: bool = True) -> list[str]:
        """Bill what an account has used up to the end of a month; the numbers of the statements made or corrected.

        Statements that are not confirmed are corrected, the oldest first; what is left makes the one of the
        month, where there is none yet and `make` is set. None is made while nobody knows whose the account is.
        """
        changed: list[str] = []
        for _ in range(ROUNDS):
            head = await self._head(dept_id)
            if head.pending is not None:
                await self._finish(head)
                continue
            decided = await self._decide(head, month, actor, at, make=make)
            if decided is None:
                return changed
            if await self._claim(head, decided):
                await self._finish(replace(head, revision=decided.revision, pending=_builtins(decided)))
                changed.append(decided.statement_no)
        raise StoreAway(f"account {dept_id}: its statements change all the time")

    async def _decide(self, head: Head, month: str, actor: Actor, at: datetime, *, make: bool) -> Decided | None:
        statements = await self._statements.all_of({"dept_id": head.dept_id})
        usage = await self._usage(head.dept_id)
        covered = covered_by(statements)
        if not differences(usage, covered, month, {}):
            return None
        names = await product_names(self._database, {key[1] for key in usage})
        for statement in statements:
            if statement.state in OPEN_TO_CHANGE and statement.month <= month:
                found = differences(usage, covered, statement.month, names)
                if found:
                    whose = None if statement.knows_whose else await read_whose(self._database, head.dept_id)
                    return replace(self._decided(head, statement.statement_no, found, actor, at), whose=whose)
        of_month = [statement for statement in statements if statement.month == month]
        found = differences(usage, covered, month, names)
        if not make or not found or any(statement.state != State.DELETED for statement in of_month):
            return None
        # After the usage: a wallet that has paid for some of it is seen.
        whose = await read_whose(self._database, head.dept_id)
        if whose is None:
            return None
        new = await self._blank(head.dept_id, month, len(of_month) + 1, whose, at)
        decided = self._decided(head, new.statement_no, found, actor, at)
        return replace(decided, new=to_document(new))

    @staticmethod
    def _decided(head: Head, number: str, found: Sequence[Difference], actor: Actor, at: datetime) -> Decided:
        return Decided(
            revision=head.revision + 1, statement_no=number, found=tuple(found), at=at, by=actor.by, name=actor.name
        )

    async def _claim(self, head: Head, decided: Decided) -> bool:
        """Whether it is us who decide; by the write, whatever comes after it is finished by somebody."""
        document: Document = {"revision": decided.revision, "pending": _builtins(decided)}
        if head.revision == 0:
            try:
                with translated():
                    await self._heads.insert_one({"_id": head.dept_id, **document})
            except DuplicateKeyError:
                return False
            return True
        with translated():
            done = await self._heads.update_one({"_id": head.dept_id, "revision": head.revision}, {"$set": document})
        return done.matched_count == 1

    async def _finish(self, head: Head) -> None:
        """Write what was decided into its statement, unless it is there, and close the decision."""
        decided = msgspec.convert(head.pending, Decided)
        actor = Actor(decided.by, decided.name)
        if decided.new is not None:
            blank = replace(to_statement(decided.new), applied=decided.revision)
            # One of this number that is there is this one: its number was free when it was decided.
            await self._statements.insert(fill(blank, decided.found, decided.at), actor, decided.at)
        else:
            await self._statements.change(
                decided.statement_no, "correct", actor, decided.at, lambda statement: _corrected(statement, decided)
            )
        with translated():
            await self._heads.update_one(
                {"_id": head.dept_id, "revision": decided.revision}, {"$set": {"pending": None}}
            )

    async def _head(self, dept_id: int) -> Head:
        with translated():
            document = await self._heads.find_one({"_id": dept_id})
        return Head(dept_id=dept_id) if document is None else msgspec.convert(document, Head)

    async def _usage(self, dept_id: int) -> dict[Key, Figures]:
        with translated():
            found = (
                await self._database[CUST_MONTHLY]
                .find({"_id": {"$gte": f"{dept_id}/", "$lt": f"{dept_id}0"}})
                .to_list()
            )
        return {
            (each["month"], each["item"], each["tag"]): Figures(
                each["count"], each["free"], each["charged"], each["fee_micro"], each["cost_micro"]
            )
            for each in found
        }

    async def _blank(self, dept_id: int, month: str, version: int, whose: Whose, at: datetime) -> Statement:
        """A statement without lines."""
        return whose.on(
            Statement(
                statement_no=statement_no(dept_id, month, version),
                id=await next_number(self._database, STATEMENTS),
                merchant_id=None,
                dept_id=dept_id,
                month=month,
                made_at=at,
            )
        )


def _corrected(statement: Statement, decided: Decided) -> Statement:
    """Unless it is in already, or was confirmed meanwhile: then it is still to be billed, by the next statement."""
    if statement.applied >= decided.revision or statement.state not in OPEN_TO_CHANGE:
        return statement
    if decided.whose is not None:
        statement = decided.whose.on(statement)
    return replace(fill(statement, decided.found, decided.at), applied=decided.revision)


def _builtins(decided: Decided) -> Document:
    document: Document = msgspec.to_builtins(decided, builtin_types=(datetime,))
    return document
