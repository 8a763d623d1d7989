"""Whatever is told of messages, in whatever batches and how often: the documents are what a naive model says."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.im.conversations import CONVERSATIONS, MESSAGES
from handlers.im.messages import RECALLS
from schemas.events import Event
from schemas.im.message import side_of
from tests.simulation.sim_store import SimStore
from tests.simulation.turns import AsyncioTurns
from tests.unit.im.messages_model import APP, FIRST, USERS, Model, a_message, a_recall, fold, logs


@given(log=logs, seed=st.integers(0, 2**32))
async def test_unread_last_message_and_timeline_are_what_a_naive_model_says(log: Sequence[Event], seed: int) -> None:
    store, model = SimStore(AsyncioTurns(), Random(seed)), Model(log)
    await folded(store, log, seed)

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


async def folded(store: SimStore, log: Sequence[Event], seed: int) -> None:
    async def recalled_before(messages: Sequence[str]) -> list[str]:
        told = {each["message"] for each in store.collections.get(RECALLS, {}).values()}
        return [each for each in messages if each in told and not store.collections[MESSAGES][each]["withdrawn"]]

    await fold(store, log, Random(seed), recalled_before)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("recalls", [(0,), (1,), (0, 1), (1, 1)])
async def test_a_recall_told_before_its_message_counts_and_hides_none_that_comes_later(
    recalls: tuple[int, ...], seed: int
) -> None:
    """A callback may overtake another. `recalls`: how many messages were there by then."""
    store, log = SimStore(AsyncioTurns(), Random(seed)), [a_message()]
    for number, behind in enumerate(recalls):
        log.insert(0 if behind == 0 else len(log), a_recall("ann", "bob", FIRST, number))

    await folded(store, log, seed)

    (message,) = store.collections[MESSAGES].values()
    assert message["withdrawn"] is True
    assert store.collections[CONVERSATIONS][side_of(APP, "bob", "ann")]["unread"] == 0


def timeline(messages: Any, side: str, conversation: dict[str, Any]) -> list[Any]:
    cleared = conversation.get("cleared_up_to")
    seen = [each for each in messages if side in each["timelines"] and (cleared is None or each["at"] > cleared)]
    return [
        (each["key"], each["sender"], each["body"], each["custom_data"], each["withdrawn"], each["peer_read"])
        for each in sorted(seen, key=lambda each: (each["order"], each["sender"]))
    ]


def expected(model: Model, side: str) -> list[Any]:
    return [
        (str(told.sent.key), told.sent.sender, told.body, told.custom_data, model.withdrawn(told), told.peer_read)
        for told in model.timeline(side)
    ]
