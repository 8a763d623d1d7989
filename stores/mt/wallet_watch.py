"""Looks at wallets after their balance or limits changed: what was passed is told, once; what is to be moved is moved.

Decided by comparing and setting: what is written holds for the very balance that it was
decided on. Whoever changed a wallet looks before it forgets the change (commits the
offset), so nothing is missed; and looking again changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from handlers.wallet_watch import (
    Alarm,
    Kind,
    Sweep,
    Watched,
    next_sweep,
    pushes,
    sweep_under_way,
    turned,
    untold,
)
from schemas.errors import StoreAway
from schemas.events import Event
from stores.mongo import Database, Document, translated
from stores.mt.alert_contacts import ALERT_CONTACTS, recipient_of
from stores.mt.pages import find_by
from stores.mt.wallets import WALLETS

ATTEMPTS = 50
"""So often a wallet is looked at anew because it changed meanwhile: charges come in batches, a look is quick."""


class Publishes(Protocol):
    async def publish(self, events: Sequence[Event]) -> None:
        """Return when Kafka has them all. Raises BrokerAway; then some may have been written."""
        ...


class WalletLooks(Protocol):
    """What looking needs of a store. Every method may raise StoreAway; then it may have been done."""

    async def look(self, wallet_ids: Iterable[int]) -> list[Watched]:
        """Those that are there, each as it was at one moment."""
        ...

    async def turn(self, seen: Watched, alarms: Mapping[str, Alarm]) -> bool:
        """Write alarms into a wallet whose balance and revision are still as seen."""
        ...

    async def told(self, wallet_id: int, kind: Kind, episode: int) -> None:
        """Put down that an episode was told."""
        ...

    async def sweep(self, seen: Watched, sweep: Sweep) -> bool:
        """Write a move into a wallet whose revision is still as seen."""
        ...

    async def recipients(self, wallet: Watched) -> Mapping[int, str]:
        """Whom to tell of it, by contact."""
        ...


class Noticed(msgspec.Struct):
    """What a look came to; for metrics."""

    alarms: Counter[Kind] = msgspec.field(default_factory=Counter)
    """Told, by kind."""
    sweeps: int = 0


async def watch(database: Database, publisher: Publishes, wallet_ids: Iterable[int], at: datetime) -> Noticed:
    """Look at wallets whose balance or limits changed. Raises StoreAway and BrokerAway: then to be repeated."""
    return await watch_in(MongoLooks(database), publisher, wallet_ids, at)


async def watch_in(looks: WalletLooks, publisher: Publishes, wallet_ids: Iterable[int], at: datetime) -> Noticed:
    remaining, noticed = set(wallet_ids), Noticed()
    for _ in range(ATTEMPTS):
        found = await looks.look(sorted(remaining))
        remaining = {wallet.wallet_id for wallet in found if not await _settled(looks, publisher, wallet, at, noticed)}
        if not remaining:
            return noticed
    raise StoreAway(f"wallets {sorted(remaining)} are changed again and again while they are looked at")


async def _settled(looks: WalletLooks, publisher: Publishes, wallet: Watched, at: datetime, noticed: Noticed) -> bool:
    """Whether nothing is left to do; False: look again."""
    for kind, alarm in untold(wallet):
        await publisher.publish(list(pushes(wallet, kind, alarm, await looks.recipients(wallet))))
        await looks.told(wallet.wallet_id, kind, alarm.episode)
        noticed.alarms[kind] += 1
    if (move := sweep_under_way(wallet)) is not None:
        # Whoever takes it in looks at the wallet again, and finds what has come meanwhile.
        await publisher.publish([move])
    if alarms := turned(wallet, at):
        await looks.turn(wallet, alarms)
        return False
    if (sweep := next_sweep(wallet, at)) is not None:
        noticed.sweeps += await looks.sweep(wallet, sweep)
        return False
    return True


class MongoLooks:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._wallets = database[WALLETS]

    async def look(self, wallet_ids: Iterable[int]) -> list[Watched]:
        found = await find_by(self._database, WALLETS, "_id", map(str, wallet_ids))
        return [msgspec.convert(document, Watched) for document in found]

    async def turn(self, seen: Watched, alarms: Mapping[str, Alarm]) -> bool:
        sets: Document = {f"alarms.{name}": _document(alarm) for name, alarm in alarms.items()}
        return await self._change({**_as_seen(seen), "balance_micro": {"$in": _balances(seen)}}, sets)

    async def told(self, wallet_id: int, kind: Kind, episode: int) -> None:
        alarm = f"alarms.{kind.name.lower()}"
        await self._change({"_id": str(wallet_id), f"{alarm}.episode": episode}, {f"{alarm}.told": True})

    async def sweep(self, seen: Watched, sweep: Sweep) -> bool:
        return await self._change(_as_seen(seen), {"sweep": _document(sweep)})

    async def recipients(self, wallet: Watched) -> Mapping[int, str]:
        return await recipients_of(self._database, wallet.merchant_id, wallet.contacts)

    async def _change(self, match: Document, sets: Document) -> bool:
        with translated():
            changed = await self._wallets.update_one(match, {"$set": sets, "$inc": {"revision": 1}})
        return changed.matched_count > 0


async def recipients_of(database: Database, merchant_id: int | None, contacts: Sequence[int]) -> Mapping[int, str]:
    """Whom to tell of a wallet: its contacts; where it has none, the customer's default one. Raises StoreAway."""
    if not contacts:
        with translated():
            match = {"merchant_id": merchant_id, "is_default": True}
            found = await database[ALERT_CONTACTS].find(match, {"_id": 1}).to_list()
        contacts = [contact["_id"] for contact in found]
    return {contact: recipient_of(contact) for contact in contacts}


def _as_seen(seen: Watched) -> Document:
    return {"_id": str(seen.wallet_id), "revision": seen.revision}


def _balances(seen: Watched) -> list[int | None]:
    # One that nothing was ever folded into may not have the field.
    return [seen.balance_micro] if seen.balance_micro else [0, None]


def _document(value: msgspec.Struct) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(datetime,))
    return document
