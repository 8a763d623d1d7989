"""sns: what can be wrong with one account of a call.

Clients tell some of these apart by the text alone (`Err_SNS_FriendAdd_Friend_Exist` and
`Err_SNS_FriendAdd_Friend_Not_Exist` are both 30001), so a result has the text that the IM
server API gives it where that is known.
"""

import msgspec


class Trouble(msgspec.Struct, frozen=True):
    """`ResultInfo` is `Err_SNS_COMMAND_NAME`."""

    code: int
    name: str

    def info(self, command: str) -> str:
        return f"Err_SNS_{command}_{self.name}"


BAD_FIELD = Trouble(30001, "Field_Illegal")
UNKNOWN_TAG = Trouble(30001, "Tag_Not_Exist")
ONESELF = Trouble(30001, "Friend_Is_Self")
FRIEND_EXISTS = Trouble(30001, "Friend_Exist")
NO_FRIEND = Trouble(30001, "Friend_Not_Exist")
BLOCKED_ALREADY = Trouble(30001, "Already_Exist")
NO_ACCOUNT = Trouble(30003, "Account_Not_Exist")
CONFLICT = Trouble(30008, "Write_Conflict")
MAY_NOT_ASK = Trouble(30009, "Admin_Forbid")
OWN_LIST_FULL = Trouble(30010, "My_Friend_Num_Exceed_Threshold")
TOO_MANY_GROUPS = Trouble(30011, "Group_Num_Exceed_Threshold")
TOO_MANY_REQUESTS = Trouble(30012, "Pendency_Num_Exceed_Threshold")
BLACKLIST_FULL = Trouble(30013, "BlackList_Num_Exceed_Threshold")
OTHERS_LIST_FULL = Trouble(30014, "Friend_Friend_Num_Exceed_Threshold")
ON_OWN_BLACKLIST = Trouble(30515, "Friend_In_My_BlackList")
DENIES_ALL = Trouble(30516, "Friend_Allow_Type_Forbid")
ON_OTHERS_BLACKLIST = Trouble(30525, "Self_In_Friend_BlackList")
NEEDS_CONFIRM = Trouble(30539, "Friend_Allow_Type_Need_Confirm")
NOT_FRIENDS = Trouble(31704, "Not_Friend")
