from datetime import UTC, datetime, time
from typing import Any

import msgspec
import pytest
from handler_events import an_event

from handlers.outcome import emitted_event
from handlers.routing import Known, Mention, Routed, Written, emits_of, route_push
from schemas.delivery import DeliveryPlanned
from schemas.endpoint import Endpoint
from schemas.inbox import InboxEntered
from schemas.preferences import ChannelRule, Preferences, QuietHours
from schemas.push import PushRequested

NOW = datetime(2026, 3, 6, 12, tzinfo=UTC)
EVENT = an_event()
TEXT = Written("Title", "Body")
CHANNELS = frozenset({"webhook", "dingtalk", "telegram", "email"})


def endpoint(key: str, channel: str = "webhook", **fields: Any) -> Endpoint:
    known = {"owner": "user/1", "url": "https://a.example/", "created_at": NOW, "updated_at": NOW}
    return Endpoint(id=key, channel=channel, **{**known, **fields})


def known(**fields: Any) -> Known:
    preferences = fields.pop("preferences", {})
    return Known(preferences=Preferences(recipient="user/1", **preferences), **fields)


def push(**fields: Any) -> PushRequested:
    return PushRequested(**{"recipient": "user/1", "kind": "detection.noticed", "title": "Title", **fields})


def routed(push: PushRequested, known: Known) -> Routed:
    return route_push(EVENT, push, TEXT, known, CHANNELS, NOW)


def ways(push: PushRequested, known: Known) -> list[tuple[str, str]]:
    return [(way.channel, way.target) for way in routed(push, known).ways]


EVERYWHERE = known(
    endpoints=(endpoint("ep_1"), endpoint("ep_2", "dingtalk")), chats=("77", "78"), email="a@example.com"
)


def test_a_push_goes_by_every_way_its_recipient_has() -> None:
    assert ways(push(), EVERYWHERE) == [
        ("webhook", "ep_1"),
        ("dingtalk", "ep_2"),
        ("telegram", "77"),
        ("telegram", "78"),
        ("email", "a@example.com"),
    ]


def test_a_rule_and_the_push_itself_narrow_the_ways() -> None:
    rules = (ChannelRule(kinds="detection.*", channels=("telegram", "email")), ChannelRule(kinds="*", channels=()))
    wishes = msgspec.structs.replace(EVERYWHERE, preferences=Preferences(recipient="user/1", rules=rules))

    assert ways(push(), wishes) == [("telegram", "77"), ("telegram", "78"), ("email", "a@example.com")]
    assert ways(push(channels=("email", "webhook")), wishes) == [("email", "a@example.com")]
    assert ways(push(kind="detectionist"), wishes) == []  # the family's dot counts; all else goes nowhere


def test_a_channel_that_is_not_set_up_is_no_way() -> None:
    found = route_push(EVENT, push(), TEXT, EVERYWHERE, frozenset({"webhook"}), NOW)

    assert [way.channel for way in found.ways] == ["webhook"]


def test_an_endpoint_takes_only_its_kinds_and_nothing_about_itself() -> None:
    endpoints = (endpoint("ep_1", kinds=("usage.*",)), endpoint("ep_2", kinds=("detection.*",)), endpoint("ep_3"))

    assert ways(push(except_endpoint="ep_3"), known(endpoints=endpoints)) == [("webhook", "ep_2")]


def test_a_disabled_endpoint_is_left_out_unless_the_push_is_for_it() -> None:
    disabled = endpoint("ep_1", enabled=False)

    assert ways(push(), known(endpoints=(disabled,))) == []
    assert ways(push(recipient="endpoint/ep_1"), known(endpoints=(disabled,))) == [("webhook", "ep_1")]


