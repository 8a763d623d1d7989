"""all_member_push: attributes and tags of users, by which pushes choose their receivers."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec

from gateway.im.frame import Caller, Command
from gateway.im.services import PUSH
from gateway.system import Reply
from handlers.im.labels import Change, adding, both, removing, setting, unsetting, without_tags
from schemas.im.bodies import Nothing
from schemas.im.codes import Failed
from schemas.im.labels import (
    MAX_TAGS_AT_ONCE,
    MAX_USERS,
    PLACES,
    AttrNames,
    AttrsOfUsers,
    ChangeTags,
    OfUsers,
    RemoveAttr,
    SetAttr,
    SetAttrName,
    TagsOfUsers,
    UserAttrs,
    UserTags,
    is_short,
)
from stores.im.accounts import existing
from stores.im.labels import Names, attr_names, change_labels, labels_of, name_attrs
from stores.mongo import Database

CALLS_PER_SECOND = 100
BAD_FORMAT, TOO_MANY_USERS, TAG_TOO_LONG, TOO_MANY_AT_ONCE = 90010, 90018, 90020, 90032
BAD_ATTR, BAD_ACCOUNT, NO_SUCH_ATTR = 90033, 90035, 90041
UNKNOWN_ACCOUNT = 70107


class AppAttributes:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def name(self, caller: Caller, body: SetAttrName) -> Reply:
        """Places that are not named keep their names; users' values stay where they are."""
        _check_names(body.attr_names)

        def change(names: Names) -> Names:
            together = {**names, **body.attr_names}
            if len(set(together.values())) < len(together):
                raise Failed(BAD_ATTR, "two attributes of one name")
            return together

        await name_attrs(self._database, caller.app, change)
        return Reply()

    async def names(self, caller: Caller, _: Nothing) -> Reply:
        return Reply(AttrNames(attr_names=dict(sorted((await attr_names(self._database, caller.app)).items()))))


class Attributes:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, caller: Caller, body: SetAttr) -> Reply:
        """The attributes that are given; the others stay. All users or none."""
        _check_number(body.user_attrs)
        places = await self._places(caller)
        for item in body.user_attrs:
            if unknown := item.attrs.keys() - places.keys():
                raise Failed(NO_SUCH_ATTR, f"no attribute is named {min(unknown)[:80]!r}")
            if not all(map(is_short, item.attrs.values())):
                raise Failed(BAD_ATTR, "a value is longer than 50 bytes")
        await _check_accounts(
            self._database, caller, (item.to_account for item in body.user_attrs), unknown=BAD_ACCOUNT
        )
        wishes = (
            (item.to_account, setting({places[name]: value for name, value in item.attrs.items()}))
            for item in body.user_attrs
        )
        await change_labels(self._database, caller.app, _by_user(wishes))
        return Reply()

    async def get(self, caller: Caller, body: OfUsers) -> Reply:
        """By the names of today; what has lost its name is not told."""
        await _check_users(self._database, caller, body.to_account)
        names = await attr_names(self._database, caller.app)
        found = await labels_of(self._database, caller.app, dict.fromkeys(body.to_account))

        def attrs(values: Mapping[str, str]) -> Mapping[str, str]:
            return {names[place]: value for place, value in sorted(values.items()) if place in names}

        users = tuple(UserAttrs(to_account=user, attrs=attrs(found[user].values)) for user in body.to_account)
        return Reply(AttrsOfUsers(user_attrs=users))

    async def remove(self, caller: Caller, body: RemoveAttr) -> Reply:
        _check_number(body.user_attrs)
        places = await self._places(caller)
        for item in body.user_attrs:
            if not item.attrs or not places.keys() >= set(item.attrs):
                raise Failed(BAD_ATTR, "Attrs names attributes of the app, one at least")
        await _check_accounts(self._database, caller, (item.to_account for item in body.user_attrs))
        wishes = ((item.to_account, unsetting(places[name] for name in item.attrs)) for item in body.user_attrs)
        await change_labels(self._database, caller.app, _by_user(wishes))
        return Reply()

    async def _places(self, caller: Caller) -> Mapping[str, str]:
        """By name."""
        return {name: place for place, name in (await attr_names(self._database, caller.app)).items()}


