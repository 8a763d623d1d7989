"""Whose an account's usage is: the customer, who is told of it, and the wallet that it was charged to.

The wallet is chosen by the rater's own rule (`PriceBook.wallet_of`), from the same documents.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from handlers.statements.statement import Overdraft, Statement
from handlers.usage.prices import price_book
from schemas.push import Language
from stores.mongo import Database, Document, translated
from stores.mt.customers import CUSTOMERS
from stores.mt.depts import Dept
from stores.mt.price_book import ACCOUNTS, WALLETS, accounts_of, wallets_of


class Whose(msgspec.Struct, frozen=True, kw_only=True):
    """As a statement keeps it."""

    merchant_id: int
    dept_name: str = ""
    app_id: str = ""
    user_id: int | None = None
    language: Language | None = None
    emails: tuple[str, ...] = ()
    overdraft: Overdraft = Overdraft.MONTHLY
    wallet_id: int | None = None

    def on(self, statement: Statement) -> Statement:
        return replace(statement, **asdict(self))


def whose_of(account: Document, customer: Mapping[str, Any], wallets: Sequence[Document]) -> Whose:
    """`wallets`: all of the customer's."""
    dept = msgspec.convert(account, Dept)
    (payer,) = accounts_of([account])
    wallet_id = price_book(wallets=wallets_of(wallets)).wallet_of(payer)
    wallet = next((each for each in wallets if wallet_id is not None and each["wallet_id"] == wallet_id), None)
    return Whose(
        merchant_id=dept.merchant_id,
        dept_name=dept.name or "",
        app_id=dept.app_id or "",
        user_id=customer.get("user_id"),
        language=customer.get("language"),
        emails=_each_once(dept.emails, customer),
        overdraft=overdraft_of(wallet),
        wallet_id=wallet_id,
    )


def overdraft_of(wallet: Document | None) -> Overdraft:
    """How a customer settles. Monthly where there is no wallet that could have paid."""
    state = Overdraft.MONTHLY if wallet is None else wallet.get("overdraft_state", Overdraft.MONTHLY)
    # A locked one is prepaid: it has paid for what was used until it was locked.
    return Overdraft(state) if state in list(Overdraft) else Overdraft.PREPAID


async def read_whose(database: Database, dept_id: int) -> Whose | None:
    """As it is known now; None where the account is not. Raises StoreAway."""
    with translated():
        account = await database[ACCOUNTS].find_one({"_id": dept_id})
        if account is None:
            return None
        customer = await database[CUSTOMERS].find_one({"_id": account["merchant_id"]}) or {}
        wallets = await database[WALLETS].find({"merchant_id": account["merchant_id"]}).to_list()
    return whose_of(account, customer, wallets)


async def receivers_of(database: Database, merchant_id: int | None, own: Sequence[str]) -> tuple[str, ...]:
    """Addresses of an account, those of its customer after them; each once. Raises StoreAway."""
    with translated():
        customer = await database[CUSTOMERS].find_one({"_id": merchant_id}) or {}
    return _each_once(own, customer)


def _each_once(own: Sequence[str], customer: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*own, *customer.get("emails", ()))))
