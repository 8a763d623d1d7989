"""Customers, seats, transfers, keywords, affiliations: the newest state of each by event time."""

from handlers.effects import Change, Effect, Latest, Set
from handlers.outcome import Outcome
from schemas.directory import (
    AffiliationNamed,
    CustomerSynced,
    KeywordSynced,
    SeatAssigned,
    SeatSynced,
    TransferChanged,
)
from schemas.events import Event

CUSTOMERS = "customers"
SEATS = "seats"
CHATS = "chats"
TRANSFERS = "transfers"
KEYWORDS = "keywords"
AFFILIATIONS = "affiliations"


def fold_customer(event: Event, customer: CustomerSynced) -> Outcome:
    return _newest(
        event,
        CUSTOMERS,
        customer.customer_id,
        {
            "external_user_id": customer.external_user_id,
            "name": customer.name,
            "avatar": customer.avatar,
            "deleted": customer.deleted,
        },
    )


def fold_seat(event: Event, seat: SeatSynced) -> Outcome:
    return _newest(
        event,
        SEATS,
        seat.user_id,
        {
            "seat_no": seat.seat_no,
            "name": seat.name,
            "phone": seat.phone,
            "online": seat.online,
            "deleted": seat.deleted,
        },
    )


def fold_assignment(event: Event, assigned: SeatAssigned) -> Outcome:
    """One document per customer and seat that ever chatted."""
    key = pair_key(assigned.customer_id, assigned.user_id)
    change: Change = {
        "customer_id": Set(assigned.customer_id),
        "user_id": Set(assigned.user_id),
        "state": Latest(event.time, {"chatting": assigned.chatting}),
    }
    return Outcome(effects=(Effect(CHATS, key, change),))


def fold_transfer(event: Event, transfer: TransferChanged) -> Outcome:
    state = {"user_id": transfer.user_id, "in_progress": transfer.state == "started"}
    return _newest(event, TRANSFERS, transfer.transfer_id, state)


def fold_keyword(event: Event, keyword: KeywordSynced) -> Outcome:
    return _newest(event, KEYWORDS, keyword.keyword, {"active": keyword.active, "rank": keyword.rank})


def fold_affiliation(event: Event, affiliation: AffiliationNamed) -> Outcome:
    return _newest(event, AFFILIATIONS, affiliation.ascription, {"name": affiliation.name})


def pair_key(first: str, second: str) -> str:
    """One key for two ids; no two pairs share it, whatever characters the ids hold."""
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in (first, second))


def _newest(event: Event, collection: str, key: str, state: dict[str, object]) -> Outcome:
    return Outcome(effects=(Effect(collection, key, {"state": Latest(event.time, state)}),))
