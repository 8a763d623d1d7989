"""What an endpoint may be made of, and what of its secrets its owner is shown."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from channels.signing import new_key_pair, new_secret
from gateway.body import Typed
from gateway.endpoint_desk import check_target, endpoint_ways, secret_for, show
from schemas.endpoint import Endpoint
from schemas.endpoint_api import EndpointChanges, NewEndpoint, RecoverEndpoint, RotateSecret
from schemas.errors import Refused

WAYS = endpoint_ways()
NOW = datetime(2026, 3, 1, tzinfo=UTC)
GOOD = {"owner": "user/7", "channel": "webhook", "url": "https://example.com/hook"}


def an_endpoint(**fields: Any) -> Endpoint:
    known = {"id": "ep_1", "owner": "user/7", "channel": "webhook", "url": "https://example.com/a?key=hunter2"}
    return Endpoint(**{**known, "created_at": NOW, "updated_at": NOW, **fields})


def test_channels_whose_targets_are_chats_or_addresses_are_no_endpoints() -> None:
    assert WAYS.keys() >= {"webhook", "dingtalk", "wecom", "feishu", "apprise"}
    assert not {"telegram", "email"} & WAYS.keys()


@pytest.mark.parametrize(
    ("channel", "brought", "signature", "kept", "shown"),
    [
        ("webhook", None, None, "whsec_", "whsec_"),
        ("webhook", None, "hmac", "whsec_", "whsec_"),
        ("webhook", None, "ed25519", "whsk_", None),
        ("dingtalk", "SECrobot", None, "SECrobot", None),
        ("feishu", "key", None, "key", None),
        ("dingtalk", None, None, None, None),
        ("wecom", None, None, None, None),
        ("apprise", None, None, None, None),
    ],
)
def test_only_a_new_secret_of_ours_is_shown(
    channel: str, brought: str | None, signature: Any, kept: str | None, shown: str | None
) -> None:
    secret, told = secret_for(WAYS[channel], brought, signature)

    assert secret == kept if kept is None else secret is not None and secret.startswith(kept)
    assert told == (secret if shown else None)


@pytest.mark.parametrize(
    ("channel", "brought", "signature"),
    [
        ("webhook", "whsec_mine", None),
        ("wecom", "key", None),
        ("apprise", "key", None),
        ("dingtalk", "SEC", "hmac"),
        ("wecom", None, "ed25519"),
    ],
)
def test_a_secret_or_signature_that_the_channel_has_no_use_for_is_refused(
    channel: str, brought: str | None, signature: Any
) -> None:
    with pytest.raises(Refused) as refused:
        secret_for(WAYS[channel], brought, signature)

    assert refused.value.reason == "bad_field"
    assert brought is None or brought not in str(refused.value)


def test_an_endpoint_is_shown_with_its_public_keys_and_none_of_its_secrets() -> None:
    (private, public), secret = new_key_pair(), new_secret()
    header = {"headers": {"Authorization": "Bearer hunter2"}}

    shown = show(an_endpoint(secrets=(private, secret), options=header))

    assert (shown.signature, shown.secrets, shown.public_keys) == ("ed25519", 2, (public,))
    text = msgspec.json.encode(shown).decode()
    assert not [hidden for hidden in (private, secret, "hunter2") if hidden in text]


def test_a_robots_secret_is_never_taken_for_one_of_ours() -> None:
    shown = show(an_endpoint(channel="dingtalk", secrets=("whsk_not-a-key-of-ours",)))

    assert (shown.signature, shown.secrets, shown.public_keys) == (None, 1, ())


@pytest.mark.parametrize(
    ("channel", "url", "options", "named"),
    [
        ("webhook", "ftp://hunter2.example", {}, "url: "),
        ("webhook", "https://user:hunter2@example.com/", {}, "url: "),
        ("webhook", "hunter2", {}, "url: "),
        ("webhook", "https://example.com/hunter2?…", {}, "…"),
        ("webhook", "https://example.com/", {"headers": {"Authorization": "…"}}, "…"),
        ("webhook", "https://example.com/", {"headers": {"Host": "hunter2"}}, "options: "),
        ("webhook", "https://example.com/", {"headers": "hunter2"}, "options: "),
        ("webhook", "https://example.com/", {"header": {}}, "options: "),
        ("dingtalk", "https://oapi.dingtalk.com/robot/send?token=hunter2", {}, "url: "),
        ("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=a", {"format": "html"}, "options: "),
        ("wecom", "https://qyapi.weixin.qq.com/?key=a", {"format": "markdown", "mention_by": "mobile"}, "options: "),
        ("feishu", "https://open.feishu.cn/hunter2", {}, "url: "),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/a", {"format": "text"}, "options: "),
        ("apprise", "nosuchservice://hunter2", {}, "url: "),
        ("apprise", "syslog://", {}, "url: "),
    ],
)
async def test_what_the_channel_cannot_use_is_refused_without_repeating_it(
    channel: str, url: str, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(Refused) as refused:
        await check_target(WAYS[channel], url, options)

    assert refused.value.reason == "bad_field"
    assert str(refused.value).startswith(named)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        (NewEndpoint, {}, "owner"),
        (NewEndpoint, {**GOOD, "owner": "endpoint/ep_1"}, "owner"),
        (NewEndpoint, {**GOOD, "owner": "user/"}, "owner"),
        (NewEndpoint, {**GOOD, "owner": "user/a\0"}, "owner"),
        (NewEndpoint, {**GOOD, "owner": 7}, "owner"),
        (NewEndpoint, {**GOOD, "channel": ""}, "channel"),
        (NewEndpoint, {**GOOD, "url": ""}, "url"),
        (NewEndpoint, {**GOOD, "url": "https://example.com/" + 2_000 * "a"}, "url"),
        (NewEndpoint, {**GOOD, "url": None}, "url"),
        (NewEndpoint, {**GOOD, "kinds": []}, "kinds"),
        (NewEndpoint, {**GOOD, "kinds": ["a*b"]}, "kinds"),
        (NewEndpoint, {**GOOD, "kinds": 101 * ["a"]}, "kinds"),
        (NewEndpoint, {**GOOD, "kinds": "a"}, "kinds"),
        (NewEndpoint, {**GOOD, "serves": "icq"}, "serves"),
        (NewEndpoint, {**GOOD, "rate_per_second": 0}, "rate_per_second"),
        (NewEndpoint, {**GOOD, "rate_per_second": -1}, "rate_per_second"),
        (NewEndpoint, {**GOOD, "rate_per_second": "1"}, "rate_per_second"),
        (NewEndpoint, {**GOOD, "concurrency": 0}, "concurrency"),
        (NewEndpoint, {**GOOD, "concurrency": 101}, "concurrency"),
        (NewEndpoint, {**GOOD, "concurrency": 1.5}, "concurrency"),
        (NewEndpoint, {**GOOD, "concurrency": None}, "concurrency"),
        (NewEndpoint, {**GOOD, "ordered": "yes"}, "ordered"),
        (NewEndpoint, {**GOOD, "options": []}, "options"),
        (NewEndpoint, {**GOOD, "options": {"$where": 1}}, "$where"),
        (NewEndpoint, {**GOOD, "signature": "rsa"}, "signature"),
        (NewEndpoint, {**GOOD, "secret": ""}, "secret"),
        (NewEndpoint, {**GOOD, "enabled": False}, "enabled"),
        (EndpointChanges, {"owner": "user/8"}, "owner"),
        (EndpointChanges, {"channel": "apprise"}, "channel"),
        (EndpointChanges, {"url": None}, "url"),
        (EndpointChanges, {"concurrency": None}, "concurrency"),
        (RotateSecret, {"grace_seconds": -1}, "grace_seconds"),
        (RotateSecret, {"grace_seconds": 8 * 86_400}, "grace_seconds"),
        (RecoverEndpoint, {}, "since"),
        (RecoverEndpoint, {"since": "2026-03-01T12:00:00"}, "since"),
        (RecoverEndpoint, {"since": "yesterday"}, "since"),
        (RecoverEndpoint, {"since": "9999-12-31T23:59:59Z"}, "since"),
    ],
)
def test_a_wrong_field_is_named(kind: type[msgspec.Struct], body: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused, match=rf".*{field.replace('$', '[$]')}") as refused:
        Typed(kind).validate(body)

    assert refused.value.reason == "bad_field"


def test_null_takes_a_choice_away_and_what_is_left_out_stays() -> None:
    changes = Typed(EndpointChanges).validate({"kinds": None, "rate_per_second": 0.33})

    assert (changes.kinds, changes.rate_per_second) == (None, 0.33)
    assert changes.serves is msgspec.UNSET
