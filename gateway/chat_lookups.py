"""Questions about customers, seats, transfers and keywords, answered afresh each time, signed or not.

Nobody found is an empty answer, not a refusal: who asks wants to know just that.
"""

from msgspec import UNSET

from gateway.system import Call, Reply
from schemas.chat import ChatCustomerQuery, ChatSeat, CustomerLookup, SeatLookup, TransferCount, TransferCountQuery
from schemas.errors import Refused
from stores.directory import (
    active_keywords,
    count_transfers,
    customers_of_external_user,
    find_customer,
    find_seat,
    seats_chatting,
)
from stores.mongo import Database


class Lookups:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def qry_transfer_count(self, call: Call) -> Reply:
        body: TransferCountQuery = call.body
        return Reply(TransferCount(transfer_count=await count_transfers(self._database, body.user_id)))

    async def find_user_by_phone(self, call: Call) -> Reply:
        """User id of the seat, empty where there is none."""
        body: SeatLookup = call.body
        if not body.phone and not body.name:
            raise Refused("bad_field", "phone: needed, unless name is given")
        return Reply(await find_seat(self._database, phone=body.phone, name=body.name) or "")

    async def find_customer_by_name(self, call: Call) -> Reply:
        """Id of the customer, empty where there is none."""
        body: CustomerLookup = call.body
        if not body.name and not body.avatar:
            raise Refused("bad_field", "name: needed, unless avatar is given")
        return Reply(await find_customer(self._database, name=body.name, avatar=body.avatar) or "")

    async def reoffer_keyword(self, _call: Call) -> Reply:
        return Reply(await active_keywords(self._database))

    async def get_chat_seat(self, call: Call) -> Reply:
        """Seats chatting with the customer; `customerId` counts before `externalUserId`."""
        body: ChatCustomerQuery = call.body
        if body.customer_id:
            customer_ids = [body.customer_id]
        elif body.external_user_id:
            customer_ids = await customers_of_external_user(self._database, body.external_user_id)
        else:
            raise Refused("bad_field", "customerId: needed, unless externalUserId is given")
        seats = await seats_chatting(self._database, customer_ids)
        return Reply([ChatSeat(user_id=seat.user_id, name=seat.name or UNSET) for seat in seats])
