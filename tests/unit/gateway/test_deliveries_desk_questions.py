"""What is asked of a list of deliveries."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery_desk import instant, which
from gateway.questions import only, page_size, truth
from schemas.delivery import State
from schemas.errors import Refused
from schemas.times import EARLIEST, LATEST
from stores.delivery_desk import Cursor

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-01T12:00:00Z", NOW),
        ("2026-03-01T20:00:00+08:00", NOW),
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("0s", NOW),
    ],
)
def test_a_time_is_given_as_such_or_as_how_long_ago(text: str, meant: datetime) -> None:
    assert instant(text, "since", NOW) == meant


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-03-01T12:00:00", "2026-03-01", "2h30m", "-2h", "h", "2w", "1799-01-01T00:00:00Z"]
)
def test_what_is_no_time_is_refused_under_its_name(text: str) -> None:
    with pytest.raises(Refused, match=r"^since: ") as refused:
        instant(text, "since", NOW)

    assert refused.value.reason == "bad_field"


def test_how_long_ago_may_lie_before_any_delivery() -> None:
    assert instant("500000d", "since", NOW).year < 1000


def test_the_deliveries_of_an_endpoint_are_found_by_its_lane_whatever_its_channel() -> None:
    lanes = which({"endpoint": "ep_1"}, NOW).lanes

    assert lanes is not None
    assert {"webhook/ep_1", "dingtalk/ep_1", "apprise/ep_1"} <= set(lanes)
    assert which({"endpoint": "ep_1", "channel": "webhook"}, NOW).filter == {
        "channel": "webhook",
        "lane": "webhook/ep_1",
    }


def test_what_was_given_up_is_asked_for_by_the_index_that_holds_it() -> None:
    assert which({"state": "dead"}, NOW).filter == {"state": "dead", "reason": {"$exists": True}}
    assert which({"state": "waiting"}, NOW).filter == {"state": "waiting"}


@pytest.mark.parametrize("state", ["", "alive", "Dead"])
def test_a_state_that_there_is_not_is_refused_and_those_there_are_named(state: str) -> None:
    with pytest.raises(Refused, match=f"state is one of {', '.join(State)}"):
        which({"state": state}, NOW)


@given(
    at=st.integers(0, int((LATEST - EARLIEST).total_seconds() * 1000) - 1).map(
        lambda milliseconds: EARLIEST + timedelta(milliseconds=milliseconds)
    ),
    delivery_id=st.text(min_size=1),
)
def test_a_place_in_the_list_is_read_as_it_was_written(at: datetime, delivery_id: str) -> None:
    assert Cursor.parse(str(Cursor(at, delivery_id))) == Cursor(at, delivery_id)


@pytest.mark.parametrize("text", ["", "~", "dl_1", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z~", "then~dl_1"])
def test_what_is_no_place_in_the_list_raises(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Cursor.parse(text)


def test_a_filter_that_there_is_not_is_refused_and_those_there_are_named() -> None:
    only({"state": "dead"}, ("state", "limit"))
    with pytest.raises(Refused, match="no such filter: stat; there are limit, state"):
        only({"stat": "dead"}, ("state", "limit"))


@pytest.mark.parametrize("text", ["0", "501", "-1", "1.5", "", "many", "\u0661", "9" * 5000])
def test_a_page_has_a_size_within_its_bounds(text: str) -> None:
    assert page_size({}, 500) == 50
    assert page_size({"limit": "500"}, 500) == 500
    with pytest.raises(Refused, match="limit is a number from 1 to 500"):
        page_size({"limit": text}, 500)


def test_a_truth_is_written_true_or_false() -> None:
    assert (truth({}, "enabled"), truth({"enabled": "true"}, "enabled"), truth({"enabled": "false"}, "enabled")) == (
        None,
        True,
        False,
    )
    with pytest.raises(Refused, match="enabled is true or false"):
        truth({"enabled": "1"}, "enabled")
