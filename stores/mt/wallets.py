"""Wallets: their limits, whom to tell, which apps they are reserved for. Their balances are folded elsewhere.

A change compares and raises `revision`, so what two writers decide at once is decided one
after the other. The balance is nobody's but the feeders' (`handlers.wallets`,
`handlers.usage.totals`): nothing here writes it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from pymongo.errors import DuplicateKeyError

from handlers.usage.prices import wallet_key
from handlers.usage.totals import WALLETS
from handlers.wallet_watch import OverdraftState, WalletState
from schemas.mt.access import Scope
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.wallet_codes import APP_TAKEN, CHANGED_MEANWHILE, CONFIRM_RECHARGE, MERGED_ALREADY, NOT_ITSELF
from stores.mongo import Database, Document, translated
from stores.mt.claims import claim
from stores.mt.numbers import next_number
from stores.mt.revisions import bump

__all__ = ["WALLETS", "Wallet", "Wallets"]

COMPANY = 20
"""Kind of owner (WalletAccountType)."""
SAME_AGAIN = timedelta(minutes=10)
"""So long the same amount, put in by hand, is taken for a slip."""
ATTEMPTS = 8
RESERVED_FOR = timedelta(minutes=1)
"""So long a merge that nobody finishes keeps the wallet, that it leads into, from being merged away itself."""


class Manual(msgspec.Struct, frozen=True):
    """The last recharge by hand. Until `published` nobody knows whether it is in: no success was answered."""

    amount_micro: int
    at: datetime
    number: str | None = None
    by: str | None = None
    published: bool = True


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    wallet_id: int
    merchant_id: int
    user_id: int | None = None
    account_name: str | None = None
    account_type: int = COMPANY
    is_default: bool = False
    app_codes: tuple[str, ...] = ()
    """The apps it is reserved for."""
    scenes: tuple[str, ...] = ()
    state: int = WalletState.NORMAL
    overdraft_state: int = OverdraftState.PREPAID
    overdraft_quota_micro: int = 0
    forewarn_threshold_micro: int | None = None
    contacts: tuple[int, ...] = ()
    balance_micro: int = 0
    revision: int | None = None
    merged_into: int | None = None
    receiving: Mapping[str, datetime] = msgspec.field(default_factory=dict)
    """Wallets that are being merged into it, since when."""
    last_manual: Manual | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    """When what the price book has of it changed."""
    deleted_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.merged_into is None and self.deleted_at is None


class Wallets:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wallets = database[WALLETS]

    async def of(self, scope: Scope, merchant_id: int | None = None) -> list[Wallet]:
        """A customer's (of all in scope), the default one first."""
        match = {"deleted_at": None, **scope.match()}
        if merchant_id is not None:
            if not scope.admits(merchant_id):
                return []
            match["merchant_id"] = merchant_id
        with translated():
            found = await self._wallets.find(match).to_list()
        # Money may have come for a wallet that nobody opened: it is nobody's.
        wallets = [to_wallet(document) for document in found if document.get("merchant_id") is not None]
        return sorted(wallets, key=lambda wallet: (not wallet.is_default, wallet.wallet_id))

    async def find(self, scope: Scope, wallet_id: int, *, merged_too: bool = False) -> Wallet:
        """Refuses not_found."""
        with translated():
            document = await self._wallets.find_one({"_id": wallet_key(wallet_id)})
        if document is None or document.get("merchant_id") is None or not scope.admits(document["merchant_id"]):
            raise not_found(f"wallet {wallet_id}")
        wallet = to_wallet(document)
        if wallet.deleted_at is not None and not merged_too:
            raise not_found(f"wallet {wallet_id}")
        return wallet

    async def add(self, merchant_id: int, app_code: str | None, fields: Mapping[str, Any], at: datetime) -> Wallet:
        """Open one: reserved for an app, or for all. The first for all is the default one. Refuses APP_TAKEN."""
        for _ in range(ATTEMPTS):
            own = await self.of(Scope(frozenset((merchant_id,))))
            if app_code is not None and any(app_code in wallet.app_codes for wallet in own):
                raise MtRefused(APP_TAKEN, f"another wallet is reserved for {app_code}")
            is_default = app_code is None and not any(wallet.is_default for wallet in own)
            if app_code is None and not is_default:
                wallet_id = await next_number(self._database, "wallet")
            else:
                wallet_id = await claim(self._database, _claim_of(merchant_id, app_code), "wallet")
            document: Document = {
                "wallet_id": wallet_id,
                "merchant_id": merchant_id,
                "account_type": COMPANY,
                "is_default": is_default,
                "app_codes": [] if app_code is None else [app_code],
                "state": WalletState.NORMAL.value,
                "overdraft_state": OverdraftState.PREPAID.value,
                "overdraft_quota_micro": 0,
                **fields,
                "revision": 0,
                "created_at": at,
                "updated_at": at,
            }
            if await self._opened(wallet_id, document):
                await bump(self._database)
                return to_wallet(document)
        raise MtRefused(CHANGED_MEANWHILE, f"the wallets of customer {merchant_id} are changed again and again")

    async def _opened(self, wallet_id: int, document: Document) -> bool:
        """Whether it was not open before. A fact about this number may have come: its balance is kept."""
        match = {"_id": wallet_key(wallet_id), "merchant_id": {"$exists": False}}
        try:
            with translated():
                opened = await self._wallets.update_one(
                    match, {"$set": document, "$inc": {"balance_micro": 0}}, upsert=True
                )
        except DuplicateKeyError:
            return False
        return opened.matched_count > 0 or opened.upserted_id is not None

    async def change(self, wallet: Wallet, fields: Mapping[str, Any]) -> None:
        """Set limits, state, contacts. The last writer's stand."""
        if fields:
            await self._update({"_id": wallet_key(wallet.wallet_id)}, dict(fields))

    async def note_manual(
        self, scope: Scope, wallet_id: int, amount_micro: int, by: str, at: datetime, *, confirmed: bool
    ) -> str:
        """Put down that so much is put in by hand, and draw its number; `manual_published` is to follow.

        One that was not published, for all that is known, keeps its number: whoever sends it again puts the
        same in, once. Refuses CONFIRM_RECHARGE for what looks like a slip.
        """
        drawn: str | None = None
        for _ in range(ATTEMPTS):
            wallet = await self.find(scope, wallet_id)
            last = wallet.last_manual
            same = last is not None and last.amount_micro == amount_micro and last.at > at - SAME_AGAIN
            if same and last is not None and not last.published and last.by == by and last.number is not None:
                number = last.number
            elif same and not confirmed:
                raise MtRefused(CONFIRM_RECHARGE, "the same amount was put in just now: send confirmed to do it again")
            else:
                number = drawn = drawn or f"M{await next_number(self._database, 'recharge')}"
            manual = Manual(amount_micro, at, number, by, published=False)
            # Of two that come at once the second finds what the first has put down.
            seen = {"_id": wallet_key(wallet_id), "revision": wallet.revision}
            if await self._update(seen, {"last_manual": msgspec.to_builtins(manual, builtin_types=(datetime,))}):
                return number
        raise MtRefused(CHANGED_MEANWHILE, f"wallet {wallet_id} is changed again and again")

    async def manual_published(self, wallet_id: int, number: str) -> None:
        """From now on the same again is another one."""
        seen = {"_id": wallet_key(wallet_id), "last_manual.number": number}
        await self._update(seen, {"last_manual.published": True})

    # ---- merging ----------------------------------------------------------------------------------------------------

    async def merge(self, scope: Scope, merchant_id: int, from_id: int, into_id: int, at: datetime) -> None:
        """Let one wallet pay for all that the other one paid for, from now on; its money follows by facts.

        A repeat of the same merge does no harm. Refuses not_found, NOT_ITSELF, MERGED_ALREADY.
        """
        away = await self.find(scope, from_id, merged_too=True)
        into = await self.find(scope, into_id)
        if from_id == into_id or {away.merchant_id, into.merchant_id} != {merchant_id}:
            raise MtRefused(NOT_ITSELF, "two wallets of the customer are expected")
        if away.merged_into is None:
            await self._lead(away, into_id, at)
        elif away.merged_into != into_id:
            raise _merged(from_id)
        await self._take_over(away, into_id, at)
        # Only now: as long as nobody took over its apps, it is still the one that pays for them.
        await self._update(
            {"_id": wallet_key(from_id), "deleted_at": None},
            {"deleted_at": at, "updated_at": at, "is_default": False},
        )
        await bump(self._database)

    async def _lead(self, away: Wallet, into_id: int, at: datetime) -> None:
        """Point one at the other. Of two merges that would make a circle, or a chain while it is made, none passes."""
        mark = f"receiving.{away.wallet_id}"
        live = {"merged_into": None, "deleted_at": None}
        if not await self._update({"_id": wallet_key(into_id), **live}, {mark: at}):
            raise _merged(into_id)
        seen = await self.find(Scope(frozenset((away.merchant_id,))), away.wallet_id)
        free = not any(since > at - RESERVED_FOR for since in seen.receiving.values())
        own = {"_id": wallet_key(away.wallet_id), "revision": seen.revision, **live}
        if not free or not await self._update(own, {"merged_into": into_id}):
            await self._update({"_id": wallet_key(into_id)}, {}, unset=[mark])
            raise _merged(away.wallet_id)

    async def _take_over(self, away: Wallet, into_id: int, at: datetime) -> None:
        sets: Document = {"updated_at": at} | ({"is_default": True} if away.is_default else {})
        add = {"app_codes": {"$each": list(away.app_codes)}, "scenes": {"$each": list(away.scenes)}}
        with translated():
            await self._wallets.update_one(
                {"_id": wallet_key(into_id)},
                {
                    "$set": sets,
                    "$addToSet": add,
                    "$unset": {f"receiving.{away.wallet_id}": ""},
                    "$inc": {"revision": 1},
                },
            )

    async def _update(self, match: Document, sets: Document, unset: list[str] | None = None) -> bool:
        operators: Document = {"$inc": {"revision": 1}}
        if sets:
            operators["$set"] = sets
        if unset:
            operators["$unset"] = dict.fromkeys(unset, "")
        with translated():
            return (await self._wallets.update_one(match, operators)).matched_count > 0


def to_wallet(document: Mapping[str, Any]) -> Wallet:
    return msgspec.convert(document, Wallet)


def _claim_of(merchant_id: int, app_code: str | None) -> str:
    """Of the default wallet, or that of an app."""
    return f"wallet/{merchant_id}/default" if app_code is None else f"wallet/{merchant_id}/app/{app_code}"


def _merged(wallet_id: int) -> MtRefused:
    return MtRefused(MERGED_ALREADY, f"wallet {wallet_id} was merged into another one, or is being merged")
