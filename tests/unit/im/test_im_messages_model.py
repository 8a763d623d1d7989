"""Whatever is told of messages, in whatever batches and how often: the documents are what a naive model says."""

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handlers.im.conversations import CONVERSATIONS, MESSAGES
from schemas.events import Event
from schemas.im.message import side_of
from tests.simulation.sim_store import SimStore
from tests.simulation.turns import AsyncioTurns
from tests.unit.im.messages_model import APP, USERS, Model, fold, logs


@given(log=logs, seed=st.integers(0, 2**32))
async def test_unread_last_message_and_timeline_are_what_a_naive_model_says(log: Sequence[Event], seed: int) -> None:
    store, model = SimStore(AsyncioTurns(), Random(seed)), Model(log)
    await fold(store, log, Random(seed))

    messages = store.collections.get(MESSAGES, {}).values()
    for owner in USERS:
        for peer in USERS:
            side = side_of(APP, owner, peer)
            conversation = store.collections.get(CONVERSATIONS, {}).get(side, {})
            assert conversation.get("unread", 0) == model.unread(side), side
            assert conversation.get("last", {}).get("v") == model.last(side)
            assert conversation.get("listed", False) == model.listed.get(side, False)
            if "listed" in conversation:
                # Either of the two: a list asks for one of them.
                assert conversation["pinned"] is model.pinned.get(side, False)
            assert timeline(messages, side, conversation) == expected(model, side)


def timeline(messages: Any, side: str, conversation: dict[str, Any]) -> list[Any]:
    cleared = conversation.get("cleared_up_to")
    seen = [each for each in messages if side in each["timelines"] and (cleared is None or each["at"] > cleared)]
    return [
        (each["key"], each["sender"], each["body"], each["custom_data"], each["withdrawn"], each["peer_read"])
        for each in sorted(seen, key=lambda each: (each["order"], each["sender"]))
    ]


def expected(model: Model, side: str) -> list[Any]:
    return [
        (str(told.sent.key), told.sent.sender, told.body, told.custom_data, told.withdrawn, told.peer_read)
        for told in model.timeline(side)
    ]