def test_a_push_to_an_endpoint_itself_reaches_it_whatever_kinds_it_takes() -> None:
    itself = endpoint("ep_1", kinds=("usage.*",))

    assert ways(push(recipient="endpoint/ep_1"), known(endpoints=(itself,))) == [("webhook", "ep_1")]
    assert ways(push(recipient="endpoint/ep_1", except_endpoint="ep_1"), known(endpoints=(itself,))) == []


def test_a_contact_is_mentioned_at_the_endpoint_that_serves_its_account() -> None:
    robot = endpoint("ep_9", "dingtalk", owner="user/agent", serves="dingding")
    both = known(mentions=(Mention(robot, "open-1"), Mention(robot, "open-2")))

    found = routed(push(recipient="contact/5"), both).ways
    assert [(way.target, way.mention) for way in found] == [("ep_9", "open-1"), ("ep_9", "open-2")]
    assert len({way.id for way in found}) == 2


def test_quiet_hours_hold_a_push_back_and_a_critical_one_passes() -> None:
    quiet = {"quiet_hours": QuietHours(start=time(11), end=time(14))}
    wishes = known(chats=("77",), preferences=quiet)

    [held] = routed(push(), wishes).ways
    [passed] = routed(push(urgency="critical"), wishes).ways
    assert held.not_before == datetime(2026, 3, 6, 14, tzinfo=UTC)
    assert held.digest is None
    assert passed.not_before is None


def test_pushes_of_one_window_by_one_way_are_one_digest() -> None:
    wishes = known(chats=("77", "78"), preferences={"digest_minutes": 10})
    first, second = (route_push(an_event(id=key), push(), TEXT, wishes, CHANNELS, NOW) for key in ("1", "2"))

    assert [way.digest for way in first.ways] == [way.digest for way in second.ways]
    assert len({way.digest for way in first.ways}) == 2
    assert {way.id for way in first.ways}.isdisjoint(way.id for way in second.ways)


def test_order_is_kept_within_a_target_where_asked_for() -> None:
    found = routed(push(ordered_by="conversation-1"), EVERYWHERE).ways
    ordered = routed(push(), known(endpoints=(endpoint("ep_1", ordered=True), endpoint("ep_2")))).ways

    assert [way.ordered_by for way in found][:3] == ["ep_1/conversation-1", "ep_2/conversation-1", "77/conversation-1"]
    assert [way.ordered_by for way in ordered] == ["ep_1/user/1", None]


def test_a_repeat_of_the_push_makes_the_same_deliveries() -> None:
    assert routed(push(), EVERYWHERE) == routed(push(), EVERYWHERE)


def test_every_push_lands_in_the_inbox_and_what_is_emitted_decodes() -> None:
    found = routed(push(fields={"n": 1}), EVERYWHERE)
    emits = emits_of(EVENT.identity, found)
    events = [emitted_event(EVENT, emit) for emit in emits]

    entry = msgspec.json.decode(events[0].data, type=InboxEntered)
    assert (entry.recipient, entry.push, entry.title, entry.fields) == ("user/1", EVENT.identity, "Title", {"n": 1})
    deliveries = [msgspec.json.decode(event.data, type=DeliveryPlanned) for event in events[1:]]
    assert [delivery.id for delivery in deliveries] == [way.id for way in found.ways]
    assert [event.subject for event in events[1:]] == [
        "webhook/ep_1",
        "dingtalk/ep_2",
        "telegram/all",
        "telegram/all",
        "email/all",
    ]
    assert len({event.id for event in events}) == len(events)


def test_what_is_kept_of_a_push_reads_back_the_same() -> None:
    found = routed(push(fields={"n": [1, {"a": None}]}), EVERYWHERE)

    assert msgspec.convert(msgspec.to_builtins(found, builtin_types=(datetime,)), Routed) == found


def test_a_recipient_is_one_of_the_kinds_that_there_are() -> None:
    with pytest.raises(msgspec.ValidationError, match="recipient"):
        msgspec.json.decode(b'{"recipient": "pigeon/1", "title": "t"}', type=PushRequested)
