"""Whatever comes into inboxes and is read of them, in whatever batches: what is unread is what a naive count says."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from handlers.inboxes import ENTRIES, INBOXES
from handlers.plan import Decided, Planner
from handlers.routes import ROUTES
from schemas.cloudevents import encode_headers
from schemas.events import Event, LogId, Record
from schemas.inbox import InboxEntered, InboxRead
from stores.applier import apply_batch
from tests.simulation.sim_store import SimStore
from tests.simulation.turns import AsyncioTurns

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
OWNERS = ("user/a", "user/b", "email/a@example.com")
PLANNER = Planner(ROUTES)


class Step(msgspec.Struct, frozen=True):
    """An entry of an inbox, or that it was read up to a time. `name` is the event's id: a client may send it again."""

    read: bool
    owner: str
    second: int
    name: str


# Few times and names: entries at the very time that is read up to, and facts that were told before.
steps = st.builds(
    Step,
    read=st.booleans(),
    owner=st.sampled_from(OWNERS),
    second=st.integers(0, 6),
    name=st.integers(0, 30).map(str),
)


@given(log=st.lists(steps, max_size=40), seed=st.integers(0, 2**32))
async def test_what_is_unread_is_what_a_naive_count_says(log: Sequence[Step], seed: int) -> None:
    store = SimStore(AsyncioTurns(), Random(seed))

    await fold(store, [event_of(step) for step in log], Random(seed))

    told = {(step.read, step.owner, step.name): step for step in reversed(log)}.values()
    for owner in OWNERS:
        entered = [at(step) for step in told if step.owner == owner and not step.read]
        read_up_to = max((at(step) for step in told if step.owner == owner and step.read), default=None)
        inbox = store.collections.get(INBOXES, {}).get(owner, {})
        assert inbox.get("unread", 0) == sum(read_up_to is None or time > read_up_to for time in entered)
        assert inbox.get("read_up_to") == read_up_to
        assert inbox.get("last_entry_at") == max(entered, default=None)
        stored = store.collections.get(ENTRIES, {}).values()
        assert sorted(each["at"] for each in stored if each["recipient"] == owner) == sorted(entered)


def at(step: Step) -> datetime:
    return START + timedelta(seconds=step.second)


def event_of(step: Step) -> Event:
    data: msgspec.Struct
    if step.read:
        data = InboxRead(recipient=step.owner, up_to=at(step))
    else:
        data = InboxEntered(recipient=step.owner, push="shop/1", kind="order.paid")
    return Event(
        id=f"{step.name}/{step.owner}",
        source="read" if step.read else "entered",
        type="inbox.read" if step.read else "inbox.entered",
        subject=step.owner,
        time=at(step),
        data=msgspec.json.encode(data),
    )


async def fold(store: SimStore, log: Sequence[Event], rng: Random) -> None:
    """In batches of any size; some come again and are cut elsewhere, as after a crash."""
    decided = [decide(offset, event) for offset, event in enumerate(log)]
    start = 0
    while start < len(decided):
        size = rng.randint(1, 8)
        await apply_batch(store, LogId("inboxes", "c1", 0), decided[start : start + size])
        start = start + size if rng.random() < 0.7 else max(0, start - rng.randint(0, 5))


def decide(offset: int, event: Event) -> Decided:
    record = Record("inboxes", 0, offset, 0, event.subject.encode(), event.data, encode_headers(event))
    decided = PLANNER.decide(record)
    assert isinstance(decided, Decided), decided
    return decided
