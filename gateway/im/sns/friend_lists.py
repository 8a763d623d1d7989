"""sns/friend_get, friend_get_list, friend_check: friends as they are asked for."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import UNSET

from gateway.im.frame import Caller
from gateway.im.sns.calls import code_of, failed_in, info_of, known_profiles
from gateway.system import Reply
from handlers.im.relations import Edge, Friend
from handlers.im.relations_fields import custom_of, standard_of
from schemas.im.apps import App
from schemas.im.codes import Failed
from schemas.im.profiles import is_tag
from schemas.im.sns import (
    FriendCheck,
    FriendGet,
    FriendGetList,
    FriendInfo,
    FriendInfos,
    FriendPage,
    FriendRelations,
    Relation,
    TagValue,
    UserData,
    Value,
)
from schemas.im.sns_codes import NO_ACCOUNT, NO_FRIEND, UNKNOWN_TAG, Trouble
from schemas.im.sns_fields import STANDARD
from stores.im.accounts import Profile
from stores.im.relations import edges_of, head_of
from stores.im.relations_read import edges_between, friends_of
from stores.mongo import Database

PAGE = 100
"""Friends in an answer of friend_get."""


class FriendLists:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: Caller, body: FriendGet) -> Reply:
        """A page. Data whose sequence the client has is left out; where it has both, so are the friends."""
        await known_profiles(self._database, caller.app, body.from_account)
        # The sequences first: data that is newer than they are is asked for again, data that is older never.
        head = await head_of(self._database, caller.app.id, body.from_account)
        standard = body.standard_sequence != head.standard_sequence
        custom = body.custom_sequence != head.custom_sequence
        found: Sequence[tuple[str, Edge]] = ()
        if standard or custom:
            found = await friends_of(self._database, caller.app.id, body.from_account, body.start_index, PAGE + 1)
        more = len(found) > PAGE
        return Reply(
            FriendPage(
                user_data_item=tuple(_user_data(other, edge, standard, custom) for other, edge in found[:PAGE]),
                standard_sequence=head.standard_sequence,
                custom_sequence=head.custom_sequence,
                friend_num=head.friends,
                complete_flag=0 if more else 1,
                next_start_index=body.start_index + PAGE if more else 0,
            )
        )

    async def get_list(self, caller: Caller, body: FriendGetList) -> Reply:
        """Fields of the friend and of the friend's profile; what has no value is left out."""
        if unknown := [tag for tag in body.tag_list if not _is_tag(tag, caller.app)]:
            raise Failed(UNKNOWN_TAG.code, f"there is no field {unknown[0][:80]}")
        user, others = body.from_account, [*dict.fromkeys(body.to_account)]
        profiles = await known_profiles(self._database, caller.app, user, others)
        await head_of(self._database, caller.app.id, user)
        edges = (await edges_of(self._database, caller.app.id, {user: others}))[user]
        outcomes = {other: None if edges[other].friend else NO_FRIEND for other in others}

        def info(other: str, trouble: Trouble | None) -> FriendInfo:
            friend = edges[other].friend
            values = _values(friend, profiles.get(other, {}), body.tag_list) if friend else UNSET
            return FriendInfo(
                to_account=other,
                sns_profile_item=values,
                result_code=code_of(trouble),
                result_info=info_of("FriendGetList", trouble),
            )

        infos = tuple(info(other, trouble) for other, trouble in outcomes.items())
        return Reply(FriendInfos(info_item=infos, fail_account=failed_in(outcomes)))

    async def check(self, caller: Caller, body: FriendCheck) -> Reply:
        user, others = body.from_account, [*dict.fromkeys(body.to_account)]
        known = await known_profiles(self._database, caller.app, user, others)
        await head_of(self._database, caller.app.id, user)
        pairs = await edges_between(self._database, caller.app.id, user, others)
        both = body.check_type == "CheckResult_Type_Both"
        sides = {other: (own.friend is not None, theirs.friend is not None) for other, (own, theirs) in pairs.items()}
        outcomes = {other: None if other in known else NO_ACCOUNT for other in others}
        items = tuple(
            Relation(
                to_account=other,
                relation=f"CheckResult_Type_{relation(*sides[other], both=both, none='NoRelation')}",
                result_code=code_of(trouble),
                result_info=info_of("FriendCheck", trouble),
            )
            for other, trouble in outcomes.items()
        )
        return Reply(FriendRelations(info_item=items, fail_account=failed_in(outcomes)))


def relation(own: bool, theirs: bool, *, both: bool, none: str) -> str:
    """What the API calls it; asked for one side only, the other's is not told."""
    if both and own and theirs:
        return "BothWay"
    if own:
        return "AWithB"
    return "BWithA" if both and theirs else none


def _user_data(other: str, edge: Edge, standard: bool, custom: bool) -> UserData:
    return UserData(
        to_account=other, value_item=tuple(_all_values(edge.friend, standard, custom)) if edge.friend else ()
    )


def _all_values(friend: Friend, standard: bool, custom: bool) -> Iterator[TagValue]:
    for wanted, values in ((standard, standard_of(friend)), (custom, custom_of(friend))):
        if wanted:
            yield from (TagValue(tag=tag, value=value) for tag, value in values)


def _values(friend: Friend, profile: Profile, tags: Sequence[str]) -> tuple[TagValue, ...]:
    values: Mapping[str, Value] = {**profile, **dict(standard_of(friend)), **dict(custom_of(friend))}
    return tuple(TagValue(tag=tag, value=values[tag]) for tag in dict.fromkeys(tags) if tag in values)


def _is_tag(tag: str, app: App) -> bool:
    return tag in STANDARD or tag in app.sns_tags or is_tag(tag, app.custom_tags)
