"""Statements made and corrected from the monthly usage of an account.

What is billed is decided once: the difference between usage and what is covered is written
into the account's head by a conditional write, and only then into the statement. Of two
that bill an account at once, one comes first and the other starts anew; what was decided
and not written yet is written by whoever comes next, once.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec.structs import replace

from handlers.statements.making import Difference, differences, fill, statement_no
from handlers.statements.statement import OPEN_TO_CHANGE, State, Statement, Usage, covered_by
from schemas.errors import StoreAway
from stores.mt.statements import Actor, StatementRows, change_in, insert_in
from stores.mt.whose import Whose

ROUNDS = 50
"""Corrections and races in one call; there are as many as an account has statements that are not confirmed."""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """Differences that go into a statement; `new` where it is still to be made.

    `whose` where the statement does not know it all: what comes in now may have been paid by a wallet that was
    opened after it was made.
    """

    revision: int
    statement_no: str
    found: tuple[Difference, ...]
    at: datetime
    by: str
    name: str = ""
    new: Statement | None = None
    whose: Whose | None = None


class Head(msgspec.Struct, frozen=True, rename={"dept_id": "_id"}, kw_only=True):
    """Where the billing of an account stands."""

    dept_id: int
    revision: int = 0
    pending: Decided | None = None


class Books(StatementRows, Protocol):
    """What billing needs of a store. Every method may raise StoreAway; then it may have been done."""

    async def head(self, dept_id: int) -> Head:
        """A new one where nothing was billed yet."""
        ...

    async def claim(self, head: Head) -> bool:
        """Write a head in place of the one that is a revision older; False where that is not there any more."""
        ...

    async def close(self, dept_id: int, revision: int) -> None:
        """Without what was pending in a head of that revision."""
        ...

    async def statements_of(self, dept_id: int) -> Sequence[Statement]:
        """An account's, oldest first, deleted ones too."""
        ...

    async def usage(self, dept_id: int) -> Usage:
        """An account's, of all months."""
        ...

    async def whose(self, dept_id: int) -> Whose | None:
        """As it is known now. Read after usage it has the wallet that has paid for it."""
        ...

    async def names(self, items: Collection[str]) -> Mapping[str, str]:
        """Those of products."""
        ...

    async def next_id(self) -> int:
        """A statement's, greater than all before."""
        ...


async def bill_in(
    books: Books, dept_id: int, month: str, actor: Actor, at: datetime, *, make: bool = True
) -> list[str]:
    """Bill what an account has used up to the end of a month; the numbers of the statements made or corrected.

    Statements that are not confirmed are corrected, the oldest first; what is left makes the one of the
    month, where there is none yet and `make` is set. None is made while nobody knows whose the account is.
    """
    changed: list[str] = []
    for _ in range(ROUNDS):
        head = await books.head(dept_id)
        if head.pending is not None:
            await _finish(books, dept_id, head.pending)
            continue
        decided = await _decide(books, head, month, actor, at, make=make)
        if decided is None:
            return changed
        if await books.claim(replace(head, revision=decided.revision, pending=decided)):
            # By the write, whatever comes after it is finished by somebody.
            await _finish(books, dept_id, decided)
            changed.append(decided.statement_no)
    raise StoreAway(f"account {dept_id}: its statements change all the time")


async def _decide(books: Books, head: Head, month: str, actor: Actor, at: datetime, *, make: bool) -> Decided | None:
    statements = await books.statements_of(head.dept_id)
    usage = await books.usage(head.dept_id)
    covered = covered_by(statements)
    if not differences(usage, covered, month, {}):
        return None
    names = await books.names({key[1] for key in usage})

    def decided(number: str, found: Sequence[Difference]) -> Decided:
        return Decided(
            revision=head.revision + 1, statement_no=number, found=tuple(found), at=at, by=actor.by, name=actor.name
        )

    for statement in statements:
        if statement.state in OPEN_TO_CHANGE and statement.month <= month:
            found = differences(usage, covered, statement.month, names)
            if found:
                whose = None if statement.knows_whose else await books.whose(head.dept_id)
                return replace(decided(statement.statement_no, found), whose=whose)
    of_month = [statement for statement in statements if statement.month == month]
    found = differences(usage, covered, month, names)
    if not make or not found or any(statement.state != State.DELETED for statement in of_month):
        return None
    whose = await books.whose(head.dept_id)
    if whose is None:
        return None
    number = statement_no(head.dept_id, month, len(of_month) + 1)
    blank = Statement(
        statement_no=number,
        id=await books.next_id(),
        merchant_id=None,
        dept_id=head.dept_id,
        month=month,
        made_at=at,
    )
    return replace(decided(number, found), new=whose.on(blank))


async def _finish(books: Books, dept_id: int, decided: Decided) -> None:
    """Write what was decided into its statement, unless it is there, and close the decision."""
    actor = Actor(decided.by, decided.name)
    if decided.new is not None:
        blank = replace(decided.new, applied=decided.revision)
        # One of this number that is there is this one: its number was free when it was decided.
        await insert_in(books, fill(blank, decided.found, decided.at), actor, decided.at)
    else:
        await change_in(
            books, decided.statement_no, "correct", actor, decided.at, lambda statement: _corrected(statement, decided)
        )
    await books.close(dept_id, decided.revision)


def _corrected(statement: Statement, decided: Decided) -> Statement:
    """Unless it is in already, or was confirmed meanwhile: then it is still to be billed, by the next statement."""
    if statement.applied >= decided.revision or statement.state not in OPEN_TO_CHANGE:
        return statement
    if decided.whose is not None:
        statement = decided.whose.on(statement)
    return replace(fill(statement, decided.found, decided.at), applied=decided.revision)
