"""Requests for the calls about extensions of messages, for the walk through the contract."""

from typing import Any

from im_api import ImApi
from im_calls import Builder
from im_contract import examples_of
from im_messages import text


def on_a_message(operation_id: str) -> Builder:
    """The examples, about a message that may have extensions and was sent just now."""

    async def build(im: ImApi) -> list[Any]:
        sender, receiver = "62768", "116400"
        await im.imported(sender, receiver)
        message = {
            "From_Account": sender,
            "To_Account": receiver,
            "MsgRandom": 7,
            "MsgBody": text("hello"),
            "SupportMessageExtension": 1,
        }
        key = (await im.ok("openim/sendmsg", message))["MsgKey"]
        return [{**example, "MsgKey": key} for example in examples_of(operation_id)]

    return build


CALLS: dict[str, Builder] = {
    operation_id: on_a_message(operation_id) for operation_id in ("imGetKeyValues", "imSetKeyValues")
}
