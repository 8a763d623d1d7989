"""By which account of a customer a product is called, and what signs the call."""

import msgspec

from handlers.products.moves import GrantState
from schemas.mt.access import Scope
from schemas.mt.alert_codes import NO_ACCOUNT
from schemas.mt.codes import MtRefused
from stores.mongo import Database
from stores.mt.accounts import Account, Accounts
from stores.mt.grants import held_by
from stores.vault import Vault


class Caller(msgspec.Struct, frozen=True):
    dept_id: int
    merchant_id: int
    app_id: str
    secret: str


async def caller_for(database: Database, vault: Vault, scope: Scope, item: str, dept_id: int | None = None) -> Caller:
    """The account named, else the oldest that may call the product. Refuses NO_ACCOUNT. Raises StoreAway."""
    for account in await Accounts(database, vault).of(scope):
        if dept_id is not None and account.dept_id != dept_id:
            continue
        grant = (await held_by(database, account.dept_id, [item])).get(item)
        if grant is None or grant.deleted_at is not None or grant.state != GrantState.OPEN:
            continue
        if (caller := _caller(account, vault)) is not None:
            return caller
    which = "no account of the customer" if dept_id is None else f"account {dept_id}"
    raise MtRefused(NO_ACCOUNT, f"{which} with an app id and a secret has {item} granted and open")


def _caller(account: Account, vault: Vault) -> Caller | None:
    if account.app_id is None or account.secret is None:
        return None
    return Caller(account.dept_id, account.merchant_id, account.app_id, vault.decrypt(account.secret))
