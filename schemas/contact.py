"""Contacts and their accounts in other systems: what agents bind, and what is told of it.

Names and values of the API are the contract's (contact-binding.yaml); ids are numbers
to it, sent as such or as text, and answered as text.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from schemas.catalogue import EventType
from schemas.numbers import NO_NUL, Int64, Key, Text

MAX_CONTACT_ID = 2**63 - 1

AccountSource = Literal["dingding", "wechat", "workWechat", "open"]
QueryAccountSource = Literal["dingding", "wechat", "open"]
"""`workWechat` is listed for adding only."""

SentId = (
    Annotated[int, msgspec.Meta(ge=0, le=MAX_CONTACT_ID)]
    | Annotated[str, msgspec.Meta(pattern="^[0-9]{1,19}$", max_length=19)]
)
AppId = Annotated[str, msgspec.Meta(max_length=256, pattern=NO_NUL)]
ContactId = Annotated[str, msgspec.Meta(pattern="^(0|[1-9][0-9]{0,18})$", max_length=19)]


def contact_id(sent: int | str) -> str:
    """The id as it is known here: its digits, without zeros in front. Raises ValueError past 64 bits."""
    number = int(sent)
    if number > MAX_CONTACT_ID:
        raise ValueError("cId: a number of 64 bits is expected")
    return str(number)


# ---- the API --------------------------------------------------------------------------------------------------------


class OfContact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What all changes say: whose binding it is."""

    c_id: SentId

    @property
    def contact(self) -> str:
        return contact_id(self.c_id)

    def __post_init__(self) -> None:
        contact_id(self.c_id)


class AddBindingRequest(OfContact, frozen=True, kw_only=True):
    open_id: Key
    app_id: AppId = ""
    account_source: AccountSource = msgspec.field(name="account_source")


class UpdateBindingRequest(OfContact, frozen=True, kw_only=True):
    """What is left out stays as it is."""

    open_id: Key | UnsetType = UNSET
    app_id: AppId | UnsetType = UNSET
    account_source: QueryAccountSource = msgspec.field(name="account_source")


class DeleteBindingRequest(OfContact, frozen=True, kw_only=True):
    account_source: QueryAccountSource = msgspec.field(name="account_source")


class BindingQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """At least one of the two ids; a binding answers only to all that are sent."""

    c_id: SentId | None = None
    open_id: Key | None = None
    account_source: QueryAccountSource = msgspec.field(name="account_source")

    @property
    def contact(self) -> str | None:
        return None if self.c_id is None else contact_id(self.c_id)

    def __post_init__(self) -> None:
        if self.c_id is not None:
            contact_id(self.c_id)
        elif self.open_id is None:
            raise ValueError("cId or openId is needed")


class Binding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A binding with what is known of its contact, all of it text."""

    a_id: str
    c_id: str
    account: str
    remark: str
    template_id: str
    open_id: str
    app_id: str
    account_source: AccountSource = msgspec.field(name="account_source")


# ---- facts ----------------------------------------------------------------------------------------------------------


class ContactSynced(msgspec.Struct, frozen=True, kw_only=True):
    """A contact as now known; one that is removed cannot be bound, found or reached any more."""

    contact_id: ContactId
    agent_id: Text = ""
    """`aId` of the API: the account record that the contact belongs to."""
    account: Text = ""
    remark: Text = ""
    template_id: Text = "0"
    removed: bool = False


class ContactBound(msgspec.Struct, frozen=True, kw_only=True):
    """A contact has this account in another system, in place of one that it had there."""

    contact_id: ContactId
    account_source: AccountSource
    open_id: Key
    app_id: AppId = ""
    agent: Key
    """Account of the agent who said so."""
    seq: Int64
    """Counts the changes of what one contact has in one system: the greater is the later."""


class ContactUnbound(msgspec.Struct, frozen=True, kw_only=True):
    """A contact has no account in that system any more."""

    contact_id: ContactId
    account_source: AccountSource
    agent: Key
    seq: Int64


EVENT_TYPES = (
    EventType("contact.synced", ContactSynced, "A contact as now known", key="contact_id"),
    EventType(
        "contact.bound", ContactBound, "A contact was bound to an account elsewhere", key="contact_id", internal=True
    ),
    EventType("contact.unbound", ContactUnbound, "A contact's binding was removed", key="contact_id", internal=True),
)
