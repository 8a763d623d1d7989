"""Customers of the metering platform (merchants in its API)."""

from stores.mongo import Database, translated

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
