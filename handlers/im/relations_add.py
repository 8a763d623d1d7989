"""What comes of it when a user asks for another's friendship (contracts/im-semantics.md, section 10)."""

import msgspec

from handlers.im.relations import Edge
from schemas.im.sns_codes import (
    DENIES_ALL,
    FRIEND_EXISTS,
    MAY_NOT_ASK,
    NEEDS_CONFIRM,
    ON_OTHERS_BLACKLIST,
    ON_OWN_BLACKLIST,
    Trouble,
)

ALLOW_ANY = "AllowType_Type_AllowAny"
NEED_CONFIRM = "AllowType_Type_NeedConfirm"
DENY_ANY = "AllowType_Type_DenyAny"
FORBIDDEN_TO_ASK = "AdminForbid_Type_SendOut"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`both`: each is to be on the other's list. `forced`: the admin has decided, the other is not asked."""

    both: bool
    forced: bool


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """What the two have noted of each other, and the profiles' say in it."""

    own: Edge
    other: Edge
    asked: bool = False
    """The other has asked for the friendship before and waits for a confirmation."""
    forbid_type: str | None = None
    """AdminForbidType of the one who asks."""
    allow_type: str | None = None
    """AllowType of the other; AllowAny where it was never set."""


def answer_to(request: Request, sides: Sides) -> Trouble | None:
    """Why they are not friends now; None where they are to be.

    A blacklist holds against everything. An admin's force is stronger than both profiles. Who has
    the one who asks on the list already, or asked first, is not asked again: so a call that
    was cut off between the two lists can be repeated, and is carried through.
    """
    if sides.own.blocked:
        return ON_OWN_BLACKLIST
    if sides.other.blocked:
        return ON_OTHERS_BLACKLIST
    if sides.own.friend and (sides.other.friend or not request.both):
        return FRIEND_EXISTS
    if request.forced or sides.other.friend or sides.asked:
        return None
    if sides.forbid_type == FORBIDDEN_TO_ASK:
        return MAY_NOT_ASK
    return _OF_ALLOW_TYPE[sides.allow_type or ALLOW_ANY]


_OF_ALLOW_TYPE: dict[str, Trouble | None] = {ALLOW_ANY: None, NEED_CONFIRM: NEEDS_CONFIRM, DENY_ANY: DENIES_ALL}
