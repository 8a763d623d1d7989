"""Requests for the calls about messages and conversations, for the walk through the contract."""

from typing import Any

from im_api import ImApi
from im_calls import Builder
from im_contract import examples_of
from im_messages import text

from tests.integration.chat_api import eventually

EVERYBODY = (
    *("lumotuwe1", "lumotuwe2", "bonnie", "rong", "dave", "dramon", "dramon1", "dramon2", "vinson", "teacher"),
    *("user1", "user2", "id1", "id2"),
)


def among_everybody(operation_id: str) -> Builder:
    async def build(im: ImApi) -> list[Any]:
        await im.imported(*EVERYBODY)
        return examples_of(operation_id)

    return build


def with_its_message(operation_id: str) -> Builder:
    """The messages that the examples name are there."""

    async def build(im: ImApi) -> list[Any]:
        await im.imported(*EVERYBODY)
        examples = examples_of(operation_id)
        for example in examples:
            await _imported(im, example["From_Account"], example["To_Account"], example["MsgKey"])
        return examples

    return build


async def _imported(im: ImApi, sender: str, receiver: str, key: str) -> None:
    seq, number, at = map(int, key.split("_"))
    message = {
        "SyncFromOldSystem": 5,
        "From_Account": sender,
        "To_Account": receiver,
        "MsgSeq": seq,
        "MsgRandom": number,
        "MsgTimeStamp": at,
        "MsgBody": text("hello"),
        "CloudCustomData": "data",
    }
    await im.ok("openim/importmsg", message)
    window = {"Operator_Account": sender, "Peer_Account": receiver, "MaxCnt": 1, "MinTime": at, "MaxTime": at}

    async def stored() -> bool:
        return bool((await im.ok("openim/admin_getroammsg", window))["MsgCnt"])

    await eventually(stored)


async def get_history(im: ImApi) -> list[Any]:
    await im.imported(*EVERYBODY)
    await _imported(im, "user1", "user2", "549396494_2578554_1584669680")
    await _imported(im, "user2", "user1", "549396494_2578554_1584669679")
    return examples_of("imAdminGetRoamMsg")


async def get_list(im: ImApi) -> list[Any]:
    await im.imported(*EVERYBODY)
    await _imported(im, "id2", "id1", "1_2_1630997627")
    return examples_of("imRecentContactGetList")


CALLS: dict[str, Builder] = {
    **{
        operation_id: among_everybody(operation_id)
        for operation_id in (
            *("imSendMsg", "imBatchSendMsg", "imImportMsg", "imGetC2CUnreadMsgNum", "imAdminSetMsgRead"),
            "imRecentContactDelete",
        )
    },
    "imAdminMsgWithdraw": with_its_message("imAdminMsgWithdraw"),
    "imModifyC2CMsg": with_its_message("imModifyC2CMsg"),
    "imAdminGetRoamMsg": get_history,
    "imRecentContactGetList": get_list,
}
