"""Waiting for what is away: the one place that repeats a step."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from schemas.errors import Transient

P = ParamSpec("P")
T = TypeVar("T")


class Patience:
    """How to wait: `sleep` (the simulation passes its own), and whom to tell what is being waited for."""

    def __init__(
        self,
        *,
        waiting: Callable[[Transient], None] = lambda _: None,
        recovered: Callable[[], None] = lambda: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.waiting = waiting
        self.recovered = recovered
        self.sleep = sleep

    async def while_transient(self, step: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The step's result, repeated for as long as it raises Transient. Anything else passes through."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            wait=wait_exponential_jitter(multiplier=0.1, max=5, jitter=0.1),
            before_sleep=self._tell,
            sleep=self.sleep,
        )
        result: T = await retrying(step, *args, **kwargs)
        if retrying.statistics["attempt_number"] > 1:
            self.recovered()
        return result

    def _tell(self, state: RetryCallState) -> None:
        if state.outcome is not None and isinstance(error := state.outcome.exception(), Transient):
            self.waiting(error)
