import pytest

from schemas.errors import BrokerAway, StoreAway, Transient
from workers.retry import Patience


class Waits:
    """Sleeps that take no time, and what was told meanwhile."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.told: list[str] = []
        self.patience = Patience(
            waiting=lambda problem: self.told.append(str(problem)),
            recovered=lambda: self.told.append("recovered"),
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def failing(*errors: Exception):
    left = list(errors)

    async def step(answer: str, *, times: int) -> str:
        if left:
            raise left.pop(0)
        return answer * times

    return step


async def test_a_step_is_repeated_with_its_arguments_for_as_long_as_something_is_away() -> None:
    waits = Waits()

    answer = await waits.patience.while_transient(failing(StoreAway("one"), BrokerAway("two")), "x", times=2)

    assert answer == "xx"
    assert waits.told == ["one", "two", "recovered"]


async def test_a_step_that_works_at_once_tells_nobody() -> None:
    waits = Waits()

    assert await waits.patience.while_transient(failing(), "x", times=1) == "x"
    assert (waits.slept, waits.told) == ([], [])


async def test_what_is_no_waiting_matter_passes_through_at_once() -> None:
    waits = Waits()

    with pytest.raises(RuntimeError, match="a bug"):
        await waits.patience.while_transient(failing(RuntimeError("a bug")), "x", times=1)

    assert waits.slept == []


async def test_waits_grow_and_stay_bounded_and_never_end() -> None:
    waits = Waits()
    errors: list[Transient] = [StoreAway("away")] * 50

    await waits.patience.while_transient(failing(*errors), "x", times=1)

    assert len(waits.slept) == 50
    assert waits.slept[0] < 0.5
    assert max(waits.slept) <= 5.0
    assert min(waits.slept[10:]) >= 4.0


def test_a_patience_needs_no_event_loop() -> None:
    waits = Waits()
    coroutine = waits.patience.while_transient(failing(StoreAway("away")), "x", times=1)

    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)

    assert ended.value.value == "x"
