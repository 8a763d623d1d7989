"""profile: fields of users' profiles, set and read at once."""

from collections.abc import Sequence

from msgspec import UNSET

from gateway.im.frame import Caller, Command
from gateway.im.services import PROFILE
from gateway.system import Reply
from schemas.im.apps import App
from schemas.im.codes import Failed, text_of
from schemas.im.profiles import (
    UNKNOWN_TAG,
    PortraitGet,
    Portraits,
    PortraitSet,
    TagValue,
    UserProfile,
    is_tag,
    trouble_of,
)
from stores.im import accounts
from stores.mongo import Database

MAX_USERS = 100
UNKNOWN = 40003
BAD_PARAMETER = 40001


class Profiles:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: Caller, body: PortraitGet) -> Reply:
        """A field that is not set is left out. A tag that there is not fails every user (semantics, section 9)."""
        if not (1 <= len(body.to_account) <= MAX_USERS and body.tag_list):
            raise Failed(BAD_PARAMETER, f"1 to {MAX_USERS} accounts, and at least one tag")
        profiles = await accounts.profiles(self._database, caller.app, body.to_account)
        good = all(is_tag(tag, caller.app.custom_tags) for tag in body.tag_list)
        tags = tuple(dict.fromkeys(body.tag_list))

        def item(user: str) -> UserProfile:
            if user not in profiles:
                return _failed(user, UNKNOWN)
            return _found(user, profiles[user], tags) if good else _failed(user, UNKNOWN_TAG)

        items = tuple(item(user) for user in body.to_account)
        failed = tuple(item.to_account for item in items if item.result_code)
        return Reply(Portraits(user_profile_item=items, fail_account=failed or UNSET))

    async def set(self, caller: Caller, body: PortraitSet) -> Reply:
        """All fields or none. A field that comes twice has its last value."""
        profile = _checked(caller.app, body)
        if not await accounts.set_profile(self._database, caller.app, body.from_account, profile, caller.at):
            raise Failed(UNKNOWN)
        return Reply()


def profile_commands(database: Database) -> Sequence[Command]:
    own = Profiles(database)
    return (
        Command(operation_id="imPortraitGet", service=PROFILE, name="portrait_get", body=PortraitGet, handle=own.get),
        Command(operation_id="imPortraitSet", service=PROFILE, name="portrait_set", body=PortraitSet, handle=own.set),
    )


def _checked(app: App, body: PortraitSet) -> dict[str, str | int]:
    if not body.profile_item:
        raise Failed(BAD_PARAMETER, "ProfileItem is empty")
    for item in body.profile_item:
        if code := trouble_of(item.tag, item.value, app.custom_tags):
            raise Failed(code, f"{text_of(code)}: {item.tag[:80]}")
    return {item.tag: item.value for item in body.profile_item}


def _found(user: str, profile: accounts.Profile, tags: Sequence[str]) -> UserProfile:
    values = tuple(TagValue(tag=tag, value=profile[tag]) for tag in tags if tag in profile)
    return UserProfile(to_account=user, profile_item=values)


def _failed(user: str, code: int) -> UserProfile:
    return UserProfile(to_account=user, result_code=code, result_info=text_of(code))
