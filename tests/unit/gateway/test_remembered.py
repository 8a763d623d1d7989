import asyncio

import pytest

from gateway.remembered import Remembered
from gateway.system import Answer
from schemas.errors import BrokerAway, Refused


class Work:
    """Counts how often it is done; waits to be let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.done = 0
        self.go = asyncio.Event()
        self._error = error

    async def __call__(self) -> Answer:
        await self.go.wait()
        self.done += 1
        if self._error is not None:
            raise self._error
        return Answer(200, b"%d" % self.done)


async def test_a_repeat_is_answered_as_before_and_nothing_is_done() -> None:
    remembered, work = Remembered(10), Work()
    work.go.set()

    first = await remembered.once(("chat", "1"), work)
    again = await remembered.once(("chat", "1"), work)

    assert (first, again, work.done) == ((Answer(200, b"1"), False), (Answer(200, b"1"), True), 1)


async def test_the_same_id_in_another_system_is_another_request() -> None:
    remembered, work = Remembered(10), Work()
    work.go.set()

    await remembered.once(("chat", "1"), work)
    _, repeated = await remembered.once(("im", "1"), work)

    assert (repeated, work.done) == (False, 2)


async def test_requests_at_the_same_time_share_one_doing() -> None:
    remembered, work = Remembered(10), Work()
    waiting = [asyncio.create_task(remembered.once(("chat", "1"), work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.go.set()

    answers = await asyncio.gather(*waiting)

    assert work.done == 1
    assert sorted(repeated for _, repeated in answers) == [False, True, True, True, True]


async def test_a_failure_is_shared_by_those_who_wait_and_not_remembered() -> None:
    remembered, away = Remembered(10), Work(BrokerAway("x"))
    waiting = [asyncio.create_task(remembered.once(("chat", "1"), away)) for _ in range(3)]
    await asyncio.sleep(0)
    away.go.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [BrokerAway] * 3

    back = Work()
    back.go.set()
    answer, repeated = await remembered.once(("chat", "1"), back)

    assert (answer.body, repeated) == (b"1", False)


async def test_a_first_that_is_cut_off_tells_its_repeats_to_come_again() -> None:
    remembered, work = Remembered(10), Work()
    first = asyncio.create_task(remembered.once(("chat", "1"), work))
    await asyncio.sleep(0)
    repeat = asyncio.create_task(remembered.once(("chat", "1"), work))
    await asyncio.sleep(0)
    first.cancel()

    with pytest.raises(Refused) as refused:
        await repeat
    assert refused.value.reason == "stopping"


async def test_a_repeat_that_is_cut_off_leaves_the_first_alone() -> None:
    remembered, work = Remembered(10), Work()
    first = asyncio.create_task(remembered.once(("chat", "1"), work))
    await asyncio.sleep(0)
    repeat = asyncio.create_task(remembered.once(("chat", "1"), work))
    await asyncio.sleep(0)
    repeat.cancel()
    work.go.set()

    assert await first == (Answer(200, b"1"), False)


async def test_past_the_limit_the_request_not_seen_for_longest_is_forgotten() -> None:
    remembered, work = Remembered(2), Work()
    work.go.set()

    for name in ("a", "b", "a", "c"):  # b is now the oldest
        await remembered.once(("chat", name), work)

    assert [(await remembered.once(("chat", name), work))[1] for name in ("a", "c", "b")] == [True, True, False]


async def test_with_no_room_nothing_is_remembered() -> None:
    remembered, work = Remembered(0), Work()
    work.go.set()

    await remembered.once(("chat", "a"), work)

    assert await remembered.once(("chat", "a"), work) == (Answer(200, b"2"), False)
