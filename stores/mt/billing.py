"""Billing on MongoDB: usage, whose it is, and where the billing of each account stands."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
from pymongo.errors import DuplicateKeyError

from handlers.statements.statement import Figures, Key, Statement
from handlers.usage.totals import CUST_MONTHLY
from stores.mongo import Database, Document, translated
from stores.mt.billing_steps import Head, bill_in
from stores.mt.names import product_names
from stores.mt.numbers import next_number
from stores.mt.price_book import ACCOUNTS
from stores.mt.statements import STATEMENTS, Actor, MongoRows, Statements
from stores.mt.whose import Whose, read_whose

STATEMENT_HEADS = "statement_heads"


class MongoBooks(MongoRows):
    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._database = database
        self._heads = database[STATEMENT_HEADS]

    async def head(self, dept_id: int) -> Head:
        with translated():
            document = await self._heads.find_one({"_id": dept_id})
        return Head(dept_id=dept_id) if document is None else msgspec.convert(document, Head)

    async def claim(self, head: Head) -> bool:
        document: Document = msgspec.to_builtins(head, builtin_types=(datetime,))
        if head.revision == 1:
            try:
                with translated():
                    await self._heads.insert_one(document)
            except DuplicateKeyError:
                return False
            return True
        with translated():
            done = await self._heads.replace_one({"_id": head.dept_id, "revision": head.revision - 1}, document)
        return done.matched_count == 1

    async def close(self, dept_id: int, revision: int) -> None:
        with translated():
            await self._heads.update_one({"_id": dept_id, "revision": revision}, {"$set": {"pending": None}})

    async def statements_of(self, dept_id: int) -> list[Statement]:
        return await Statements(self._database).all_of({"dept_id": dept_id})

    async def usage(self, dept_id: int) -> dict[Key, Figures]:
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

    async def whose(self, dept_id: int) -> Whose | None:
        return await read_whose(self._database, dept_id)

    async def names(self, items: Collection[str]) -> Mapping[str, str]:
        return await product_names(self._database, items)

    async def next_id(self) -> int:
        return await next_number(self._database, STATEMENTS)


class Billing:
    """Everything may raise StoreAway, and is safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._books = MongoBooks(database)

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
        """As `bill_in`."""
        return await bill_in(self._books, dept_id, month, actor, at, make=make)
