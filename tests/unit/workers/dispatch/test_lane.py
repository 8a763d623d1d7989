from datetime import UTC, datetime
from typing import Any

from handlers.poison import PoisonGauge
from schemas.delivery import DeliveryPlanned, State
from schemas.events import LogId
from workers.dispatch.breaker import Breaker
from workers.dispatch.lane import Job, Lane, Limits
from workers.reader import Holding

HOLDING = Holding(LogId("deliveries", "c1", 0), PoisonGauge(run=5, window=5, share=0.5), 0)


def a_lane(concurrency: int = 2, rate: float | None = None, waiting_most: int = 4) -> Lane:
    return Lane("webhook/ep_1", HOLDING, Breaker(3, 30.0), Limits(concurrency, rate), waiting_most)


def a_job(number: int, since: float = 0.0, stored: State | None = None, **fields: Any) -> Job:
    planned = DeliveryPlanned(
        id=f"dl_{number}",
        lane="webhook/ep_1",
        push=f"p/{number}",
        recipient="user/1",
        channel="webhook",
        target="ep_1",
        kind="message",
        title="t",
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        **fields,
    )
    return Job(planned, HOLDING, number, 100, since, stored=stored)


def end(lane: Lane, job: Job, *, open_still: bool = False) -> None:
    lane.answered(0.01)
    lane.ended(job, open_still=open_still)


def start(lane: Lane, now: float = 0.0) -> list[Job]:
    """All that may start now."""
    started = []
    while (job := lane.next_job(now)) is not None:
        lane.started(job, now)
        started.append(job)
    return started


def ids(jobs: list[Job]) -> list[str]:
    return [job.id for job in jobs]


def test_no_more_attempts_at_once_than_its_endpoint_allows() -> None:
    lane = a_lane(concurrency=2)
    lane.queue.extend(a_job(number) for number in range(4))

    first, second = start(lane)
    assert (first.id, second.id) == ("dl_0", "dl_1")
    end(lane, first)
    assert ids(start(lane)) == ["dl_2"]


def test_no_more_a_second_than_its_endpoint_allows() -> None:
    lane = a_lane(concurrency=9, rate=2.0)
    lane.queue.extend(a_job(number) for number in range(3))

    assert ids(start(lane, now=10.0)) == ["dl_0"]
    assert lane.woken_at == 10.5
    assert ids(start(lane, now=10.5)) == ["dl_1"]
    assert ids(start(lane, now=10.9)) == []
    assert ids(start(lane, now=11.0)) == ["dl_2"]


def test_one_order_leaves_one_after_another_and_holds_up_no_other() -> None:
    lane = a_lane(concurrency=9)
    lane.queue.extend([a_job(0, ordered_by="a"), a_job(1, ordered_by="a"), a_job(2, ordered_by="b"), a_job(3)])

    first, *others = start(lane)
    assert ids(others) == ["dl_2", "dl_3"]
    end(lane, first)
    assert ids(start(lane)) == ["dl_1"]


def test_one_that_will_be_tried_again_goes_on_holding_up_its_order() -> None:
    lane = a_lane(concurrency=9)
    lane.queue.extend([a_job(0, ordered_by="a"), a_job(1, ordered_by="a")])
    [first] = start(lane)
    end(lane, first, open_still=True)

    assert start(lane) == []
    assert ids(lane.take_blocked("a")) == ["dl_1"]
    again = a_job(0, stored=State.WAITING, ordered_by="a")
    lane.queue.append(again)
    assert ids(start(lane)) == ["dl_0"]
    end(lane, again)
    assert lane.spilled  # those of its order stand in the store


def test_nothing_new_overtakes_what_is_parked() -> None:
    lane = a_lane()
    assert lane.has_room()
    lane.spilled = True
    assert not lane.has_room()


def test_a_full_lane_takes_no_more_into_memory() -> None:
    lane = a_lane(waiting_most=2)
    lane.queue.extend([a_job(0), a_job(1)])

    assert not lane.has_room()


def test_parked_ones_are_fetched_when_few_are_left_and_never_while_others_are_being_parked() -> None:
    lane = a_lane(waiting_most=4)
    assert lane.wants_more() == 0
    lane.spilled = True
    assert lane.wants_more() == 4
    lane.queue.extend([a_job(0), a_job(1), a_job(2)])
    assert lane.wants_more() == 0
    lane.queue.pop()
    assert lane.wants_more() == 2
    lane.parking = 1
    assert lane.wants_more() == 0


def test_a_lane_left_alone_is_tried_with_one_delivery_at_a_time() -> None:
    lane = a_lane(concurrency=9)
    for _ in range(3):
        lane.breaker.failed(0.0)

    assert lane.has_room()
    lane.queue.append(a_job(0))
    assert not lane.has_room()
    assert start(lane, now=1.0) == []
    assert lane.woken_at == 30.0
    assert ids(start(lane, now=30.0)) == ["dl_0"]


def test_what_has_stood_too_long_goes_into_the_store_with_all_behind_it_in_its_order() -> None:
    lane = a_lane(waiting_most=9)
    lane.queue.extend(
        [
            a_job(0, since=0.0, ordered_by="a"),
            a_job(1, since=9.0, ordered_by="a"),
            a_job(2, since=9.0, ordered_by="b"),
            a_job(3, since=9.0),
            a_job(4, since=0.0, stored=State.PARKED),
        ]
    )

    assert ids(lane.take_stale(before=5.0)) == ["dl_0", "dl_1"]
    assert ids(list(lane.queue)) == ["dl_2", "dl_3", "dl_4"]


def test_a_lane_with_nothing_to_do_or_to_remember_may_be_forgotten() -> None:
    lane = a_lane()
    assert lane.idle
    lane.queue.append(a_job(0, ordered_by="a"))
    [job] = start(lane)
    assert not lane.idle
    end(lane, job, open_still=True)
    assert not lane.idle
