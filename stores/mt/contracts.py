"""Contracts of customers, as those who draw them up have put them here: to be listed, and signed elsewhere.

`_id` is the contract's number. The contract of the API lists no codes of their states.
"""

from datetime import datetime

import msgspec

from schemas.mt.access import Scope
from schemas.mt.codes import not_found
from stores.mongo import Database, translated

CONTRACTS = "contracts"


class Contract(msgspec.Struct, frozen=True, rename={"contract_no": "_id"}, kw_only=True):
    contract_no: str
    id: int | None = None
    merchant_id: int
    dept_id: int | None = None
    dept_name: str | None = None
    user_id: int | None = None
    template_code: str | None = None
    name: str | None = None
    state: int = 0
    items: tuple[str, ...] = ()
    signer_mobile: str | None = None
    """Encrypted."""
    url: str | None = None
    sign_url: str | None = None
    sign_qr_code: str | None = None
    version: int | None = None
    version_name: str | None = None
    submitted_at: datetime | None = None
    sign_until: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    reject_reason: str | None = None
    created_at: datetime
    updated_at: datetime | None = None


async def find_contract(database: Database, scope: Scope, contract_no: str) -> Contract:
    """Refuses not_found. Raises StoreAway."""
    with translated():
        found = await database[CONTRACTS].find_one({"_id": contract_no, **scope.match()})
    if found is None:
        raise not_found(f"contract {contract_no}")
    return msgspec.convert(found, Contract)
