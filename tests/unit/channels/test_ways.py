import pkgutil

import msgspec
import pytest

from channels import ways as package
from channels.registry import ways

ENDPOINTS = {"webhook", "dingtalk", "wecom", "feishu", "apprise"}


def test_every_module_of_the_package_is_a_channel() -> None:
    modules = [module.name for module in pkgutil.iter_modules(package.__path__)]

    assert len(ways()) == len(modules)
    assert set(ways()) >= ENDPOINTS
    assert all(name == way.name for name, way in ways().items())


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
def test_channels_to_endpoints_check_urls_and_options(name: str) -> None:
    way = ways()[name]

    assert way.check_url is not None
    assert way.options is not None
    with pytest.raises(ValueError, match=r"URL|service|query|path") as caught:
        way.check_url("no-such-thing")
    assert "no-such-thing" not in str(caught.value)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"unknown": 1}, way.options)
    assert msgspec.convert({}, way.options) == way.options()


def test_only_webhooks_are_signed_with_secrets_of_ours() -> None:
    assert [name for name, way in ways().items() if way.signs] == ["webhook"]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("webhook", "https://example.com/hooks?a=b"),
        ("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=abc"),
        ("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abc"),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/abc"),
        ("feishu", "https://open.larksuite.com/open-apis/bot/v2/hook/abc"),
        ("apprise", "jsons://example.com/path"),
        ("apprise", "mailto://user:password@example.com"),
        ("apprise", "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"),
    ],
)
def test_urls_that_a_channel_can_use(name: str, url: str) -> None:
    check = ways()[name].check_url

    assert check is not None
    check(url)


@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("dingtalk", "https://oapi.dingtalk.com/robot/send", "access_token"),
        ("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=", "key"),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/", "/hook/"),
        ("apprise", "nosuchservice://host", "no such service"),
        ("apprise", "slack://half", "cannot use"),
        ("apprise", "json://example.com/" + "x" * 2000, "at most"),
        ("apprise", "vapid://me@example.com/you@example.com", "files"),
        *[
            ("apprise", f"{schema}://", "machine itself")
            for schema in ("syslog", "dbus", "gnome", "kde", "glib", "macosx", "windows", "blink1")
        ],
    ],
)
def test_urls_that_a_channel_cannot_use_are_refused_with_the_reason(name: str, url: str, says: str) -> None:
    check = ways()[name].check_url

    assert check is not None
    with pytest.raises(ValueError, match=says):
        check(url)
