"""Requests answered lately, so that one sent again is answered as before and not published again.

A saving, not the guarantee: what this memory has forgotten, or another gateway has
answered, is recognised by the event's id where it is folded.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from gateway.system import Answer
from schemas.errors import Refused


class Remembered:
    """The answers to the most recent successful requests, by request id."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        self._under_way: dict[tuple[str, str], asyncio.Future[Answer]] = {}

    async def once(self, key: tuple[str, str], act: Callable[[], Awaitable[Answer]]) -> tuple[Answer, bool]:
        """The answer, and whether it is a repeat's. A repeat that comes while the first is
        under way shares its outcome, a failure too; a failure is not remembered."""
        if (answer := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
            return answer, True
        if (first := self._under_way.get(key)) is not None:
            # Shielded: a repeat that is cancelled must not cancel the first.
            return await asyncio.shield(first), True
        return await self._first(key, act), False

    async def _first(self, key: tuple[str, str], act: Callable[[], Awaitable[Answer]]) -> Answer:
        outcome: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._under_way[key] = outcome
        try:
            answer = await act()
        except asyncio.CancelledError:
            _fail(outcome, Refused("stopping", "the request was cut off: try again"))
            raise
        except Exception as error:
            _fail(outcome, error)
            raise
        else:
            outcome.set_result(answer)
            self._remember(key, answer)
            return answer
        finally:
            del self._under_way[key]

    def _remember(self, key: tuple[str, str], answer: Answer) -> None:
        if self._most:
            self._answers[key] = answer
            if len(self._answers) > self._most:
                self._answers.popitem(last=False)


def _fail(outcome: asyncio.Future[Answer], error: Exception) -> None:
    outcome.set_exception(error)
    # Where no repeat came, nobody else retrieves it.
    outcome.exception()
