"""Callbacks in, without a server: rules, identities, and what a state change makes of presence."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from config.settings import ImCallbackRule, ImCallbacksIn
from gateway.im.callbacks_in_auth import Gate
from gateway.im.callbacks_in_facts import Received, friends_fact, kept_fact, profile_fact, state_fact
from gateway.im.callbacks_in_messages import read_fact, sent_fact, withdrawn_fact
from gateway.im.callbacks_in_rules import decide, rules_of
from gateway.im.frame import Caller
from gateway.im.messages_changes import withdrawn_fact as recalled
from gateway.system import Call
from handlers.effects import Latest, Max
from handlers.im.callbacks import CALLBACKS, STATE_CHANGES, HearFriends, HearProfile, fold_state, keep_callback
from schemas.errors import Refused
from schemas.events import Event
from schemas.im.apps import App
from schemas.im.callbacks import (
    BEFORE_SEND,
    FRIEND_ADD,
    FRIEND_DELETE,
    PORTRAIT_SET,
    CallbackAnswer,
    CallbackReceived,
    FriendPairs,
    MessageReported,
    MessageTold,
    MessageUndone,
    Pair,
    PortraitChange,
    StateChange,
    StateChanged,
    sign,
)
from schemas.im.message import MessageKey, MessagesRead, message_id_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
APP = App("1400000001", "key", frozenset({"administrator"}))


def a_call(remote: str = "127.0.0.1", at: datetime = NOW, body: bytes = b"{}", **query: str) -> Call:
    return Call("POST", "/callbacks/im", query, {}, body, at, "trace", "parent", remote=remote)


def received(body: dict[str, Any], command: str = "Group.CallbackAfterX", at: datetime = NOW, **query: str) -> Received:
    return Received(APP, command, body, a_call(at=at, body=msgspec.json.encode(body), **query))


def a_message(*texts: str, sender: str = "bob") -> dict[str, Any]:
    elements = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}} for text in texts]
    return {"From_Account": sender, "To_Account": "al", "MsgBody": elements}


def answers(rules: list[dict[str, Any]], body: dict[str, Any], command: str = BEFORE_SEND) -> CallbackAnswer:
    return decide(rules_of([ImCallbackRule.model_validate(rule) for rule in rules]), command, body)


# ---- rules -----------------------------------------------------------------------------------------------------------


def test_without_rules_all_is_allowed_as_it_is() -> None:
    assert answers([], a_message("hi")) == CallbackAnswer()


def test_replacements_add_up_and_what_comes_after_sees_the_replaced_text() -> None:
    rules = [
        {"action": "replace", "words": ["a.b"], "replacement": "x"},
        {"action": "replace", "patterns": ["y+"], "replacement": "z"},
        {"action": "deny", "words": ["a.b"]},
    ]

    answer = answers(rules, a_message("A.B or ayb", "yy"))

    assert answer.error_code == 0
    assert [element["MsgContent"]["Text"] for element in answer.msg_body] == ["x or azb", "z"]


def test_of_words_that_begin_alike_the_longest_is_replaced() -> None:
    rules = [{"action": "replace", "words": ["dar", "Darn", "da"], "replacement": "-"}]

    assert answers(rules, a_message("darned dart")).msg_body[0]["MsgContent"]["Text"] == "-ed -t"


def test_a_replacement_is_text_and_no_pattern() -> None:
    rules = [{"action": "replace", "words": ["w"], "replacement": r"\0 \1 \\"}]

    assert answers(rules, a_message("w")).msg_body[0]["MsgContent"]["Text"] == r"\0 \1 \\"


def test_the_message_that_came_stays_as_it_is() -> None:
    message = a_message("w")

    answers([{"action": "replace", "words": ["w"]}], message)

    assert message == a_message("w")


def test_the_data_of_a_custom_element_is_looked_into_but_not_changed() -> None:
    body = {"MsgBody": [{"MsgType": "TIMCustomElem", "MsgContent": {"Data": '{"w":1}', "Desc": "w"}}]}

    assert answers([{"action": "deny", "words": ['"w"']}], body).error_code == 1
    replaced = answers([{"action": "replace", "words": ["w"]}], body).msg_body
    assert replaced[0]["MsgContent"] == {"Data": '{"w":1}', "Desc": "***"}


def test_a_rule_for_accounts_is_for_them_alone() -> None:
    rules = [{"action": "allow", "accounts": ["boss"]}, {"action": "deny"}]

    assert answers(rules, a_message("x", sender="boss")).error_code == 0
    assert answers(rules, a_message("x")).error_code == 1


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "deny", "code": 5},
        {"action": "deny", "code": 10100},  # a group's code for a message
        {"action": "allow", "code": 120001},
        {"action": "replace"},
        {"action": "replace", "words": ["w"], "commands": ["Group.CallbackBeforeCreateGroup"]},
        {"action": "deny", "patterns": ["("]},
        {"action": "deny", "patterns": [r"(a)\1"]},
        {"action": "deny", "patterns": ["x*"]},
        {"action": "deny", "commands": []},
        {"action": "deny", "commands": ["C2C.CallbackBeforeSendMessage"]},
        {"action": "deny", "commands": ["Group.CallbackAfterCreateGroup"]},
        {"action": "drop", "commands": [BEFORE_SEND, "C2C.CallbackAfterSendMsg"]},
    ],
)
def test_a_rule_that_cannot_be_carried_out_is_refused_with_the_settings(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ImCallbackRule.model_validate(rule)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(message=JSON, name=JSON, command=st.sampled_from([BEFORE_SEND, "Sns.CallbackPrevFriendAdd"]), items=JSON)
def test_whatever_a_body_holds_it_is_answered(message: Any, name: Any, command: str, items: Any) -> None:
    rules = [
        {"action": "replace", "words": ["a"], "commands": [BEFORE_SEND]},
        {"action": "deny", "patterns": ["b"], "commands": [BEFORE_SEND, "Sns.CallbackPrevFriendAdd"]},
    ]

    answer = answers(rules, {"MsgBody": message, "Name": name, "FriendItem": items}, command)

    assert msgspec.json.decode(msgspec.json.encode(answer))["ActionStatus"] == "OK"


# ---- who may send them -----------------------------------------------------------------------------------------------


def refusal(gate: Gate, call: Call) -> str | None:
    try:
        gate.check(call)
    except Refused as refused:
        return refused.reason
    return None


def test_token_and_address_must_both_hold_where_both_are_set() -> None:
    gate = Gate(ImCallbacksIn.model_validate({"token": SecretStr("t"), "allow_networks": ["192.0.2.0/24"]}))
    now = str(int(NOW.timestamp()))
    signed = {"RequestTime": now, "Sign": sign("t", now)}

    assert refusal(gate, a_call("192.0.2.9", **signed)) is None
    assert refusal(gate, a_call("::ffff:192.0.2.9", **signed)) is None
    assert refusal(gate, a_call("192.0.3.9", **signed)) == "forbidden"
    assert refusal(gate, a_call("not an address", **signed)) == "forbidden"
    assert refusal(gate, a_call("192.0.2.9")) == "unauthenticated"


def test_a_signature_holds_for_minutes_before_and_after_its_time() -> None:
    gate = Gate(ImCallbacksIn(token=SecretStr("t")))
    now = str(int(NOW.timestamp()))

    def at(seconds: int) -> str | None:
        return refusal(gate, a_call(at=NOW + timedelta(seconds=seconds), RequestTime=now, Sign=sign("t", now)))

    assert [at(-300), at(300), at(-301), at(301)] == [None, None, "stale", "stale"]
    assert refusal(gate, a_call(RequestTime="soon", Sign=sign("t", "soon"))) == "stale"


# ---- identities ------------------------------------------------------------------------------------------------------


def test_a_resend_is_the_same_fact_whatever_the_order_of_its_fields() -> None:
    first = received({"EventTime": 5, "GroupId": "g", "UnreadMsgNum": 1})
    again = received({"UnreadMsgNum": 2, "GroupId": "g", "EventTime": 5}, at=NOW + timedelta(days=1))

    assert kept_fact(first).id == kept_fact(again).id


def test_without_a_time_of_its_own_the_same_words_much_later_are_another_fact() -> None:
    body = {"PairList": [{"From_Account": "a", "To_Account": "b"}]}

    def at(seconds: int) -> str:
        return kept_fact(received(body, at=NOW + timedelta(seconds=seconds))).id

    assert at(0) == at(10) != at(86_400)


def test_apps_and_commands_are_kept_apart() -> None:
    body = {"EventTime": 5}
    facts = {kept_fact(received(body, command)).id for command in ("A.X", "A.Y")}
    other = Received(App("2", "k", frozenset()), "A.X", body, a_call())

    assert len(facts | {kept_fact(other).id}) == 3


def test_a_kept_callback_is_keyed_by_what_it_is_about() -> None:
    assert kept_fact(received({"GroupId": "a/b", "From_Account": "x"})).subject == "1400000001/a%2Fb"
    assert kept_fact(received({"PairList": [{"From_Account": "x"}]})).subject == "1400000001/x"
    assert kept_fact(received({"GroupId": 7})).subject == "1400000001/Group.CallbackAfterX"


def test_the_time_of_a_state_change_is_in_milliseconds() -> None:
    body = msgspec.convert(
        {"EventTime": 1629883332497, "Info": {"Action": "Login", "To_Account": "al", "Reason": "Register"}}, StateChange
    )

    fact = state_fact(received({}, OptPlatform="iOS"), body)

    assert fact.time == datetime(2021, 8, 25, 9, 22, 12, 497_000, tzinfo=UTC)
    assert fact.id == "state/1400000001/al/1629883332497/Login/iPhone"


TOLD = {
    "From_Account": "bob",
    "To_Account": "al",
    "MsgSeq": 1,
    "MsgRandom": 2,
    "MsgTime": int(NOW.timestamp()),
    "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hi"}}],
}


def told(**fields: Any) -> Event | None:
    body = TOLD | fields
    return sent_fact(received(body), msgspec.convert(body, MessageTold))


def test_a_message_seen_by_callback_is_the_fact_that_its_call_makes() -> None:
    fact = told()

    assert fact is not None
    assert fact.identity == message_id_of(APP.id, "bob", "al", MessageKey(1, 2, int(NOW.timestamp())))
    assert (fact.subject, fact.time) == ("1400000001/al/bob", NOW)
    assert told(UnreadMsgNum=9, SendMsgResult=80001) is None


def test_each_recall_is_a_fact_of_its_own_by_call_and_by_callback_for_one_told_early_must_hide_none() -> None:
    body = {"From_Account": "bob", "To_Account": "al", "MsgKey": "1_2_3"}
    undone = msgspec.convert(body, MessageUndone)
    told = [withdrawn_fact(received(body), undone) for _ in range(2)]
    called = [recalled(Caller(APP, "administrator", a_call()), "bob", "al", MessageKey(1, 2, 3)) for _ in range(2)]

    assert len({fact.identity for fact in told + called}) == 4
    assert {(fact.subject, fact.type, fact.data) for fact in told + called} == {
        (told[0].subject, told[0].type, told[0].data)
    }


def test_what_is_read_far_ahead_of_now_is_read_up_to_now() -> None:
    def up_to(seconds: int) -> datetime:
        body = {"Report_Account": "al", "Peer_Account": "bob", "LastReadTime": int(NOW.timestamp()) + seconds}
        fact = read_fact(received(body), msgspec.convert(body, MessageReported))
        return msgspec.json.decode(fact.data, type=MessagesRead).up_to

    assert up_to(0) == NOW + timedelta(milliseconds=999)
    assert up_to(3600) == NOW


def test_the_time_of_a_message_is_exact_where_the_callback_tells_it_and_it_fits() -> None:
    def at(milliseconds: int) -> datetime:
        fact = told(EventTime=int(NOW.timestamp() * 1000) + milliseconds)
        assert fact is not None
        return fact.time

    assert at(999) == NOW + timedelta(milliseconds=999)
    assert at(1000) == at(-1) == NOW


# ---- profiles and friends --------------------------------------------------------------------------------------------


def kept(fact: Event) -> tuple[Any, ...]:
    """What is done once such a fact is folded."""
    outcome = keep_callback(fact, msgspec.json.decode(fact.data, type=CallbackReceived))
    assert outcome.fact.collection == CALLBACKS
    return outcome.afterwards


def test_a_changed_profile_is_kept_and_heard_of_as_far_as_it_may_stand_in_one() -> None:
    items = {"Tag_Profile_IM_Nick": "n", "Tag_Profile_Custom_X": "x", "Tag_Profile_IM_Image": "\0"}
    item = [{"Tag": tag, "Value": value} for tag, value in items.items()]
    body = {"From_Account": "al", "EventTime": 5, "ProfileItem": item}
    fact = profile_fact(received(body, PORTRAIT_SET), msgspec.convert(body, PortraitChange))

    at = datetime(1970, 1, 1, 0, 0, 0, 5_000, tzinfo=UTC)
    assert kept(fact) == (HearProfile(APP.id, "al", {"Tag_Profile_IM_Nick": "n"}, at),)


@pytest.mark.parametrize("command", [FRIEND_ADD, FRIEND_DELETE])
def test_friends_are_kept_and_heard_of_with_those_who_are_accounts_by_the_settings(command: str) -> None:
    pairs = [{"From_Account": "administrator", "To_Account": "b", "Initiator_Account": "b"}]
    body = {"PairList": pairs, "Admin_Account": "administrator", "ForceFlag": 1}
    fact = friends_fact(received(body, command), msgspec.convert(body, FriendPairs))

    assert kept(fact) == (
        HearFriends(
            cause=fact.identity,
            app=APP.id,
            made=command == FRIEND_ADD,
            pairs=(Pair(from_account="administrator", to_account="b", initiator_account="b"),),
            admins=frozenset({"administrator"}),
            admin="administrator",
            forced=True,
            at=NOW,
            traceparent="parent",
        ),
    )


@pytest.mark.parametrize("body", [{}, {"PairList": 5}, {"PairList": [{"From_Account": "a"}]}, {"ProfileItem": []}])
@pytest.mark.parametrize("command", [FRIEND_ADD, PORTRAIT_SET])
def test_what_lacks_a_part_is_kept_alone(command: str, body: dict[str, Any]) -> None:
    assert kept(kept_fact(received(body, command))) == ()


# ---- presence --------------------------------------------------------------------------------------------------------


def folded(action: Any, platform: str, *kicked: str) -> dict[str, Any]:
    """Status by platform; `ended_at` where all ended."""
    changed = StateChanged(account="1/al", action=action, platform=platform, kicked=kicked)
    fact = state_fact(
        received({}), msgspec.convert({"EventTime": 1, "Info": {"Action": action, "To_Account": "al"}}, StateChange)
    )
    outcome = fold_state(fact, changed)
    assert outcome.fact.collection == STATE_CHANGES
    effect = outcome.effects[0]
    return {
        name: value.value["status"] if isinstance(value, Latest) else type(value)
        for name, value in effect.change.items()
    }


def test_a_login_may_throw_out_another_device_of_its_own_platform() -> None:
    assert folded("Login", "iPhone", "iPhone", "PC") == {"platforms.iPhone": "Online", "platforms.PC": "Offline"}


def test_a_lost_connection_leaves_a_phone_reachable_by_push_and_a_browser_gone() -> None:
    assert folded("Disconnect", "Android") == {"platforms.Android": "PushOnline"}
    assert folded("Disconnect", "Web") == {"platforms.Web": "Offline"}


def test_a_logout_by_the_api_ends_all_logins() -> None:
    assert folded("Logout", "RESTAPI") == {"ended_at": Max}
