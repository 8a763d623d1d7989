"""sns: the fields of a friend, and what may stand in each.

contracts/im-semantics.md, section 10, and the limits of im.yaml, in UTF-8 bytes.
"""

from typing import Any

MAX_REMARK_BYTES = 96
MAX_GROUP_BYTES = 30
MAX_WORDING_BYTES = 256
MAX_SOURCE_BYTES = 64
"""Of the keyword; the API has no limit in its contract and 8 letters in its manual."""
MAX_CUSTOM_BYTES = 500
MAX_INTEGER = 2**63 - 1

REMARK = "Tag_SNS_IM_Remark"
GROUP = "Tag_SNS_IM_Group"
SOURCE = "Tag_SNS_IM_AddSource"
WORDING = "Tag_SNS_IM_AddWording"
ADD_TIME = "Tag_SNS_IM_AddTime"
CUSTOM = "Tag_SNS_Custom_"
STANDARD = frozenset({REMARK, GROUP, SOURCE, WORDING, ADD_TIME})

_SOURCE_PREFIX = "AddSource_Type_"


def is_text(value: Any, max_bytes: int) -> bool:
    return isinstance(value, str) and len(value.encode()) <= max_bytes


def is_group_name(value: Any) -> bool:
    return is_text(value, MAX_GROUP_BYTES) and value != ""


def is_source(value: str) -> bool:
    keyword = value.removeprefix(_SOURCE_PREFIX)
    return keyword not in ("", value) and is_text(keyword, MAX_SOURCE_BYTES)


def is_custom_value(value: Any) -> bool:
    """A text, or an unsigned integer, which the manual refuses and its own examples have."""
    if isinstance(value, int) and not isinstance(value, bool):
        return 0 <= value <= MAX_INTEGER
    return is_text(value, MAX_CUSTOM_BYTES)
