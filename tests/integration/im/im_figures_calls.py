"""Requests for the calls about files of messages and daily figures, for the walk through the contract."""

from datetime import UTC, datetime
from typing import Any

from im_api import ImApi
from im_calls import Builder
from im_contract import examples_of
from im_messages import people

from schemas.im.history_files import last_ready
from tests.integration.chat_api import eventually


async def get_history(im: ImApi) -> list[Any]:
    """For an hour in which somebody spoke, and whose files are made."""
    alice, bob = await people(im, "alice", "bob")
    hour = last_ready(datetime.now(UTC))
    await alice.imported(bob, "hello", int(hour.start.timestamp()))
    await bob.shows(alice, "hello")
    body = {"ChatType": "C2C", "MsgTime": str(hour)}

    async def made() -> bool:
        return bool((await im.ask("open_msg_svc/get_history", body)).code == 0)

    await eventually(made)
    return [body]


async def get_app_info(im: ImApi) -> list[Any]:
    return examples_of("imGetAppInfo")


CALLS: dict[str, Builder] = {"imGetHistory": get_history, "imGetAppInfo": get_app_info}
