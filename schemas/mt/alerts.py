"""Error alerts and their contacts, as the contract writes them (metering.yaml, tag console-alerts)."""

from typing import Annotated

import msgspec

from schemas.mt.common import Row
from schemas.numbers import NO_NUL, Int64

MIN_PERIOD_SECONDS = 10
MAX_PERIOD_SECONDS = 86_400
MAX_ERRORS = 1_000
MAX_ITEMS = 500
MAX_CONTACTS = 100
"""Of a customer, and so of a rule."""

Item = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=NO_NUL)]
Items = Annotated[list[Item], msgspec.Meta(max_length=MAX_ITEMS)]


class ConfigItem(msgspec.Struct, rename="camel", kw_only=True):
    """ForewarnConfigItemRequest."""

    check_item_list: Annotated[Items, msgspec.Meta(min_length=1)]
    period_seconds: Annotated[int, msgspec.Meta(ge=MIN_PERIOD_SECONDS, le=MAX_PERIOD_SECONDS)]
    error_count: Annotated[int, msgspec.Meta(ge=1, le=MAX_ERRORS)]
    contacts: Annotated[list[Int64], msgspec.Meta(max_length=MAX_CONTACTS)]


class DeleteItem(msgspec.Struct, rename="camel", kw_only=True):
    """ForewarnDeleteItemRequest."""

    check_item_list: Items = msgspec.field(default_factory=list)


class ItemList(msgspec.Struct, rename="camel", kw_only=True):
    """ForewarnItemListRequest."""

    query_for_add: bool = False


class NewContact(msgspec.Struct, rename="camel", kw_only=True):
    """ForewarnContact as it is sent: with the id of one that is there, it is changed; without, or 0, it is new."""

    id: Int64 | None = None
    linkman: Annotated[str, msgspec.Meta(max_length=64, pattern=NO_NUL)] = ""
    mobile: Annotated[str, msgspec.Meta(max_length=32, pattern=NO_NUL)] | None = None
    email: Annotated[str, msgspec.Meta(max_length=256, pattern=NO_NUL)] | None = None
    webhook: Annotated[str, msgspec.Meta(max_length=2_000, pattern=NO_NUL)] | None = None
    is_default: bool = False


class ContactRow(Row):
    """ForewarnContact as it is answered; the webhook masked; a mobile is whole, as the contract has it, or left out."""

    id: int
    linkman: str
    mobile: str | None = None
    email: str | None = None
    webhook: str | None = None
    is_default: bool | None = None

    def __post_init__(self) -> None:
        if self.mobile is not None and "*" in self.mobile:
            self.mobile = None


class ItemRow(Row):
    """ForewarnItem."""

    check_item: str
    item_name: str
    period_seconds: int | None = None
    error_count: int | None = None
    contact_list: list[ContactRow] | None = None
