"""The frame of every call, on a gateway at work: who is let in, and how a refusal looks."""

import time

import aiohttp
import pytest
from im_api import ADMIN, APP, KEY, OTHER_APP, Answered, ImApi, serving_im, with_im

from config.settings import KafkaSettings, MongoSettings, Settings
from schemas.im import usersig
from workers.embedded.ports import LOOPBACK, free_port
from workers.gateway import open_gateway
from workers.health import Health

IP_LIST = "ConfigSvc/GetIPList"


def signature(key: str = KEY, app: str = APP, identifier: str = ADMIN, age: int = 0, expire: int = 60) -> str:
    return usersig.make(key, app, identifier, int(time.time()) - age, expire)


def assert_fails(answered: Answered, code: int) -> None:
    assert (answered.status, answered.code, answered.body["ActionStatus"]) == (200, code, "FAIL"), answered
    assert answered.info


async def test_an_admin_with_a_good_signature_is_answered_in_the_envelope(im: ImApi) -> None:
    answered = await im.ask(IP_LIST)

    assert answered.status == 200
    assert answered.body == {
        "ActionStatus": "OK",
        "ErrorCode": 0,
        "ErrorInfo": "",
        "IPList": ["192.0.2.0/24", "198.51.100.17"],
    }


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"sdkappid": None}, 60012),
        ({"sdkappid": ""}, 60012),
        ({"sdkappid": "1400000099"}, 60006),
        ({"sdkappid": "x"}, 60006),
        ({"identifier": None}, 60004),
        ({"usersig": None}, 70002),
        ({"usersig": ""}, 70002),
        ({"usersig": "no signature"}, 70003),
        ({"usersig": signature()[:-8]}, 70003),
        ({"usersig": signature(key="another key")}, 70009),
        ({"usersig": signature(identifier="root")}, 70013),
        ({"usersig": signature(app=OTHER_APP)}, 70014),
        ({"usersig": signature(age=61)}, 70001),
        ({"random": "x"}, 60002),
        ({"random": str(2**32)}, 60002),
        ({"random": "9" * 5000}, 60002),
        ({"contenttype": "xml"}, 60002),
    ],
)
async def test_who_does_not_show_who_he_is_is_told_why(im: ImApi, query: dict[str, str | None], code: int) -> None:
    assert_fails(await im.ask(IP_LIST, **query), code)


async def test_a_signature_is_good_for_its_app_alone(im: ImApi) -> None:
    assert_fails(await im.ask(IP_LIST, sdkappid=OTHER_APP), 70014)


async def test_only_an_admin_may_call(im_http: aiohttp.ClientSession) -> None:
    nobody = ImApi(im_http, identifier="nobody")

    assert_fails(await nobody.ask(IP_LIST), 60010)


async def test_parameters_that_a_call_does_not_need_may_be_left_out(im: ImApi) -> None:
    assert (await im.ask(IP_LIST, random=None, contenttype=None)).code == 0


async def test_an_unknown_command_is_answered_in_the_envelope(im: ImApi) -> None:
    for call in ("openim/no_such_command", "no_such_service/at_all", "openim"):
        assert_fails(await im.ask(call), 60009)


async def test_another_method_is_refused_in_the_envelope(im_http: aiohttp.ClientSession) -> None:
    async with im_http.get(f"/v4/{IP_LIST}") as answer:
        assert answer.status == 200
        assert (await answer.json())["ErrorCode"] == 60002


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b"{} {}"])
async def test_a_body_that_is_no_json_object_is_refused(im: ImApi, body: bytes) -> None:
    assert_fails(await im.send(IP_LIST, body), 60003)


async def test_a_body_is_json_whatever_it_is_declared_as(im: ImApi, im_http: aiohttp.ClientSession) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk", ""):
        headers = {"Content-Type": content_type}
        async with im_http.post(f"/v4/{IP_LIST}", data=b'{"x":1}', params=im.query, headers=headers) as answer:
            assert (await answer.json())["ErrorCode"] == 0, content_type


async def test_calls_past_the_limit_are_refused_for_each_app_and_command_alone(settings: Settings) -> None:
    async with serving_im(with_im(settings, calls_per_second=2)) as http:
        im = ImApi(http)
        codes = [(await im.ask(IP_LIST)).code for _ in range(4)]

        # The machine may be slow enough for a third call to be in time.
        assert codes[:2] == [0, 0]
        refused = [await im.ask(IP_LIST) for _ in range(20)]
        assert 60007 in {answered.code for answered in refused}
        told = next(answered for answered in refused if answered.code == 60007)
        assert_fails(told, 60007)
        assert told.headers["Retry-After"] == "1"


async def away(settings: Settings, call: str, body: dict[str, object]) -> Answered:
    """What a gateway answers that is cut off from what the settings name."""
    async with (
        open_gateway(with_im(settings), Health()) as port,
        aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http,
    ):
        return await ImApi(http).ask(call, body)


async def test_without_the_store_a_call_fails_with_the_services_code_that_is_worth_a_retry(settings: Settings) -> None:
    mongo = {"uri": f"mongodb://{LOOPBACK}:{free_port()}/", "timeout_seconds": 0.2}
    cut_off = settings.model_copy(update={"mongo": MongoSettings.model_validate(mongo)})
    item = {"Tag": "Tag_Profile_IM_Nick", "Value": "x"}

    for call, body, code in (
        ("profile/portrait_set", {"From_Account": "u", "ProfileItem": [item]}, 40006),
        ("im_open_login_svc/account_import", {"UserID": "u"}, 70500),
        ("openim/query_online_status", {"To_Account": ["u"]}, 91000),
    ):
        answered = await away(cut_off, call, body)
        assert_fails(answered, code)
        assert answered.headers["Retry-After"] == "1"


@pytest.mark.usefixtures("database")
async def test_without_the_broker_what_is_a_fact_fails_and_what_is_none_does_not(settings: Settings) -> None:
    kafka = {"bootstrap": f"{LOOPBACK}:{free_port()}", "publish_timeout_seconds": 0.2}
    cut_off = settings.model_copy(update={"kafka": KafkaSettings.model_validate(kafka)})

    answered = await away(cut_off, "im_open_login_svc/kick", {"UserID": ADMIN})

    assert_fails(answered, 70500)
    assert answered.headers["Retry-After"] == "1"
    assert (await away(cut_off, "im_open_login_svc/account_import", {"UserID": "u"})).code == 0
