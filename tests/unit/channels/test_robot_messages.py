import base64
import hashlib
import hmac
import json
from typing import Any

import msgspec
import pytest
from channel_samples import a_message
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from channels.ways import dingtalk, feishu, wecom

LONG = "word " * 60_000
TEXTS = st.text(max_size=30_000)


def sent(body: bytes) -> Any:
    return json.loads(body)


def test_dingtalk_is_sent_text_and_named_who_is_meant() -> None:
    body = dingtalk.render(a_message(mention="manager4220"), dingtalk.DingTalkOptions())

    assert sent(body) == {
        "msgtype": "text",
        "text": {"content": "Ban\nAn account was banned.\n@manager4220"},
        "at": {"isAtAll": False, "atUserIds": ["manager4220"]},
    }


def test_dingtalk_is_sent_markdown_where_it_is_asked_for() -> None:
    options = dingtalk.DingTalkOptions(format="markdown", mention_by="mobile")

    assert sent(dingtalk.render(a_message(mention="150"), options)) == {
        "msgtype": "markdown",
        "markdown": {"title": "Ban", "text": "#### Ban\n\nAn account was banned.\n@150"},
        "at": {"isAtAll": False, "atMobiles": ["150"]},
    }


def test_dingtalks_signature_is_of_time_and_secret_by_the_secret() -> None:
    url = dingtalk.signed(URL("https://oapi.dingtalk.com/robot/send?access_token=abc"), "SECret", 1600000000000)
    expected = base64.b64encode(hmac.new(b"SECret", b"1600000000000\nSECret", hashlib.sha256).digest()).decode()

    assert dict(url.query) == {"access_token": "abc", "timestamp": "1600000000000", "sign": expected}
    assert "+" not in url.raw_query_string


def test_wecom_is_sent_text_and_who_is_meant() -> None:
    assert sent(wecom.render(a_message(mention="lisi"), wecom.WeComOptions())) == {
        "msgtype": "text",
        "text": {"content": "Ban\nAn account was banned.", "mentioned_list": ["lisi"]},
    }
    by_mobile = sent(wecom.render(a_message(mention="138"), wecom.WeComOptions(mention_by="mobile")))
    assert by_mobile["text"]["mentioned_mobile_list"] == ["138"]


def test_wecom_markdown_names_who_is_meant_in_the_text() -> None:
    assert sent(wecom.render(a_message(mention="lisi"), wecom.WeComOptions(format="markdown"))) == {
        "msgtype": "markdown",
        "markdown": {"content": "**Ban**\nAn account was banned.\n<@lisi>"},
    }
    with pytest.raises(msgspec.ValidationError, match="mobiles"):
        msgspec.convert({"format": "markdown", "mention_by": "mobile"}, wecom.WeComOptions)


def test_feishu_is_sent_a_post_in_the_messages_language() -> None:
    assert sent(feishu.render(a_message(mention="ou_1", language="zh"), {})) == {
        "msg_type": "post",
        "content": {
            "post": {
                "zh_cn": {
                    "title": "Ban",
                    "content": [
                        [{"tag": "text", "text": "An account was banned."}],
                        [{"tag": "at", "user_id": "ou_1"}],
                    ],
                }
            }
        },
    }


def test_a_title_alone_is_feishus_text() -> None:
    post = sent(feishu.render(a_message(body=None), {}))["content"]["post"]["en_us"]

    assert post == {"title": "", "content": [[{"tag": "text", "text": "Ban"}]]}


def test_feishus_signature_is_of_nothing_by_time_and_secret() -> None:
    expected = base64.b64encode(hmac.new(b"1599360473\nkey", b"", hashlib.sha256).digest()).decode()

    assert feishu.signed("key", 1599360473) == {"timestamp": "1599360473", "sign": expected}


@pytest.mark.parametrize("text", [LONG, "字" * 60_000, '"\n' * 60_000, "\u0001" * 60_000])
def test_what_is_too_long_is_shortened_to_what_the_documents_say(text: str) -> None:
    message = a_message(body=text, mention="someone")

    for options in (dingtalk.DingTalkOptions(), dingtalk.DingTalkOptions(format="markdown")):
        assert len(dingtalk.render(message, options)) <= 20_000
    assert len(feishu.render(message, feishu.signed("key", 1))) <= 20_000
    assert len(sent(wecom.render(message, wecom.WeComOptions()))["text"]["content"].encode()) <= 2_048
    markdown = sent(wecom.render(message, wecom.WeComOptions(format="markdown")))["markdown"]["content"]
    assert len(markdown.encode()) <= 4_096
    assert markdown.endswith("…\n<@someone>")


@given(title=TEXTS | st.none(), body=TEXTS | st.none())
def test_no_text_makes_a_message_that_a_robot_would_not_take(title: str | None, body: str | None) -> None:
    message = a_message(title=title, body=body)

    for rendered in (
        dingtalk.render(message, dingtalk.DingTalkOptions()),
        dingtalk.render(message, dingtalk.DingTalkOptions(format="markdown")),
        feishu.render(message, {}),
    ):
        assert len(rendered) <= 20_000
        assert sent(rendered)
    assert sent(wecom.render(message, wecom.WeComOptions()))["text"]["content"]
