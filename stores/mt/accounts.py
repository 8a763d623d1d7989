"""Developer accounts (depts): their app ids, their secrets, from which addresses they may call.

The secret is encrypted at rest and shown once. What facts say of an account and what its
customer sets stand in one document, in fields of their own.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from schemas.merchant import MerchantAccountSynced
from schemas.mt.access import Scope
from schemas.mt.codes import MtRefused
from schemas.mt.wallet_codes import ACCOUNT_THERE
from stores.mongo import Database, translated
from stores.mt.claims import claim, claim_another
from stores.mt.price_book import ACCOUNTS
from stores.mt.revisions import bump
from stores.mt.synced import keep_newest
from stores.vault import Vault

APP_ID_BYTES = 8
SECRET_BYTES = 32
TRIAL = 0
KIND = "account"
"""Of numbers."""


class Account(msgspec.Struct, frozen=True, rename={"dept_id": "_id"}, kw_only=True):
    dept_id: int
    merchant_id: int
    name: str | None = None
    app_id: str | None = None
    app_code: str | None = None
    env: str = "prod"
    status: int = TRIAL
    user_id: int | None = None
    emails: tuple[str, ...] = ()
    white_ips: tuple[str, ...] = ()
    white_list_on: bool = False
    secret: str | None = None
    """Encrypted."""
    secret_shown_at: datetime | None = None
    told: bool = True
    """Whether the fact of its opening is published."""


class Accounts:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._accounts = database[ACCOUNTS]
        self._vault = vault

    async def of(self, scope: Scope, env: str | None = None) -> list[Account]:
        """Oldest first."""
        with translated():
            found = await self._accounts.find(scope.match()).sort("_id", 1).to_list()
        accounts = [msgspec.convert(document, Account) for document in found]
        return [account for account in accounts if env in (None, account.env)]

    async def open(self, merchant_id: int, env: str, name: str | None, user_id: int, at: datetime) -> Account:
        """A trial account with an app id and a secret of its own; `opening_told` is to follow. Refuses ACCOUNT_THERE.

        One that was opened and not told of, for all that is known, is opened again as it is.
        """
        own = Scope(frozenset((merchant_id,)))
        if there := await self.of(own, env):
            return _untold(there, env)
        what = f"account/{merchant_id}/{env}"
        while True:
            account = Account(
                dept_id=await claim(self._database, what, KIND),
                merchant_id=merchant_id,
                name=name,
                app_id=secrets.token_hex(APP_ID_BYTES),
                env=env,
                user_id=user_id,
                secret=self._vault.encrypt(secrets.token_urlsafe(SECRET_BYTES)),
                told=False,
            )
            document = msgspec.to_builtins(account, builtin_types=(datetime,)) | {"created_at": at, "updated_at": at}
            try:
                with translated():
                    await self._accounts.insert_one(document)
            except DuplicateKeyError:
                if there := await self.of(own, env):
                    return _untold(there, env)
                # A number that came with a fact.
                await claim_another(self._database, what, account.dept_id, KIND)
                continue
            await bump(self._database)
            return account

    async def opening_told(self, dept_id: int) -> None:
        with translated():
            await self._accounts.update_one({"_id": dept_id}, {"$set": {"told": True}})

    async def take_secret(self, account: Account, at: datetime) -> str | None:
        """The secret, the first time it is asked for: of two at once one gets it. Refuses not_configured."""
        if account.secret is None or account.secret_shown_at is not None:
            return None
        secret = self._vault.decrypt(account.secret)
        match = {"_id": account.dept_id, "secret": account.secret, "secret_shown_at": None}
        with translated():
            taken = await self._accounts.find_one_and_update(
                match, {"$set": {"secret_shown_at": at}}, return_document=ReturnDocument.AFTER
            )
        return None if taken is None else secret

    async def set_white_list(self, scope: Scope, ips: Sequence[str] | None) -> list[Account]:
        """For all accounts in scope; None switches the list off and keeps it. Returns them as they are now."""
        fields = {"white_list_on": False} if ips is None else {"white_list_on": True, "white_ips": list(ips)}
        with translated():
            await self._accounts.update_many(scope.match(), {"$set": fields})
        return await self.of(scope)


async def keep_account(database: Database, account: MerchantAccountSynced, at: datetime) -> None:
    """What a fact says of an account, where nothing newer does; the price book is told. Safe to repeat.

    Raises StoreAway.
    """
    fields = {
        name: list(value) if isinstance(value, tuple) else value
        for name in account.__struct_fields__
        if name != "dept_id" and (value := getattr(account, name)) is not None
    }
    if account.white_ips is not None:
        fields["white_list_on"] = bool(account.white_ips)
    await keep_newest(database, ACCOUNTS, account.dept_id, fields, at, {"updated_at": datetime.now(UTC)})
    # Even where nothing changed: who changed it may have died before this.
    await bump(database)


def _untold(there: Sequence[Account], env: str) -> Account:
    """Of an environment's accounts the one that nobody was told of. Refuses ACCOUNT_THERE."""
    for account in there:
        if not account.told:
            return account
    raise MtRefused(ACCOUNT_THERE, f"there is an account for {env} already")
