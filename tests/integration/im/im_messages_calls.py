"""Requests for the calls about messages and conversations, for the walk through the contract."""

from typing import Any

from im_api import ImApi
from im_calls import Builder
from im_contract import examples_of

EVERYBODY = ("lumotuwe1", "lumotuwe2", "bonnie", "rong", "dave", "dramon1", "dramon2", "teacher", "user1", "user2")


def among_everybody(operation_id: str) -> Builder:
    async def build(im: ImApi) -> list[Any]:
        await im.imported(*EVERYBODY)
        return examples_of(operation_id)

    return build


CALLS: dict[str, Builder] = {
    "imSendMsg": among_everybody("imSendMsg"),
    "imBatchSendMsg": among_everybody("imBatchSendMsg"),
    "imImportMsg": among_everybody("imImportMsg"),
    "imGetC2CUnreadMsgNum": among_everybody("imGetC2CUnreadMsgNum"),
}
