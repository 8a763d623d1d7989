"""Deliveries over HTTP: found again, tried again, cancelled."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from desk_api import (
    NOW,
    Installation,
    PushApi,
    a_delivery,
    insert,
    installed,
    operations,
    with_push,
)
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from tg_api import serving, unready

from config.settings import MongoSettings, Settings
from schemas.delivery import State
from stores.collections import DELIVERIES
from stores.cursors import Cursor
from stores.delivery_desk import DeliveryDesk, Which
from workers.embedded.ports import LOOPBACK, free_port


@pytest.fixture(scope="module")
async def desk(shared_settings: Settings) -> AsyncIterator[Installation]:
    async with installed(with_push(shared_settings)) as installation:
        yield installation


@pytest.fixture
async def api(desk: Installation) -> PushApi:
    """With no deliveries from another test."""
    await desk.database[DELIVERIES].delete_many({})
    return desk.api


async def kept(desk: Installation, delivery_id: str) -> dict[str, Any]:
    document = await desk.database[DELIVERIES].find_one({"_id": delivery_id})
    assert document is not None
    return document


async def listed(api: PushApi, limit: int = 50, **query: str) -> list[str]:
    """The ids on all pages."""
    ids: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = await api.get("/deliveries", limit=str(limit), **query, **after)
        assert len(page["deliveries"]) <= limit
        ids += [each["id"] for each in page["deliveries"]]
        if page["next"] is None:
            return ids
        after = {"after": page["next"]}


# ---- looking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(State))
async def test_a_delivery_is_shown_whole_and_in_a_list_without_its_text(
    desk: Installation, api: PushApi, state: State
) -> None:
    [delivery_id] = await insert(desk.database, a_delivery(state))

    whole = await api.get(f"/deliveries/{delivery_id}")
    [row] = (await api.get("/deliveries"))["deliveries"]

    assert (whole["id"], whole["state"], whole["body"], whole["fields"]) == (
        delivery_id,
        state,
        "Order 1 is paid",
        {"order": 1},
    )
    assert "body" not in row
    assert row["last_attempt"] == (whole["attempts"][-1] if whole["attempts"] else None)
    assert {name: row[name] for name in row.keys() & whole.keys()} == {
        name: whole[name] for name in row.keys() & whole.keys()
    }


async def test_attempts_are_shown_oldest_first_with_what_was_answered(desk: Installation, api: PushApi) -> None:
    attempts = [
        {"at": NOW, "outcome": "retry", "seconds": 15.0, "response": "no answer within 15 s"},
        {"at": NOW + timedelta(seconds=5), "outcome": "retry", "seconds": 0.5, "status": 503},
    ]
    [delivery_id] = await insert(desk.database, a_delivery(State.WAITING, attempts=attempts))

    assert (await api.get(f"/deliveries/{delivery_id}"))["attempts"] == [
        {
            "at": "2096-03-01T12:00:00Z",
            "outcome": "retry",
            "seconds": 15.0,
            "status": None,
            "response": "no answer within 15 s",
        },
        {"at": "2096-03-01T12:00:05Z", "outcome": "retry", "seconds": 0.5, "status": 503, "response": None},
    ]


async def test_deliveries_are_listed_newest_first_by_every_filter_and_all_of_them_together(
    desk: Installation, api: PushApi
) -> None:
    def ago(minutes: int) -> dict[str, Any]:
        return {"requested_at": NOW - timedelta(minutes=minutes)}

    robot = {"channel": "dingtalk", "target": "ep_2", "lane": "dingtalk/ep_2"}
    mail = {"channel": "email", "target": "a@example.com", "lane": "email/all", "recipient": "customer/77"}
    a, b, c, d, e = await insert(
        desk.database,
        a_delivery(State.DELIVERED, **ago(5)),
        a_delivery(State.DEAD, **ago(4), kind="detection.noticed"),
        a_delivery(State.WAITING, **ago(3), **robot),
        a_delivery(State.PARKED, **ago(2), recipient="customer/77"),
        a_delivery(State.CANCELLED, **ago(1), **mail),
    )

    assert await listed(api) == [e, d, c, b, a]
    for asked, found in (
        ({"state": "delivered"}, [a]),
        ({"state": "dead"}, [b]),
        ({"state": "waiting"}, [c]),
        ({"state": "parked"}, [d]),
        ({"state": "cancelled"}, [e]),
        ({"channel": "webhook"}, [d, b, a]),
        ({"recipient": "customer/77"}, [e, d]),
        ({"endpoint": "ep_1"}, [d, b, a]),
        ({"endpoint": "ep_2"}, [c]),
        ({"endpoint": "ep_2", "channel": "webhook"}, []),
        ({"endpoint": "ep_3"}, []),
        ({"kind": "detection.noticed"}, [b]),
        ({"since": "2096-03-01T11:57:00Z"}, [e, d, c]),
        ({"until": "2096-03-01T11:57:00Z"}, [b, a]),
        ({"since": "2096-03-01T19:56:00+08:00", "until": "2096-03-01T11:58:00Z"}, [c, b]),
        ({"since": "2096-03-01T11:58:00Z", "until": "2096-03-01T11:57:00Z"}, []),
        ({"recipient": "user/7", "state": "dead"}, [b]),
        ({"endpoint": "ep_1", "state": "parked", "recipient": "customer/77", "channel": "webhook"}, [d]),
    ):
        for limit in (1, 2, 50):
            assert await listed(api, limit, **asked) == found, asked


# Few instants, so that many were asked for at the same one, and a page may end within it.
minutes_and_states = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(list(State)), st.sampled_from("ab")), max_size=25
)


@effort(max_examples=40, deadline=None)
@given(
    made=minutes_and_states,
    limit=st.integers(1, 7),
    state=st.none() | st.sampled_from(list(State)),
    since=st.none() | st.integers(0, 3),
    until=st.none() | st.integers(0, 3),
    recipient=st.none() | st.sampled_from("ab"),
)
async def test_all_pages_together_are_all_deliveries_once_in_order(
    desk: Installation,
    made: list[tuple[int, State, str]],
    limit: int,
    state: State | None,
    since: int | None,
    until: int | None,
    recipient: str | None,
) -> None:
    def at(minute: int | None) -> Any:
        return None if minute is None else NOW + timedelta(minutes=minute)

    await desk.database[DELIVERIES].delete_many({})
    documents = [a_delivery(state, requested_at=at(minute), recipient=f"user/{who}") for minute, state, who in made]
    if documents:
        await insert(desk.database, *documents)
    which = Which(
        state=state, since=at(since), until=at(until), recipient=None if recipient is None else f"user/{recipient}"
    )

    found, after = list[str](), None
    deliveries = DeliveryDesk(desk.database)
    while page := await deliveries.page(which, after=after, limit=limit):
        assert len(page) <= limit
        found += [each.id for each in page]
        after = Cursor.parse(str(Cursor(page[-1].requested_at, page[-1].id)))

    chosen = [
        document
        for document in documents
        if state in (None, document["state"])
        and (since is None or document["requested_at"] >= at(since))
        and (until is None or document["requested_at"] < at(until))
        and which.recipient in (None, document["recipient"])
    ]
    order = sorted(chosen, key=lambda document: (document["requested_at"], document["_id"]), reverse=True)
    assert found == [document["_id"] for document in order]


async def test_what_is_delivered_while_somebody_turns_pages_is_not_shown_twice(
    desk: Installation, api: PushApi
) -> None:
    ids = await insert(desk.database, *(a_delivery(requested_at=NOW + timedelta(minutes=n)) for n in range(4)))
    page = await api.get("/deliveries", limit="2")
    await insert(desk.database, a_delivery(requested_at=NOW + timedelta(minutes=9)))
    await desk.database[DELIVERIES].delete_one({"_id": ids[2]})  # the last that was shown

    rest = await api.get("/deliveries", limit="2", after=page["next"])

    assert [each["id"] for each in rest["deliveries"]] == [ids[1], ids[0]]


# ---- deciding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.DEAD, State.CANCELLED])
async def test_what_was_given_up_is_tried_again_from_the_start_of_its_schedule(
    desk: Installation, api: PushApi, state: State
) -> None:
    made = await api.register()
    document = a_delivery(state, made["id"], failures=8, ordered_by=f"{made['id']}/conversation-1")
    [delivery_id] = await insert(desk.database, document)

    answered = (await api.told("POST", f"/deliveries/{delivery_id}/retry")).body

    assert (answered["state"], answered["failures"], answered["reason"]) == ("waiting", 0, None)
    after = await kept(desk, delivery_id)
    assert after.pop("due_at") is not None
    expected = {**document, "state": "waiting", "failures": 0, "ordered_open": document["ordered_by"]}
    del expected["reason"], expected["finished_at"]
    assert after == expected


async def test_one_that_waits_is_due_now_and_its_schedule_goes_on(desk: Installation, api: PushApi) -> None:
    made = await api.register()
    [delivery_id] = await insert(desk.database, a_delivery(State.WAITING, made["id"], due_at=NOW + timedelta(days=999)))

    answered = (await api.told("POST", f"/deliveries/{delivery_id}/retry")).body

    assert (answered["state"], answered["failures"]) == ("waiting", 1)
    assert (await kept(desk, delivery_id))["due_at"] < NOW + timedelta(days=999)


@pytest.mark.parametrize("state", [State.WAITING, State.PARKED])
async def test_what_is_open_can_be_cancelled_and_holds_up_its_order_no_more(
    desk: Installation, api: PushApi, state: State
) -> None:
    [delivery_id] = await insert(desk.database, a_delivery(state, ordered_by="ep_1/c", ordered_open="ep_1/c"))

    answered = (await api.told("POST", f"/deliveries/{delivery_id}/cancel")).body

    assert (answered["state"], answered["reason"], answered["due_at"]) == ("cancelled", "by_request", None)
    assert answered["finished_at"] is not None
    assert "ordered_open" not in await kept(desk, delivery_id)


@pytest.mark.parametrize(
    ("operation", "state"),
    [
        ("retry", State.DELIVERED),
        ("retry", State.PARKED),
        ("cancel", State.DELIVERED),
        ("cancel", State.DEAD),
        ("cancel", State.CANCELLED),
    ],
)
async def test_a_decision_that_comes_too_late_is_refused_and_changes_nothing(
    desk: Installation, api: PushApi, operation: str, state: State
) -> None:
    made = await api.register()
    document = a_delivery(state, made["id"])
    [delivery_id] = await insert(desk.database, document)

    assert f"is {state}" in await api.refused("conflict", "POST", f"/deliveries/{delivery_id}/{operation}")
    assert await kept(desk, delivery_id) == document


async def test_nothing_is_tried_again_at_an_endpoint_that_would_not_be_tried(desk: Installation, api: PushApi) -> None:
    made = await api.register()
    [delivery_id] = await insert(desk.database, a_delivery(State.DEAD, made["id"]))
    path = f"/deliveries/{delivery_id}/retry"

    await api.told("POST", f"/endpoints/{made['id']}/disable", {"reason": "moving house"})
    assert "disabled (moving house)" in await api.refused("conflict", "POST", path)
    await api.told("DELETE", f"/endpoints/{made['id']}", status=204)
    assert "deleted" in await api.refused("conflict", "POST", path)
    assert (await kept(desk, delivery_id))["state"] == "dead"


async def test_where_the_target_is_no_endpoint_there_is_none_to_ask(desk: Installation, api: PushApi) -> None:
    mail = {"channel": "email", "target": "a@example.com", "lane": "email/all"}
    [delivery_id] = await insert(desk.database, a_delivery(State.DEAD, **mail))

    assert (await api.told("POST", f"/deliveries/{delivery_id}/retry")).body["state"] == "waiting"


# ---- refusals -------------------------------------------------------------------------------------------------------

BY_ID = [("GET", ""), ("POST", "/retry"), ("POST", "/cancel")]


async def test_a_delivery_that_there_is_not_is_not_found_by_any_operation(api: PushApi) -> None:
    for method, suffix in BY_ID:
        assert "dl_none" in await api.refused("not_found", method, f"/deliveries/dl_none{suffix}")
    await api.refused("not_found", "GET", "/deliveries/dl_none/attempts")
    await api.refused("method_not_allowed", "DELETE", "/deliveries/dl_none")


@pytest.mark.parametrize(
    "query",
    [
        {"state": "alive"},
        {"since": "yesterday"},
        {"since": "2096-03-01T12:00:00"},
        {"until": "999999d"},
        {"after": "dl_1"},
        {"after": "2096-03-01T12:00:00Z~"},
        {"limit": "501"},
        {"limit": "-1"},
        {"target": "ep_1"},
        {"State": "dead"},
    ],
)
async def test_a_question_that_means_nothing_is_refused(api: PushApi, query: dict[str, str]) -> None:
    assert next(iter(query)) in await api.refused("bad_field", "GET", "/deliveries", **query)


async def test_nobody_without_a_known_token_is_let_in(desk: Installation, api: PushApi) -> None:
    [delivery_id] = await insert(desk.database, a_delivery(State.WAITING))
    stranger = PushApi(api.http, "another")
    await stranger.refused("unauthenticated", "GET", "/deliveries")
    for method, suffix in BY_ID:
        await stranger.refused("unauthenticated", method, f"/deliveries/{delivery_id}{suffix}")
    assert (await kept(desk, delivery_id))["state"] == "waiting"


async def test_without_tokens_the_missing_setting_is_named(shared_settings: Settings) -> None:
    async with serving(with_push(shared_settings, tokens=[])) as http:
        assert "FANFOLD_PUSH__TOKENS" in await PushApi(http).refused("not_configured", "GET", "/deliveries")


async def test_while_the_store_is_away_callers_are_told_so(shared_settings: Settings) -> None:
    nowhere = MongoSettings.model_validate({"uri": f"mongodb://{LOOPBACK}:{free_port()}/", "timeout_seconds": 0.05})
    async with unready(with_push(shared_settings).model_copy(update={"mongo": nowhere})) as http:
        api = PushApi(http)
        await api.refused("store_away", "GET", "/deliveries")
        for method, suffix in BY_ID[1:]:
            await api.refused("store_away", method, f"/deliveries/dl_1{suffix}")


async def test_every_operation_answers_as_the_contract_says(
    desk: Installation, api: PushApi, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await api.register()
    waiting, parked = await insert(
        desk.database, a_delivery(State.WAITING, made["id"]), a_delivery(State.PARKED, made["id"])
    )
    await api.told("GET", "/deliveries")
    await api.told("GET", f"/deliveries/{waiting}")
    await api.told("POST", f"/deliveries/{waiting}/retry")
    await api.told("POST", f"/deliveries/{parked}/cancel")

    known = operations("/deliveries")
    answered = known & api.answered
    with capsys.disabled():
        print(f"\ndeliveries contract: {len(answered)} of {len(known)} operations answered as it says")  # noqa: T201
    assert answered == known
