"""im_open_login_svc: the bodies of the account calls, and the facts about accounts.

contracts/im-accounts.yaml. Older clients write `Identifier` for `UserID`.
"""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from schemas.catalogue import EventType
from schemas.im.bodies import Fields, Request
from schemas.im.ids import is_user_id
from schemas.im.profiles import IMAGE, NICK, trouble_of
from schemas.numbers import Key

MAX_ACCOUNTS = 100
"""Of one call."""

BAD_PARAMETER = 70402


class AccountNamed(Request, frozen=True, kw_only=True):
    """An account, by whichever name the client has for it."""

    user_id: str | None = None
    identifier: str | None = None

    @property
    def user(self) -> str:
        """Empty where there is none."""
        return self.user_id or self.identifier or ""


class AccountImport(AccountNamed, frozen=True, kw_only=True):
    nick: str | None = None
    face_url: str | None = None

    @property
    def profile(self) -> Mapping[str, str]:
        """The profile's fields that are given."""
        return {tag: value for tag, value in ((NICK, self.nick), (IMAGE, self.face_url)) if value is not None}

    @property
    def trouble(self) -> int:
        """The code for what is wrong with it; 0 where nothing is."""
        if not is_user_id(self.user):
            return BAD_PARAMETER
        return next((code for tag, value in self.profile.items() if (code := trouble_of(tag, value, frozenset()))), 0)


class MultiaccountImport(Request, frozen=True, kw_only=True):
    """Older clients give `Accounts`, newer ones `AccountList`."""

    accounts: tuple[str, ...] = ()
    account_list: tuple[AccountImport, ...] = ()

    @property
    def imports(self) -> tuple[AccountImport, ...]:
        return (*(AccountImport(user_id=user) for user in self.accounts), *self.account_list)


class AccountDelete(Request, frozen=True, kw_only=True):
    delete_item: tuple[AccountNamed, ...]


class AccountCheck(Request, frozen=True, kw_only=True):
    check_item: tuple[AccountNamed, ...]


class AccountResult(Fields, frozen=True, kw_only=True):
    user_id: str
    result_code: int = 0
    result_info: str = ""
    account_status: str | UnsetType = UNSET
    """`Imported` or `NotImported`."""


class AccountResults(Fields, frozen=True, kw_only=True):
    result_item: tuple[AccountResult, ...]


class FailAccounts(Fields, frozen=True, kw_only=True):
    fail_accounts: tuple[str, ...]


# ---- facts: `account` is the key, APP/USER ---------------------------------------------------------------------------


class AccountKicked(msgspec.Struct, frozen=True, kw_only=True):
    """The account's logins were made invalid: it is online nowhere."""

    account: Key


class AccountDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The account is gone. What comes later under its id is another's."""

    account: Key


EVENT_TYPES = (
    EventType("im.account.kicked", AccountKicked, "An IM account was logged out everywhere", "account", internal=True),
    EventType("im.account.deleted", AccountDeleted, "An IM account was deleted", "account", internal=True),
)
