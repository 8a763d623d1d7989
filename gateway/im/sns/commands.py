"""sns: all its commands."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from gateway.im.frame import Command
from gateway.im.services import SNS
from gateway.im.sns.blacklists import Blacklists
from gateway.im.sns.friend_lists import FriendLists
from gateway.im.sns.friends import Friends
from gateway.im.sns.groups import FriendGroups
from gateway.system import Reply
from schemas.im import sns
from stores.mongo import Database


def sns_commands(database: Database) -> Sequence[Command]:
    friends, lists = Friends(database), FriendLists(database)
    blacklists, groups = Blacklists(database), FriendGroups(database)

    def command(
        operation_id: str, name: str, body: type[msgspec.Struct], handle: Callable[..., Awaitable[Reply]]
    ) -> Command:
        return Command(operation_id=operation_id, service=SNS, name=name, body=body, handle=handle)

    return (
        command("imFriendAdd", "friend_add", sns.FriendAdd, friends.add),
        command("imFriendImport", "friend_import", sns.FriendImport, friends.import_),
        command("imFriendUpdate", "friend_update", sns.FriendUpdate, friends.update),
        command("imFriendDelete", "friend_delete", sns.FriendDelete, friends.delete),
        command("imFriendDeleteAll", "friend_delete_all", sns.FriendDeleteAll, friends.delete_all),
        command("imFriendCheck", "friend_check", sns.FriendCheck, lists.check),
        command("imFriendGet", "friend_get", sns.FriendGet, lists.get),
        command("imFriendGetList", "friend_get_list", sns.FriendGetList, lists.get_list),
        command("imBlackListAdd", "black_list_add", sns.BlackListed, blacklists.add),
        command("imBlackListDelete", "black_list_delete", sns.BlackListed, blacklists.delete),
        command("imBlackListGet", "black_list_get", sns.BlackListGet, blacklists.get),
        command("imBlackListCheck", "black_list_check", sns.BlackListCheck, blacklists.check),
        command("imSnsGroupAdd", "group_add", sns.GroupAdd, groups.add),
        command("imSnsGroupDelete", "group_delete", sns.GroupDelete, groups.delete),
        command("imSnsGroupGet", "group_get", sns.GroupGet, groups.get),
    )
