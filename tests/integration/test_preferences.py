"""Preferences over HTTP: what is set is what is read, by back ends and by the router alike."""

from collections.abc import AsyncIterator
from datetime import time
from typing import Any
from urllib.parse import quote
from zoneinfo import available_timezones

import msgspec
import pytest
from desk_api import Installation, PushApi, installed, operations, with_push
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from raw_http import exchange
from tg_api import serving, unready

from channels.registry import ways
from config.settings import MongoSettings, Settings
from gateway.preferences import chosen_channels
from schemas.preferences import ChannelRule, Preferences, QuietHours
from stores.mongo import IDS_PER_FIND
from stores.preferences import preferences_of
from workers.embedded.ports import LOOPBACK, free_port

DEFAULTS = {
    "language": "en",
    "timezone": "UTC",
    "email": None,
    "quiet_hours": None,
    "digest_minutes": None,
    "rules": [],
}
ALL = {
    "language": "zh",
    "timezone": "Asia/Shanghai",
    "email": "lei@example.com",
    "quiet_hours": {"start": "22:00:00", "end": "07:30:00"},
    "digest_minutes": 15,
    "rules": [{"kinds": "wallet.*", "channels": ["email", "telegram"]}, {"kinds": "*", "channels": []}],
}


@pytest.fixture(scope="module")
async def desk(shared_settings: Settings) -> AsyncIterator[Installation]:
    async with installed(with_push(shared_settings)) as installation:
        yield installation


@pytest.fixture
def api(desk: Installation) -> PushApi:
    return desk.api


def path_of(recipient: str) -> str:
    kind, _, name = recipient.partition("/")
    return f"/preferences/{kind}/{quote(name, safe='')}"


async def test_preferences_are_set_read_and_taken_back(api: PushApi) -> None:
    path = "/preferences/user/7"
    assert await api.get(path) == {"recipient": "user/7", **DEFAULTS}
    assert (await api.told("PUT", path, ALL)).body == {"recipient": "user/7", **ALL}
    assert await api.get(path) == {"recipient": "user/7", **ALL}
    assert await api.get("/preferences/customer/7") == {"recipient": "customer/7", **DEFAULTS}
    await api.told("DELETE", path, status=204)
    await api.told("DELETE", path, status=204)
    assert await api.get(path) == {"recipient": "user/7", **DEFAULTS}

    assert api.answered >= operations("/preferences")


async def test_what_is_set_anew_is_all_that_holds(api: PushApi) -> None:
    await api.told("PUT", "/preferences/user/8", ALL)
    await api.told("PUT", "/preferences/user/8", {"language": "zh", "recipient": "user/8"})

    assert await api.get("/preferences/user/8") == {"recipient": "user/8", **DEFAULTS, "language": "zh"}


times = st.times()
zones = st.sampled_from(sorted(available_timezones()))
text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
kinds = (
    st.just("*")
    | text.filter(lambda kind: "*" not in kind)
    | text.filter(lambda kind: "*" not in kind).map("{}.*".format)
)
channels = st.lists(st.sampled_from(["webhook", "dingtalk", "wecom", "feishu", "apprise", "telegram", "email"])).map(
    tuple
)
rules = st.builds(ChannelRule, kinds=kinds, channels=channels)
quiet = st.tuples(times, times).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: QuietHours(*pair))
preferences = st.builds(
    Preferences,
    # Clients take a dot for "here" and two for "above", whichever way they are written.
    recipient=st.builds(
        "{}/{}".format,
        st.sampled_from(["user", "contact", "customer", "email", "endpoint"]),
        text.filter(lambda name: name not in (".", "..")),
    ),
    language=st.sampled_from(["zh", "en"]),
    timezone=zones,
    email=st.none() | st.sampled_from(["a@example.com", "用户@例子.广告", "o'neil+x@sub.example.com"]),
    quiet_hours=st.none() | quiet,
    digest_minutes=st.none() | st.integers(1, 1440),
    rules=st.lists(rules, max_size=5).map(tuple),
)


@effort(max_examples=100, deadline=None)
@given(wanted=preferences)
async def test_whatever_is_set_is_read_back(desk: Installation, wanted: Preferences) -> None:
    path = path_of(wanted.recipient)
    await desk.api.told("PUT", path, msgspec.json.decode(msgspec.json.encode(wanted)))

    assert msgspec.convert(await desk.api.get(path), Preferences) == wanted
    assert await preferences_of(desk.database, [wanted.recipient]) == {wanted.recipient: wanted}
    await desk.api.told("DELETE", path, status=204)