class Tags:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, caller: Caller, body: ChangeTags) -> Reply:
        """All users or none."""
        _check_number(body.user_tags)
        for item in body.user_tags:
            if len(item.tags) > MAX_TAGS_AT_ONCE:
                raise Failed(TOO_MANY_AT_ONCE)
            if not all(map(is_short, item.tags)):
                raise Failed(TAG_TOO_LONG)
            if not item.tags or "" in item.tags:
                raise Failed(BAD_FORMAT, "Tags has one tag at least, and no empty one")
        await self._change(caller, ((item.to_account, adding(item.tags)) for item in body.user_tags))
        return Reply()

    async def get(self, caller: Caller, body: OfUsers) -> Reply:
        await _check_users(self._database, caller, body.to_account)
        found = await labels_of(self._database, caller.app, dict.fromkeys(body.to_account))
        users = tuple(UserTags(to_account=user, tags=found[user].tags) for user in body.to_account)
        return Reply(TagsOfUsers(user_tags=users))

    async def remove(self, caller: Caller, body: ChangeTags) -> Reply:
        """A tag that a user does not have is no failure."""
        _check_number(body.user_tags)
        if not all(item.tags for item in body.user_tags):
            raise Failed(BAD_FORMAT, "Tags has one tag at least")
        await self._change(caller, ((item.to_account, removing(item.tags)) for item in body.user_tags))
        return Reply()

    async def remove_all(self, caller: Caller, body: OfUsers) -> Reply:
        _check_number(body.to_account)
        await self._change(caller, ((user, without_tags) for user in body.to_account))
        return Reply()

    async def _change(self, caller: Caller, wishes: Iterable[tuple[str, Change]]) -> None:
        changes = _by_user(wishes)
        await _check_accounts(self._database, caller, changes)
        await change_labels(self._database, caller.app, changes)


def label_commands(database: Database) -> Sequence[Command]:
    app, attributes, tags = AppAttributes(database), Attributes(database), Tags(database)

    def command(
        operation_id: str,
        name: str,
        body: type[msgspec.Struct],
        handle: Callable[..., Awaitable[Reply]],
        field_codes: Mapping[str, int] | None = None,
    ) -> Command:
        return Command(
            operation_id=operation_id,
            service=PUSH,
            name=name,
            body=body,
            handle=handle,
            field_codes=field_codes or {},
            calls_per_second=CALLS_PER_SECOND,
        )

    return (
        command("imSetAttrName", "im_set_attr_name", SetAttrName, app.name),
        command("imGetAttrName", "im_get_attr_name", Nothing, app.names),
        command("imSetAttr", "im_set_attr", SetAttr, attributes.set, {"UserAttrs": BAD_ATTR}),
        command("imGetAttr", "im_get_attr", OfUsers, attributes.get),
        command("imRemoveAttr", "im_remove_attr", RemoveAttr, attributes.remove, {"UserAttrs": BAD_ATTR}),
        command("imAddTag", "im_add_tag", ChangeTags, tags.add),
        command("imGetTag", "im_get_tag", OfUsers, tags.get),
        command("imRemoveTag", "im_remove_tag", ChangeTags, tags.remove),
        command("imRemoveAllTags", "im_remove_all_tags", OfUsers, tags.remove_all),
    )


def _check_names(names: Mapping[str, str]) -> None:
    if not names.keys() <= PLACES:
        raise Failed(BAD_FORMAT, "AttrNames goes from 0 to 9")
    if not all(name and is_short(name) for name in names.values()):
        raise Failed(BAD_ATTR, "an attribute's name has 1 to 50 bytes")


def _check_number(users: Sequence[object]) -> None:
    if not users:
        raise Failed(BAD_FORMAT, "no account is named")
    if len(users) > MAX_USERS:
        raise Failed(TOO_MANY_USERS)


async def _check_users(database: Database, caller: Caller, users: Sequence[str]) -> None:
    _check_number(users)
    await _check_accounts(database, caller, users)


async def _check_accounts(
    database: Database, caller: Caller, users: Iterable[str], unknown: int = UNKNOWN_ACCOUNT
) -> None:
    asked = set(users)
    if missing := asked - await existing(database, caller.app, asked):
        raise Failed(unknown, f"no account {min(missing)[:80]!r}")


def _by_user(wishes: Iterable[tuple[str, Change]]) -> dict[str, Change]:
    """Of a user that is named twice, both changes in their order."""
    changes: dict[str, Change] = {}
    for user, change in wishes:
        changes[user] = both(changes[user], change) if user in changes else change
    return changes
