from handler_events import an_event
from hypothesis import given
from hypothesis import strategies as st

from handlers.directory import fold_assignment, fold_seat, fold_transfer, pair_key
from handlers.effects import Effect, Latest, Set
from schemas.directory import SeatAssigned, SeatSynced, TransferChanged

EVENT = an_event()
ids = st.text(alphabet="a/%2F", min_size=1)


@given(ids, ids, ids, ids)
def test_no_two_pairs_share_a_key(a: str, b: str, c: str, d: str) -> None:
    assert (pair_key(a, b) == pair_key(c, d)) == ((a, b) == (c, d))


def test_a_chat_is_known_by_its_customer_and_its_seat() -> None:
    outcome = fold_assignment(EVENT, SeatAssigned(customer_id="c", user_id="s", chatting=True))

    change = {"customer_id": Set("c"), "user_id": Set("s"), "state": Latest(EVENT.time, {"chatting": True})}
    assert outcome.effects == (Effect("chats", "c/s", change),)


def test_the_directory_keeps_the_newest_word_whole() -> None:
    seat = fold_seat(EVENT, SeatSynced(user_id="s", name="Li", phone="1"))
    transfer = fold_transfer(EVENT, TransferChanged(transfer_id="t", user_id="u", state="finished"))

    state = {"seat_no": None, "name": "Li", "phone": "1", "online": False, "deleted": False}
    assert seat.effects == (Effect("seats", "s", {"state": Latest(EVENT.time, state)}),)
    ended = {"user_id": "u", "in_progress": False}
    assert transfer.effects == (Effect("transfers", "t", {"state": Latest(EVENT.time, ended)}),)
