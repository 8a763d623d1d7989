"""Customers of the metering platform (merchants in its API)."""

from datetime import UTC, datetime

from schemas.merchant import MerchantSynced
from stores.mongo import Database, Document, translated
from stores.mt.synced import keep_newest

CUSTOMERS = "mt_customers"


async def customers_of(database: Database, salesman_id: int) -> frozenset[int]:
    """The merchant ids of a salesman's customers. Raises StoreAway."""
    with translated():
        found = await database[CUSTOMERS].find({"salesman_id": salesman_id}, {"_id": 1}).to_list()
    return frozenset(customer["_id"] for customer in found)


async def customers_with_user(database: Database, user_id: int) -> frozenset[int]:
    """The merchant ids of the customers that a user stands for. Raises StoreAway."""
    with translated():
        found = await database[CUSTOMERS].find({"user_id": user_id}, {"_id": 1}).to_list()
    return frozenset(customer["_id"] for customer in found)


async def keep_merchant(database: Database, merchant: MerchantSynced, at: datetime) -> None:
    """What a fact says of a customer, where nothing newer does. Safe to repeat. Raises StoreAway."""
    fields = {
        name: list(value) if isinstance(value, tuple) else value
        for name in merchant.__struct_fields__
        if name != "merchant_id" and (value := getattr(merchant, name)) is not None
    }
    always = {"merchant_id": merchant.merchant_id, "updated_at": datetime.now(UTC)}
    await keep_newest(database, CUSTOMERS, merchant.merchant_id, fields or {"deleted": False}, at, always)


async def find_customer(database: Database, merchant_id: int) -> Document | None:
    """None where there is none, or it is deleted. Raises StoreAway."""
    with translated():
        found = await database[CUSTOMERS].find_one({"_id": merchant_id})
    return None if found is None or found.get("deleted") else found
