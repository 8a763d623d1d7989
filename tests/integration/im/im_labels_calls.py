"""Requests for the calls about pushes, attributes and tags, for the walk through the contract."""

from typing import Any

from im_api import ImApi
from im_calls import Builder
from im_contract import examples_of

SERVICE = "all_member_push"
NAMES = {"0": "sex", "1": "city", "2": "country"}
USERS = ("xiaojun012", "xiaojun013")


def with_labels(operation_id: str) -> Builder:
    """The users that the examples name, with attributes and tags."""

    async def build(im: ImApi) -> list[Any]:
        await im.imported(*USERS)
        await im.ok(f"{SERVICE}/im_set_attr_name", {"AttrNames": NAMES})
        attrs = [{"To_Account": user, "Attrs": {"sex": "x", "city": "y"}} for user in USERS]
        await im.ok(f"{SERVICE}/im_set_attr", {"UserAttrs": attrs})
        tags = [{"To_Account": user, "Tags": ["a", "b"]} for user in USERS]
        await im.ok(f"{SERVICE}/im_add_tag", {"UserTags": tags})
        return examples_of(operation_id)

    return build


async def push(im: ImApi) -> list[Any]:
    await im.imported("admin", "xiaoming")
    await im.ok(f"{SERVICE}/im_set_attr_name", {"AttrNames": {"8": "会员等级", "1": "city"}})
    return examples_of("imPush")


CALLS: dict[str, Builder] = {
    **{
        operation_id: with_labels(operation_id)
        for operation_id in (
            *("imSetAttrName", "imGetAttrName", "imSetAttr", "imGetAttr", "imRemoveAttr"),
            *("imAddTag", "imGetTag", "imRemoveTag", "imRemoveAllTags"),
        )
    },
    "imPush": push,
}
