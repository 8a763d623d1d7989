"""The pure parts of jobs: waits, reasons, ids, and the kinds that are found."""

from datetime import UTC, datetime

import pytest

from schemas.errors import BrokerAway
from stores.jobs import Job, Progress, State
from workers.commands.jobs import shown
from workers.jobs.kind import Hopeless, part_id
from workers.jobs.registry import kinds
from workers.jobs.runner import backoff_seconds, reason_of

JOB = Job(
    id="push/1", kind="push", owner="im/1", state=State.RUNNING, args={}, created_at=datetime(2026, 3, 1, tzinfo=UTC)
)


def test_a_step_that_fails_again_and_again_waits_longer_each_time_up_to_ten_minutes() -> None:
    assert [backoff_seconds(failures) for failures in range(1, 7)] == [5, 20, 80, 320, 600, 600]
    assert backoff_seconds(10_000) == 600


def test_the_reason_of_an_error_that_is_not_ours_is_its_place_for_its_text_may_hold_data() -> None:
    try:
        raise ValueError("alice's number is 7")
    except ValueError as error:
        reason = reason_of(error)

    assert "alice" not in reason
    assert reason.startswith("ValueError at test_the_reason_of")


@pytest.mark.parametrize("error", [Hopeless("the file has no rows"), BrokerAway("no connection to Kafka")])
def test_the_reason_of_an_error_of_ours_is_its_text(error: Exception) -> None:
    assert reason_of(error) == str(error)


def test_the_parts_of_a_job_have_ids_that_no_two_share() -> None:
    ids = {part_id(JOB, *parts) for parts in ((1,), (2,), ("a", "b"), ("a/b",), ("a%2Fb",), ("a", 1))}

    assert len(ids) == 6
    assert part_id(JOB, 1) == part_id(JOB, "1") == "push/1/1"


def test_every_kind_is_found_by_its_name() -> None:
    assert {"im_history", "im_figures"} <= kinds().keys()
    assert all(kind.name == name for name, kind in kinds().items())


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(), "0"),
        (Progress(1_234), "1,234"),
        (Progress(1_500, 6_000), "1,500 of 6,000 (25 %)"),
        (Progress(0, 0), "0 of 0 (100 %)"),
    ],
)
def test_progress_is_shown_to_people(progress: Progress, text: str) -> None:
    assert shown(progress) == text
