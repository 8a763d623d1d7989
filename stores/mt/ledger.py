"""The ledger as it is read: a wallet's flows with the balance after each, and whether everything adds up.

A wallet's entries are in order by (`at`, `_id`). The usage of a day stands at the end of that day
and grows until then (and by what comes late), so what is after it grows with it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from handlers.ledger import LEDGER, TRANSFERS, Entry, account_of
from handlers.usage.records import USAGE_RECORDS
from handlers.usage.totals import WALLETS, usage_entry
from schemas.mt.common import PageQuery
from stores.mongo import Database, Document, translated
from stores.mt.pages import find_page

DAY_CHARS = len("yyyy-MM-dd")


class Flow(msgspec.Struct, frozen=True):
    entry: Entry
    after_micro: int
    """The wallet's balance after it."""


async def flows(
    database: Database, wallet_id: int, match: Mapping[str, Any], query: PageQuery, unpaged_rows: int
) -> tuple[list[Flow], int]:
    """A page of a wallet's flows, newest first, and how many there are. Raises StoreAway."""
    found, total = await find_page(
        database, LEDGER, {"wallet_id": wallet_id, **match}, query, [("at", -1), ("_id", -1)], unpaged_rows
    )
    entries = [to_entry(document) for document in found]
    if not entries:
        return [], total
    after = await _balances_after(database, wallet_id, entries[-1], entries[0])
    return [Flow(entry, after[entry.id]) for entry in entries], total


async def _balances_after(database: Database, wallet_id: int, oldest: Entry, newest: Entry) -> dict[str, int]:
    """The balance after each of the wallet's entries from one to another."""
    own: Document = {"wallet_id": wallet_id}
    balance = await _sum(database, wallet_id, own | {"at": {"$lt": oldest.at}})
    balance += await _sum(database, wallet_id, own | {"at": oldest.at, "_id": {"$lt": oldest.id}})
    # Times are kept in milliseconds. Not $lte: in the middle of an index the embedded store takes it for $lt.
    between = {"at": {"$gte": oldest.at, "$lt": newest.at + timedelta(milliseconds=1)}}
    wanted = {"at": 1, "credit": 1, "amount_micro": 1}
    after: dict[str, int] = {}
    with translated():
        async for document in database[LEDGER].find(own | between, wanted).sort([("at", 1), ("_id", 1)]):
            if (document["at"], document["_id"]) >= (oldest.at, oldest.id):
                amount = document["amount_micro"]
                balance += amount if document["credit"] == account_of(wallet_id) else -amount
                after[document["_id"]] = balance
    return after


async def _sum(database: Database, wallet_id: int, match: Document) -> int:
    """What these entries of a wallet add to its balance."""
    pipeline: list[Document] = [
        {"$match": match},
        {"$group": {"_id": "$credit", "amount": {"$sum": "$amount_micro"}}},
    ]
    with translated():
        sums = await (await database[LEDGER].aggregate(pipeline)).to_list()
    account = account_of(wallet_id)
    return sum(int(each["amount"]) if each["_id"] == account else -int(each["amount"]) for each in sums)


def to_entry(document: Mapping[str, Any]) -> Entry:
    return msgspec.convert(document, Entry)


# ---- audit ----------------------------------------------------------------------------------------------------------


class Difference(msgspec.Struct, frozen=True):
    """What is written down, and what the entries or records add up to. Micro-units."""

    what: str
    written_micro: int
    counted_micro: int


class Audit(msgspec.Struct, frozen=True):
    wallets: int
    entries: int
    differences: list[Difference]


async def audit_wallets(database: Database) -> Audit:
    """Whether balances are what the entries add up to, all accounts are 0 together, nothing is stuck between two
    wallets, and each day's usage is what its records were charged.

    While facts are folded, one may differ for a moment. Raises StoreAway.
    """
    standing: dict[str, int] = {}
    entries = 0
    by_account: list[Document] = [
        {"$group": {"_id": ["$debit", "$credit"], "amount": {"$sum": "$amount_micro"}, "entries": {"$sum": 1}}}
    ]
    async for group in _groups(database, LEDGER, by_account):
        debit, credit = group["_id"]
        standing[credit] = standing.get(credit, 0) + int(group["amount"])
        standing[debit] = standing.get(debit, 0) - int(group["amount"])
        entries += int(group["entries"])
    written: dict[str, int] = {}
    with translated():
        async for wallet in database[WALLETS].find({}, {"balance_micro": 1}):
            written[account_of(wallet["_id"])] = wallet.get("balance_micro", 0)
    counted = {account: amount for account, amount in standing.items() if account.startswith(account_of(""))}
    differences = differing(written, counted)
    differences += differing({"all accounts": 0}, {"all accounts": sum(standing.values())})
    differences += differing({TRANSFERS: 0}, {TRANSFERS: standing.get(TRANSFERS, 0)})
    differences += differing(await _usage_entries(database), await _charged(database))
    return Audit(len(written), entries, differences)


def differing(written: Mapping[str, int], counted: Mapping[str, int]) -> list[Difference]:
    """What is not there counts as 0."""
    pairs = {what: (written.get(what, 0), counted.get(what, 0)) for what in sorted(written.keys() | counted.keys())}
    return [Difference(what, *pair) for what, pair in pairs.items() if pair[0] != pair[1]]


async def still_different(database: Database, differences: Sequence[Difference]) -> list[Difference]:
    """Those that are found again. Raises StoreAway."""
    if not differences:
        return []
    before = {difference.what for difference in differences}
    return [difference for difference in (await audit_wallets(database)).differences if difference.what in before]


async def _usage_entries(database: Database) -> dict[str, int]:
    found: dict[str, int] = {}
    with translated():
        async for entry in database[LEDGER].find({"kind": "usage"}, {"amount_micro": 1}):
            found[entry["_id"]] = entry["amount_micro"]
    return found


async def _charged(database: Database) -> dict[str, int]:
    """What the records of each wallet and day were charged, by the entry's id."""
    by_day: list[Document] = [
        {"$match": {"wallet_id": {"$gt": 0}}},
        {
            "$group": {
                "_id": {"wallet": "$wallet_id", "day": {"$substrBytes": ["$hour", 0, DAY_CHARS]}},
                "amount": {"$sum": "$fee_micro"},
            }
        },
    ]
    return {
        usage_entry(group["_id"]["wallet"], group["_id"]["day"]): int(group["amount"])
        async for group in _groups(database, USAGE_RECORDS, by_day)
    }


async def _groups(database: Database, collection: str, pipeline: list[Document]) -> AsyncIterator[Document]:
    with translated():
        async for group in await database[collection].aggregate(pipeline, allowDiskUse=True):
            yield group
