"""Whether totals are what the records say.

Totals are read first, each with its fences, and then all records. What a record adds counts
where the total's fence covers it: so the rater may go on meanwhile. What is not covered is
looked at again; if it stays so, it was left out.

A wallet's balance is not among them, for more than usage moves it: its entry of usage in the
ledger is, and `fanfold audit wallets` holds the balance against the ledger.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from handlers.usage.records import STORED_FIELDS, USAGE_RECORDS, Stored, stored_of
from handlers.usage.totals import FIGURES, LEDGER, WALLETS, Figures, Totals
from schemas.events import Origin
from stores.mongo import Database, Document, translated

AUDITED = tuple(name for name in FIGURES if name != WALLETS)
Place = tuple[str, str]
"""Collection and key."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A total that is not what its records say."""

    collection: str
    key: str
    written: dict[str, int]
    counted: dict[str, int]


class Audit(msgspec.Struct, kw_only=True):
    records: int
    totals: int
    differences: list[Difference]


class Total(msgspec.Struct):
    """A total as it was read, and what its records came to."""

    written: Figures
    fences: Mapping[str, int]
    counted: Figures
    open: list[tuple[Origin, Figures]] = msgspec.field(default_factory=list)
    """What no fence covered."""


async def audit_usage(database: Database) -> Audit:
    """Count everything anew. Raises StoreAway."""
    totals: dict[Place, Total] = {}
    for name in AUDITED:
        match = {"kind": "usage"} if name == LEDGER else {}
        wanted = dict.fromkeys((*FIGURES[name], "fence"), 1)
        with translated():
            async for document in database[name].find(match, wanted):
                totals[name, document["_id"]] = _read(name, document)
    records = 0
    with translated():
        async for document in database[USAGE_RECORDS].find({}, dict.fromkeys(STORED_FIELDS, 1)):
            records += 1
            for place, origin, figures in added(stored_of(document)):
                _count(totals, place, origin, figures)
    return Audit(records=records, totals=len(totals), differences=list(_differences(totals)))


async def still_different(database: Database, differences: list[Difference]) -> list[Difference]:
    """Those that have not caught up with their records yet. Raises StoreAway."""
    still = []
    for difference in differences:
        with translated():
            found = await database[difference.collection].find_one({"_id": difference.key})
        written = {field: (found or {}).get(field, 0) for field in FIGURES[difference.collection]}
        if written != difference.counted:
            still.append(msgspec.structs.replace(difference, written=written))
    return still


def added(stored: Stored) -> Iterator[tuple[Place, Origin, Figures]]:
    """What a record added to which total, and with which event."""
    yield from _posted(Totals(_no_matter), stored.origin, stored, None)
    for change in stored.changes:
        yield from _posted(Totals(_no_matter), change.origin, stored, (change.before, change.after))


def _posted(totals: Totals, origin: Origin, stored: Stored, change: Any) -> Iterator[tuple[Place, Origin, Figures]]:
    if change is None:
        totals.post(origin.offset, stored.original)
    else:
        totals.repost(origin.offset, *change)
    for name, documents in totals.documents():
        if name != WALLETS:
            yield from (((name, total.key), origin, total.sums) for total in documents)


def _no_matter(_day: str) -> None:
    """When a day's usage is booked: it is not looked at."""


def _read(name: str, document: Document) -> Total:
    fields = FIGURES[name]
    written = tuple(document.get(field, 0) for field in fields)
    return Total(written, document.get("fence", {}), (0,) * len(fields))


def _count(totals: dict[Place, Total], place: Place, origin: Origin, figures: Figures) -> None:
    total = totals.get(place)
    if total is None:
        total = totals[place] = _read(place[0], {})
    if total.fences.get(origin.fence, -1) >= origin.offset:
        total.counted = _sum(total.counted, figures)
    else:
        total.open.append((origin, figures))


def _differences(totals: Mapping[Place, Total]) -> Iterator[Difference]:
    for (collection, key), total in totals.items():
        if total.written == total.counted and not any(any(figures) for _, figures in total.open):
            continue
        counted = total.counted
        for _, figures in total.open:
            counted = _sum(counted, figures)
        fields = FIGURES[collection]
        yield Difference(
            collection=collection,
            key=key,
            written=dict(zip(fields, total.written, strict=True)),
            counted=dict(zip(fields, counted, strict=True)),
        )


def _sum(one: Figures, other: Figures) -> Figures:
    return tuple(a + b for a, b in zip(one, other, strict=True))
