"""Pushes to all or many: the copies they come to, and how the walk through the users keeps its pace."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from handlers.im.conversations import CONVERSATIONS
from handlers.im.messages import fold_message
from handlers.im.pushes import Push, message_to, task_id_of
from schemas.events import Event
from schemas.im.message import MessageSent, OfflinePush
from stores.im.slots import SLOTS, slot_of
from workers.jobs.kinds.im_push import FIRST_WIDTH, GROWTH, next_width

AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def a_push(**fields: Any) -> Push:
    given = {"task": "t", "app": "14", "sender": "admin", "random": 7, "life_seconds": 60}
    return Push(**{**given, "body": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hi"}}], **fields})


def copy(push: Push, receiver: str = "ann", at: datetime = AT, *, online: bool = False) -> Event:
    made = message_to(push, receiver, at, online=online)
    assert made is not None
    return made


def sent(event: Event) -> MessageSent:
    return msgspec.json.decode(event.data, type=MessageSent)


def test_a_copy_is_one_whenever_it_is_made_again_and_another_for_everybody_else() -> None:
    push = a_push()

    assert copy(push) == copy(push)
    different = [copy(push), copy(push, "ben"), copy(a_push(task="u")), copy(push, at=AT + timedelta(seconds=1))]
    assert len({event.identity for event in different}) == 4
    assert copy(push, online=True).identity == copy(push).identity


def test_a_copy_is_unread_and_listed_with_its_receiver_and_in_no_history() -> None:
    event = copy(a_push())
    outcome = fold_message(event, sent(event))

    assert outcome.fact is not None
    assert outcome.fact.body["timelines"] == []
    assert outcome.fact.body["unread_in"] == "14/ann/admin"
    assert [effect.key for effect in outcome.effects if effect.collection == CONVERSATIONS] == ["14/ann/admin"]
    assert event.time == AT
    assert sent(event).time == int(AT.timestamp())


def test_who_is_offline_is_pushed_to_unless_it_is_said_or_nothing_is_kept() -> None:
    offline = OfflinePush(text="look")

    assert sent(copy(a_push(offline=offline))).offline_push == offline
    assert sent(copy(a_push(offline=offline), online=True)).offline_push is None
    assert sent(copy(a_push())).offline_push is None


def test_without_a_life_time_only_who_is_online_gets_a_copy() -> None:
    push = a_push(life_seconds=0, offline=OfflinePush(text="look"))

    assert message_to(push, "ann", AT, online=False) is None
    event = copy(push, online=True)
    assert event.type == "im.message.relayed"
    assert sent(event).offline_push is None


def test_a_task_is_known_by_app_sender_second_and_number() -> None:
    tasks = {task_id_of("14", "a", 1, 2), task_id_of("14", "b", 1, 2), task_id_of("14", "a", 2, 2)}
    tasks |= {task_id_of("15", "a", 1, 2), task_id_of("14", "a", 1, 3), task_id_of("14", "a", 1, 2)}

    assert len(tasks) == 5


@given(users=st.integers(0, 10**8), wanted=st.integers(1, 10_000))
def test_a_walk_goes_through_all_slots_in_pieces_of_about_one_size(users: int, wanted: int) -> None:
    slot, width, pieces = 0, FIRST_WIDTH, []
    while slot < SLOTS:
        behind = min(SLOTS, slot + width)
        found = users * behind // SLOTS - users * slot // SLOTS
        pieces.append(found)
        width = next_width(width, found, wanted)
        slot = behind
        if len(pieces) > 50:
            break

    # A piece is no smaller than a slot, and after an empty one it may be large by as much as the width has grown.
    assert all(found <= 2 * wanted + users // SLOTS + 1 + GROWTH for found in pieces[1:])
    if users < wanted * 10:
        assert len(pieces) <= 40


@given(st.text(max_size=32))
def test_every_user_has_a_slot(user: str) -> None:
    assert 0 <= slot_of(user) < SLOTS
