import json
from typing import Any

import pytest
from yarl import URL

from channels.channel import Came
from channels.http import Answer
from channels.robots import Codes, judge_robot, keys_of
from channels.ways import dingtalk, feishu, wecom


def judged(codes: Codes, body: Any, status: int = 200) -> tuple[Came, float | None]:
    receipt = judge_robot(Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode()), codes)
    return receipt.came, receipt.retry_after_seconds


@pytest.mark.parametrize(
    ("codes", "body", "came", "wait"),
    [
        (dingtalk.CODES, {"errcode": 0, "errmsg": "ok"}, Came.DELIVERED, None),
        (dingtalk.CODES, {"errcode": 310000, "errmsg": "sign not match"}, Came.REFUSED, None),
        (dingtalk.CODES, {"errcode": 310000, "errmsg": "keywords not in content"}, Came.REFUSED, None),
        (dingtalk.CODES, {"errcode": 40035, "errmsg": "missing parameter json"}, Came.REFUSED, None),
        (dingtalk.CODES, {"errcode": 300001, "errmsg": "token is not exist"}, Came.GONE, None),
        (dingtalk.CODES, {"errcode": 400013, "errmsg": "the group is dissolved"}, Came.GONE, None),
        (dingtalk.CODES, {"errcode": -1, "errmsg": "system busy"}, Came.RETRY, None),
        (dingtalk.CODES, {"errcode": 410100, "errmsg": "send too fast"}, Came.RETRY, 600.0),
        (
            dingtalk.CODES,
            {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "9ff", "errcode": 130101,
             "errmsg": "send too fast, exceed 20 times per minute"},
            Came.RETRY,
            600.0,
        ),
        (wecom.CODES, {"errcode": 0, "errmsg": "ok"}, Came.DELIVERED, None),
        (wecom.CODES, {"errcode": 93000, "errmsg": "invalid webhook url, hint: [1]"}, Came.GONE, None),
        (wecom.CODES, {"errcode": 45009, "errmsg": "api freq out of limit"}, Came.RETRY, 60.0),
        (wecom.CODES, {"errcode": 40008, "errmsg": "invalid message type"}, Came.REFUSED, None),
        (wecom.CODES, {"errcode": -1, "errmsg": "system busy"}, Came.RETRY, None),
        (feishu.CODES, {"code": 0, "msg": "success", "data": {}, "StatusCode": 0}, Came.DELIVERED, None),
        (feishu.CODES, {"StatusCode": 0, "StatusMessage": "success"}, Came.DELIVERED, None),
        (feishu.CODES, {"code": 19001, "msg": "param invalid: incoming webhook access token invalid"}, Came.GONE, None),
        (feishu.CODES, {"code": 19021, "msg": "sign match fail or timestamp expired"}, Came.REFUSED, None),
        (feishu.CODES, {"code": 19022, "msg": "Ip Not Allowed"}, Came.REFUSED, None),
        (feishu.CODES, {"code": 19024, "msg": "Key Words Not Found"}, Came.REFUSED, None),
        (feishu.CODES, {"code": 9499, "msg": "Bad Request", "data": {}}, Came.REFUSED, None),
        (feishu.CODES, {"code": 9499, "msg": "Too Many Requests", "data": {}}, Came.RETRY, 60.0),
        (feishu.CODES, {"code": 11232, "msg": "frequency limited psm"}, Came.RETRY, 60.0),
    ],
)  # fmt: skip
def test_a_robots_code_says_what_came_of_it(codes: Codes, body: Any, came: Came, wait: float | None) -> None:
    assert judged(codes, body) == (came, wait)


@pytest.mark.parametrize(
    "body", [b"", b"<html>sign in</html>", b"[]", b'{"ok": true}', b"\xff\xfe", b'{"errcode": "x"}']
)
def test_an_answer_of_another_kind_is_not_the_robots(body: bytes) -> None:
    assert judged(dingtalk.CODES, body) == (Came.RETRY, None)


@pytest.mark.parametrize(
    ("status", "body", "came"),
    [
        (500, b"", Came.RETRY),
        (502, b"<html>", Came.RETRY),
        (429, b"slow down", Came.RETRY),
        (404, b"", Came.REFUSED),
        (302, b"", Came.REFUSED),
        (400, {"code": 19001, "msg": "token"}, Came.GONE),
        (400, {"code": 19021, "msg": "sign"}, Came.REFUSED),
        (429, {"code": 9499, "msg": "limited"}, Came.RETRY),
        (503, {"errcode": 12345}, Came.RETRY),
    ],
)
def test_the_status_speaks_where_the_code_does_not(status: int, body: Any, came: Came) -> None:
    assert judged(feishu.CODES, body, status)[0] == came


def test_the_parts_of_a_url_that_may_be_its_key_are_known() -> None:
    assert keys_of(URL("https://open.feishu.cn/open-apis/bot/v2/hook/abcdef-token")) == ("abcdef-token",)
    assert "secret-key" in keys_of(URL("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=secret-key"))
