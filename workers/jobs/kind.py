"""What a kind of job is to the runner, and what a step is given."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from channels.net import Net
from config.settings import Settings
from gateway.pipeline import Publishes
from stores.files import Files
from stores.jobs import Job
from stores.mongo import Database


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a step; written down all at once, or not at all."""

    cursor: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """What the next step starts from."""
    done: int = 0
    """How far the job is now, not how far this step went."""
    total: int | None = None
    finished: bool = False
    result: Mapping[str, Any] | None = None
    """What the job came to; kept where it is finished."""
    pause_seconds: float = 0.0
    """How long the next step waits, where a pace is to be kept."""


class Tools(msgspec.Struct, frozen=True):
    """What steps work with; shared by all of them."""

    database: Database
    publisher: Publishes
    settings: Settings
    net: Net
    """The guarded HTTP session, for addresses that others name."""
    files: Files
    now: Callable[[], datetime]
    """Aware, UTC."""


class Hopeless(Exception):
    """What a step raises where trying again cannot help: the job has failed. The message is for operators."""


class Kind(Protocol):
    """One kind of job. Stateless: steps of many jobs, and of one job after another, run anywhere and at once."""

    @property
    def name(self) -> str:
        """As it stands in `Job.kind`; in metrics too."""
        ...

    async def step(self, job: Job, tools: Tools) -> Step:
        """Do what is next by `job.args` and `job.cursor`, within seconds rather than minutes.

        A step may be done again, whole or in part: a worker may end in the middle, or lose its claim
        and notice too late. So what it writes is idempotent, and what it publishes has ids made
        with `part_id`, which the folder counts once. It may be cancelled at any await.

        Raises Transient where something is away (tried again, not counted), Hopeless where it is no
        use; anything else is a failure, tried again a few times.
        """
        ...


def part_id(job: Job, *parts: object) -> str:
    """The id of what a step publishes or makes: the same whenever the step is repeated."""
    return "/".join([job.id, *(str(part).replace("%", "%25").replace("/", "%2F") for part in parts)])
