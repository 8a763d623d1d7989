from hypothesis import given
from hypothesis import strategies as st

from workers.dispatch.offsets import Offsets


def test_nothing_is_committed_past_what_is_in_hand() -> None:
    offsets = Offsets(10)
    offsets.read(10)
    offsets.read(12)
    offsets.pass_over(15)

    assert offsets.next_offset == 10
    offsets.settle(12)
    assert offsets.next_offset == 10
    offsets.settle(10)
    assert offsets.next_offset == 15


def test_nothing_of_a_batch_is_committed_before_all_of_it_is_written_down() -> None:
    offsets = Offsets(10)
    offsets.read(10)
    offsets.settle(10)  # sent and recorded, while 11 is still being written

    assert offsets.next_offset == 10


@given(st.lists(st.sampled_from(["taken", "passed", "settled", "batch"]), max_size=60), st.randoms())
def test_what_may_be_committed_never_goes_back_nor_past_what_is_open(steps: list[str], chance: object) -> None:
    offsets, read, passed, in_hand = Offsets(0), 0, 0, list[int]()
    highest = 0
    for step in steps:
        if step == "taken":
            offsets.read(read)
            in_hand.append(read)
            read += 1
        elif step == "passed":
            read += 1
        elif step == "batch":
            offsets.pass_over(read)
            passed = read
        elif in_hand:
            offsets.settle(in_hand.pop(chance.randrange(len(in_hand))))  # type: ignore[attr-defined]
        assert offsets.next_offset == min([passed, *in_hand])
        assert offsets.next_offset >= highest
        highest = offsets.next_offset
