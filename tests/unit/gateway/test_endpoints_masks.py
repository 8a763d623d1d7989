"""What may be seen of an endpoint: nothing that could be a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.masks import MASK, holds_mask, masked_options, masked_url


@pytest.mark.parametrize(
    ("channel", "url", "shown"),
    [
        ("webhook", "https://hooks.example.com/fanfold", "https://hooks.example.com/fanfold"),
        ("webhook", "https://hooks.example.com:8443/a/b?token=hunter2", "https://hooks.example.com:8443/a/b?…"),
        ("webhook", "https://hooks.example.com/a#hunter2", "https://hooks.example.com/a?…"),
        ("webhook", "https://hooks.example.com", "https://hooks.example.com"),
        ("webhook", "http://[2001:db8::1]:81/a?b", "http://[2001:db8::1]:81/a?…"),
        ("webhook", "https://user:hunter2@hooks.example.com/a", "https://hooks.example.com/a"),
        ("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=hunter2", "https://oapi.dingtalk.com/…"),
        ("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=hunter2", "https://qyapi.weixin.qq.com/…"),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/hunter2", "https://open.feishu.cn/…"),
        ("apprise", "tgram://hunter2/chat", "tgram://…"),
        ("apprise", "mailtos://user:hunter2@example.com", "mailtos://…"),
        ("apprise", "hunter2", "…"),
        ("webhook", "http://[hunter2", "http://…"),
        ("webhook", "http://host:hunter2/", "http://…"),
        ("webhook", "", "…"),  # deleted: there is none any more
    ],
)
def test_an_address_is_shown_without_what_may_be_a_key(channel: str, url: str, shown: str) -> None:
    assert masked_url(channel, url) == shown


@given(channel=st.sampled_from(["webhook", "dingtalk", "wecom", "feishu", "apprise"]), url=st.text())
def test_whatever_an_address_is_showing_it_raises_nothing(channel: str, url: str) -> None:
    masked_url(channel, url)


@given(
    channel=st.sampled_from(["webhook", "dingtalk", "wecom", "feishu", "apprise"]),
    secret=st.text("abcdefghijklmnop0123456789-_=", min_size=8),
)
def test_no_query_is_ever_shown(channel: str, secret: str) -> None:
    assert secret not in masked_url(channel, f"https://example.com/path?{secret}")


def test_headers_are_shown_by_name_and_choices_as_they_are() -> None:
    options = {"headers": {"Authorization": "Bearer hunter2", "X-Team": "a"}, "format": "markdown"}

    assert masked_options(options) == {"headers": {"Authorization": MASK, "X-Team": MASK}, "format": "markdown"}


def test_what_was_shown_is_recognised_when_it_is_sent_back() -> None:
    assert holds_mask(masked_url("webhook", "https://example.com/a?b"))
    assert holds_mask(masked_options({"headers": {"Authorization": "x"}}))
    assert holds_mask({"list": ["a", {"b": MASK}]})
    assert not holds_mask({"headers": {"Authorization": "Bearer x"}, "format": "text", "n": 1})
