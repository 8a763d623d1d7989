"""The parts of the frame: envelopes, paces, the life of a signature."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import ImSettings
from gateway.body import Typed
from gateway.im.apps import apps_of
from gateway.im.envelope import ImEnvelope, SomeFailed, field_in
from gateway.im.frame import Caller, Command, Frame
from gateway.im.pace import Pace
from gateway.im.services import CONFIG, NONE, OPENIM, PROFILE, SNS
from gateway.system import Call, Reply
from schemas.errors import Refused
from schemas.im import usersig
from schemas.im.bodies import Fields, Nothing, Request
from schemas.im.codes import CODES, Failed
from schemas.refusals import REASONS

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Sent(Fields, frozen=True, kw_only=True):
    msg_time: int
    msg_key: str


class Body(Request, frozen=True, kw_only=True):
    to_account: tuple[str, ...]
    msg_random: int
    inner: dict[str, int] | None = None


SENT = Sent(msg_time=7, msg_key="1_2_7")


def whole(envelope: ImEnvelope, data: Any = None) -> dict[str, Any]:
    return json.loads(envelope.succeed(data, 200).body)


def refusal(envelope: ImEnvelope, refused: Refused) -> dict[str, Any]:
    answer = envelope.refuse(refused)
    assert answer.status == 200
    return json.loads(answer.body)


def test_each_service_wraps_its_answers_in_its_own_way() -> None:
    assert whole(ImEnvelope(OPENIM)) == {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": ""}
    assert whole(ImEnvelope(SNS)) == {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "", "ErrorDisplay": ""}
    assert whole(ImEnvelope(CONFIG, "OK")) == {"ErrorCode": 0, "ErrorInfo": "OK"}


def test_the_fields_of_an_answer_stand_beside_the_envelopes() -> None:
    fields = {"MsgTime": 7, "MsgKey": "1_2_7"}
    good = {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": ""}

    assert whole(ImEnvelope(OPENIM), SENT) == {**good, **fields}
    assert whole(ImEnvelope(OPENIM), SomeFailed(SENT)) == {**good, "ActionStatus": "SomeError", **fields}
    assert refusal(ImEnvelope(OPENIM), Failed(90012, fields=SENT)) == {
        "ActionStatus": "FAIL",
        "ErrorCode": 90012,
        "ErrorInfo": "To_Account is not registered",
        **fields,
    }


def test_every_reason_has_a_code_that_the_api_knows() -> None:
    for service in (OPENIM, PROFILE, SNS, CONFIG, NONE):
        for reason in REASONS:
            told = refusal(ImEnvelope(service), Refused(reason, "said"))
            assert told["ErrorCode"] in CODES, (service, reason)
            assert told["ErrorInfo"] == "said"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"MsgRandom": 1}, 90003),
        ({"To_Account": [7], "MsgRandom": 1}, 90003),
        ({"To_Account": "x", "MsgRandom": 1}, 90003),
        ({"To_Account": ["x"]}, 90005),
        ({"To_Account": ["x"], "MsgRandom": "1"}, 90005),
        ({"To_Account": ["x"], "MsgRandom": 1, "Inner": {"a": "b"}}, 90010),
        ({"To_Account": ["x"], "MsgRandom": 1, "Inner": {"$a": 1}}, 90010),
        ([], 90010),
    ],
)
def test_a_field_that_is_missing_or_wrong_has_its_own_code(body: Any, code: int) -> None:
    """Held against what msgspec says, which is all that tells which field it was."""
    envelope = ImEnvelope(OPENIM, field_codes={"To_Account": 90003, "MsgRandom": 90005})

    with pytest.raises(Refused) as refused:
        Typed(Body).validate(body)

    assert refusal(envelope, refused.value)["ErrorCode"] == code


def test_a_message_that_names_no_field_is_about_none() -> None:
    assert field_in("NUL in the query") is None


def test_a_failure_is_counted_by_its_codes_reason_and_an_apps_own_code_is_allowed() -> None:
    assert (Failed(70001).reason, str(Failed(70001))) == ("stale", "UserSig expired")
    assert (Failed(120007).reason, str(Failed(120007, "not here"))) == ("forbidden", "not here")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(limit=st.integers(1, 300), waits=st.lists(st.floats(0, 0.5), max_size=200))
def test_in_no_second_are_more_than_two_seconds_worth_let_in(limit: int, waits: list[float]) -> None:
    clock = Clock()
    pace, admitted = Pace(clock), []
    for wait in waits:
        clock.now += wait
        if pace.admit("key", limit):
            admitted.append(clock.now)

    for start in admitted:
        assert sum(start <= at < start + 1 for at in admitted) <= 2 * limit


def test_a_second_takes_as_many_calls_as_the_limit_says_and_each_key_has_its_own() -> None:
    clock = Clock()
    pace = Pace(clock)

    assert sum(pace.admit("a", 200) for _ in range(1000)) == 200
    assert pace.admit("b", 200)
    clock.now += 0.5
    assert sum(pace.admit("a", 200) for _ in range(1000)) == 100


def test_no_limit_is_no_limit() -> None:
    pace = Pace(Clock())

    assert all(pace.admit("a", 0) for _ in range(1000))


SETTINGS = ImSettings.model_validate({"apps": {"14": {"key": "k", "admins": ["root"], "profile_custom": ["A"]}}})


async def answer_nothing(_caller: Caller, _body: Nothing) -> Reply:
    return Reply()


def a_call(signature: str, at: datetime = NOW, **query: str) -> Call:
    named = {"sdkappid": "14", "identifier": "root", "usersig": signature, **query}
    return Call("POST", "/", named, {}, b"", at, "", "")


def a_command(**fields: Any) -> Command:
    return Command(operation_id="x", service=OPENIM, name="x", body=Nothing, handle=answer_nothing, **fields)


def test_a_signature_that_was_good_is_refused_once_its_time_is_over() -> None:
    authenticate = Frame(apps_of(SETTINGS), 0).operation(a_command()).authenticate
    signature = usersig.make("k", "14", "root", int(NOW.timestamp()), 60)

    authenticate(a_call(signature))
    authenticate(a_call(signature, NOW + timedelta(seconds=59)))
    with pytest.raises(Failed) as failed:
        authenticate(a_call(signature, NOW + timedelta(seconds=60)))

    assert failed.value.code == 70001


def test_a_command_may_have_a_limit_of_its_own_which_falls_with_the_rest() -> None:
    signature = usersig.make("k", "14", "root", int(NOW.timestamp()), 60)

    for limit, passed in ((200, 1), (0, 50)):
        authenticate = (
            Frame(apps_of(SETTINGS), limit, Pace(Clock())).operation(a_command(calls_per_second=1)).authenticate
        )
        codes = [code_of(authenticate, signature) for _ in range(50)]
        assert codes.count(0) == passed
        assert set(codes) <= {0, 60007}


def code_of(authenticate: Callable[[Call], None], signature: str) -> int:
    try:
        authenticate(a_call(signature))
    except Failed as failed:
        return failed.code
    return 0


def test_an_app_does_not_show_its_key() -> None:
    app = apps_of(SETTINGS)["14"]

    assert "'k'" not in repr(app)
    assert app.custom_tags == {"Tag_Profile_Custom_A"}
