"""Documents of products, and the products that people marked as favourites."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from pymongo import ReturnDocument

from schemas.mt.access import Principal
from schemas.mt.api_docs import ApiDoc
from stores.mongo import Database, Document, translated
from stores.mt.numbers import next_number
from stores.mt.pages import containing, find_by

API_DOCS = "api_docs"
FAVOURITES = "product_favourites"

SINGLE_TEST, BATCH_TEST = 10, 20
"""Kinds of online tests (contract, TestMode)."""


class KeptDoc(msgspec.Struct, frozen=True, rename={"item": "_id"}, kw_only=True):
    """A document of a product; `doc` is in the contract's names."""

    item: str
    id: int
    category: str | None
    doc: ApiDoc
    created_at: datetime
    updated_at: datetime


async def put_doc(database: Database, doc: ApiDoc, at: datetime) -> None:
    """In place of the one that the product has. Raises StoreAway, as all of them do."""
    number = await next_number(database, API_DOCS)
    with translated():
        await database[API_DOCS].find_one_and_update(
            {"_id": doc.check_item},
            {
                "$set": {
                    "category": doc.category_code,
                    "name": doc.api_name,
                    "task_able": bool(doc.task_able),
                    "task_batch": bool(doc.task_template),
                    "doc": msgspec.to_builtins(doc),
                    "updated_at": at,
                },
                "$setOnInsert": {"id": number, "created_at": at},
            },
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )


async def find_doc(database: Database, item: str | None, number: int | None) -> KeptDoc | None:
    """By product code, or by id."""
    with translated():
        found = await database[API_DOCS].find_one({"_id": item} if item is not None else {"id": number})
    return None if found is None else msgspec.convert(found, KeptDoc)


async def search_docs(database: Database, category: str | None, keyword: str | None) -> list[KeptDoc]:
    """By name: of a category, with a keyword in the product's code or name."""
    match: Document = {} if not category else {"category": category}
    if keyword:
        match["$or"] = [{"_id": containing(keyword)}, {"name": containing(keyword)}]
    with translated():
        found = await database[API_DOCS].find(match).sort("name", 1).to_list()
    return [msgspec.convert(document, KeptDoc) for document in found]


async def docs_of(database: Database, items: Iterable[str]) -> dict[str, KeptDoc]:
    """Those that are there, by product code."""
    found = await find_by(database, API_DOCS, "_id", items)
    return {document["_id"]: msgspec.convert(document, KeptDoc) for document in found}


async def items_with(database: Database, category: str | None, test: int | None) -> list[str]:
    """The products of a category, or that can be tested online so."""
    match: dict[str, Any] = {} if not category else {"category": category}
    if test is not None:
        match["task_able" if test == SINGLE_TEST else "task_batch"] = True
    with translated():
        found = await database[API_DOCS].find(match, {"_id": 1}).to_list()
    return [document["_id"] for document in found]


# ---- favourites -----------------------------------------------------------------------------------------------------


async def favourites(database: Database, who: Principal) -> set[str]:
    """The products that somebody marked."""
    with translated():
        found = await database[FAVOURITES].find_one({"_id": _key(who)})
    return set((found or {}).get("items", ()))


async def toggle_favourite(database: Database, who: Principal, item: str, at: datetime) -> bool:
    """Mark a product, or take the mark away; returns whether it is marked now."""
    with translated():
        taken = await database[FAVOURITES].update_one(
            {"_id": _key(who), "items": item}, {"$pull": {"items": item}, "$set": {"updated_at": at}}
        )
        if taken.matched_count:
            return False
        await database[FAVOURITES].update_one(
            {"_id": _key(who)}, {"$addToSet": {"items": item}, "$set": {"updated_at": at}}, upsert=True
        )
    return True


def _key(who: Principal) -> str:
    """User ids are of a role each."""
    return f"{who.role}/{who.user_id}"


def of_category(docs: Sequence[KeptDoc]) -> dict[str, list[KeptDoc]]:
    """Documents by category, those without one left out."""
    found: dict[str, list[KeptDoc]] = {}
    for doc in docs:
        if doc.category:
            found.setdefault(doc.category, []).append(doc)
    return found
