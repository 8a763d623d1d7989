"""One page of a collection, for the lists of the metering platform."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.errors import Refused
from schemas.mt.common import PageQuery
from stores.mongo import IDS_PER_FIND, Database, Document, translated


async def find_page(
    database: Database,
    collection: str,
    match: Mapping[str, Any],
    query: PageQuery,
    sort: Sequence[tuple[str, int]],
    unpaged_rows: int,
) -> tuple[list[Document], int]:
    """The documents of the page, and how many there are in all.

    Refuses bad_field where everything is asked for at once and that is more than `unpaged_rows`. Raises StoreAway.
    """
    filters = dict(match)
    with translated():
        documents = database[collection]
        # How many there are of all the store knows; to count them is to walk through them.
        total = await (documents.count_documents(filters) if filters else documents.estimated_document_count())
        found = documents.find(filters).sort(list(sort))
        if not query.non_page:
            return await found.skip(query.skip).limit(query.page_size).to_list(), total
        if total > unpaged_rows:
            raise Refused("bad_field", f"nonPage: {total} rows, at most {unpaged_rows} are answered at once")
        return await found.to_list(), total


async def find_by(
    database: Database,
    collection: str,
    field: str,
    values: Iterable[Any],
    match: Mapping[str, Any] | None = None,
) -> list[Document]:
    """All documents that have one of the values, a bounded number of values at a time. Raises StoreAway."""
    wanted = sorted(set(values))
    found: list[Document] = []
    for start in range(0, len(wanted), IDS_PER_FIND):
        some = wanted[start : start + IDS_PER_FIND]
        with translated():
            found += await database[collection].find({field: {"$in": some}, **(match or {})}).to_list()
    return found


def containing(keyword: str) -> dict[str, Any]:
    """What matches texts with a keyword in them, whatever its case."""
    return {"$regex": _escaped(keyword), "$options": "i"}


def _escaped(keyword: str) -> str:
    # Not re.escape: it escapes blanks too, which PCRE's extended classes and the embedded store read otherwise.
    return "".join("\\" + char if char in r"\.^$*+?{}[]|()" else char for char in keyword)
