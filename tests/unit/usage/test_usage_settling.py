"""Free calls while something is in the way: what an attempt took and did not give is there for the next one."""

from random import Random

import pytest

from handlers.products.prices import Terms
from schemas.errors import Transient
from schemas.events import Event, LogId, Record
from schemas.usage import UsageRecorded
from stores.usage.settling import Heard, Settler, calls
from tests.simulation.sim_store import SimStore
from tests.simulation.turns import AsyncioTurns
from tests.simulation.usage.records import SimRecords
from tests.unit.usage.calls import DEPT, NOON, a_book, a_call, a_grant

LOG = LogId("usage", "c1", 0)


def heard(offset: int) -> Heard:
    usage = UsageRecorded(seq_no=f"s{offset}", dept_id=DEPT, check_item="id", success=1)
    event = Event(f"e{offset}", "test", "usage.recorded", str(DEPT), NOON, b"{}")
    return Heard(Record("usage", 0, offset, 0, b"1", b"{}", ()), event, usage, a_call())


async def test_calls_that_wait_for_the_key_of_personal_data_keep_their_free_ones() -> None:
    book = a_book(a_grant("id", Terms(300), free_count=2))
    waits = [True, True]

    def protect(_usage: UsageRecorded, _day: str) -> dict[str, object]:
        if waits:
            waits.pop()
            raise Transient("no key")
        return {}

    settler = Settler(SimRecords(SimStore(AsyncioTurns(), Random(1))), protect)
    for _ in range(2):
        with pytest.raises(Transient):
            await settler.settle(LOG, [heard(0), heard(1), heard(2)], book)

    settled = await settler.settle(LOG, [heard(0), heard(1), heard(2)], book)

    assert [call.rated.free_no for call in calls(settled)] == [1, 2, None]