async def test_a_router_is_given_everybodys_at_once_and_the_defaults_of_who_has_none(desk: Installation) -> None:
    await desk.api.told("PUT", "/preferences/user/a%2Fb", ALL)
    recipients = [f"customer/{number}" for number in range(IDS_PER_FIND * 2)]

    found = await preferences_of(desk.database, [*recipients, "user/a/b", *recipients])

    assert found.pop("user/a/b").quiet_hours == QuietHours(time(22), time(7, 30))
    assert found == {recipient: Preferences(recipient=recipient) for recipient in recipients}
    assert await preferences_of(desk.database, []) == {}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"language": "fr"}, "language"),
        ({"timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"timezone": "../etc/passwd"}, "time zone"),
        ({"timezone": ""}, "time zone"),
        ({"email": "nobody"}, "email"),
        ({"email": ""}, "email"),
        ({"email": "a@b.c\r\nBcc: d@e.f"}, "email"),
        ({"quiet_hours": {"start": "22:00:00"}}, "end"),
        ({"quiet_hours": {"start": "22:00:00", "end": "22:00:00"}}, "quiet_hours"),
        ({"quiet_hours": {"start": "22:00:00Z", "end": "07:00:00"}}, "quiet_hours"),
        ({"quiet_hours": {"start": "24:00:00", "end": "07:00:00"}}, "quiet_hours"),
        ({"digest_minutes": 0}, "digest_minutes"),
        ({"digest_minutes": 1441}, "digest_minutes"),
        ({"rules": [{"kinds": "*.paid", "channels": []}]}, "kinds"),
        ({"rules": [{"kinds": "*"}]}, "channels"),
        ({"rules": [{"kinds": "*", "channels": ["pigeon"]}]}, "rules[0].channels: there are apprise, dingtalk, email"),
        ({"rules": [{"kinds": "*", "channels": ["im-callback"]}]}, "rules[0].channels"),
        ({"rules": [{"kinds": "*", "channels": ["inbox"]}]}, "rules[0].channels"),
        ({"rules": [{"kinds": "*", "channels": []}] * 101}, "rules"),
        ({"quiet": True}, "quiet"),
        ({"recipient": "user/10"}, "recipient"),
        ({"recipient": 9}, "recipient"),
    ],
)
async def test_what_cannot_be_preferred_is_refused_and_named(api: PushApi, wrong: dict[str, Any], named: str) -> None:
    path = "/preferences/user/9"

    assert named in await api.refused("bad_field", "PUT", path, {**ALL, **wrong})
    assert await api.get(path) == {"recipient": "user/9", **DEFAULTS}


def test_every_channel_that_reaches_people_can_be_preferred() -> None:
    assert chosen_channels() >= {"webhook", "dingtalk", "wecom", "feishu", "apprise", "telegram", "email"}
    assert chosen_channels() <= ways().keys()


@pytest.mark.parametrize("recipient", ["robot/7", "user/%00", "user/" + "x" * 300, "email"])
async def test_a_recipient_that_is_none_is_refused_by_every_operation(api: PushApi, recipient: str) -> None:
    reason = "bad_field" if "/" in recipient else "not_found"
    for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
        await api.refused(reason, method, f"/preferences/{recipient}", body)


async def test_ids_with_slashes_are_sent_with_their_slashes_spelled_out(api: PushApi) -> None:
    await api.refused("not_found", "GET", "/preferences/user/a/b")
    names = ("a%2Fb", "a%2fb%2F", "%E7%94%A8%E6%88%B7", "a%3Fb%23c", "a%20b", "%25", "%7B7%7D", "%0A", "a+b@c.example")
    for name in names:
        await api.told("PUT", f"/preferences/user/{name}", {"digest_minutes": 3})
        assert (await api.get(f"/preferences/user/{name}"))["digest_minutes"] == 3


async def test_bytes_that_are_no_text_name_nobody(api: PushApi) -> None:
    request = (
        f"GET /preferences/user/\udcff HTTP/1.1\r\nHost: x\r\nAuthorization: {api.headers['Authorization']}\r\n\r\n"
    )
    answer = await exchange(str(api.http._base_url), request.encode("utf-8", "surrogateescape"))

    assert answer.status == 400


async def test_only_back_ends_have_access(desk: Installation, shared_settings: Settings) -> None:
    stranger = PushApi(desk.api.http, "another-token")
    for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
        await stranger.refused("unauthenticated", method, "/preferences/user/7", body)
    async with serving(shared_settings) as http:
        assert "FANFOLD_PUSH__TOKENS" in await PushApi(http).refused("not_configured", "GET", "/preferences/user/7")


async def test_while_the_store_is_away_nothing_is_answered_as_done(shared_settings: Settings) -> None:
    away = MongoSettings.model_validate({"uri": f"mongodb://{LOOPBACK}:{free_port()}/", "timeout_seconds": 0.2})
    async with unready(with_push(shared_settings).model_copy(update={"mongo": away})) as http:
        for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
            await PushApi(http).refused("store_away", method, "/preferences/user/7", body)
