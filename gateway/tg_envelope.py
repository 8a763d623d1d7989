"""BizResult, the envelope of every answer of the Telegram binding API, in the caller's language.

The contract does not state `code` of a success, nor any of a failure: "0" is success,
and the codes of refusals begin with the HTTP status; docs/tg-binding.md lists them.
"""

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.system import Answer
from schemas.errors import Refused
from schemas.push import Language
from schemas.refusals import REASONS
from schemas.tg import BizResult, language_of

BIZ_CODE = "message"
"""The module, as the service's name begins: message.app.CustomerTgBindApiService."""

SUCCESS = "0"
DONE: Mapping[Language, str] = {"en": "ok", "zh": "成功"}


class Told(msgspec.Struct, frozen=True):
    """What a caller is told of a refusal; {0} is where its message comes in."""

    code: str
    en: str
    zh: str


REFUSALS: dict[str, Told] = {
    "bad_json": Told("4000", "The body is not a JSON object: {0}", "请求体不是 JSON 对象：{0}"),
    "bad_field": Told("4001", "A field is missing or wrong: {0}", "参数缺失或有误：{0}"),
    "unauthenticated": Told("4010", "Log in first: the token is missing or not known", "请先登录：令牌缺失或无效"),
    "bad_signature": Told("4011", "The signature does not fit", "签名错误"),
    "stale": Told("4012", "The timestamp is too far from now", "时间戳已失效"),
    "forbidden": Told("4030", "Not allowed: {0}", "无权操作：{0}"),
    "not_found": Told("4040", "There is no such operation", "接口不存在"),
    "method_not_allowed": Told("4050", "Send a POST", "请使用 POST 请求"),
    "too_slow": Told("4080", "The body did not arrive in time", "请求体接收超时"),
    "conflict": Told("4090", "The present state does not allow this: {0}", "当前状态不允许此操作：{0}"),
    "too_large": Told("4130", "The request is too large: {0}", "请求过大：{0}"),
    "wrong_content_type": Told("4150", "Send the body as application/json", "请以 application/json 发送请求体"),
    "too_many": Told("4290", "Too many calls, try again", "请求过于频繁，请稍后重试"),
    "internal": Told("5000", "Something went wrong here: {0}", "服务内部错误：{0}"),
    "not_configured": Told("5010", "Not set up here: {0}", "服务未配置：{0}"),
    "broker_away": Told("5030", "Not available now, try again", "服务暂不可用，请重试"),
    "store_away": Told("5031", "Not available now, try again", "服务暂不可用，请重试"),
    "stopping": Told("5032", "Being restarted, try again", "服务正在重启，请重试"),
}

_encoder = msgspec.json.Encoder()


class BizEnvelope:
    """The envelope of one request, made as it comes in."""

    def __init__(self, headers: Mapping[str, str], trace_id: str) -> None:
        self._started = time.perf_counter()
        self._trace = header(headers, "trace") or trace_id
        self._language: Language = language_of(headers.get("lang")) or "en"

    def succeed(self, data: Any, status: int, /) -> Answer:
        return self._answer(status, SUCCESS, DONE[self._language], "", data)

    def refuse(self, refused: Refused, /) -> Answer:
        told = REFUSALS[refused.reason]
        text = told.zh if self._language == "zh" else told.en
        params = str(refused) if "{0}" in text else ""
        return self._answer(REASONS[refused.reason].status, told.code, text.replace("{0}", params), params, None)

    def _answer(self, status: int, code: str, msg: str, params: str, data: Any) -> Answer:
        result = BizResult(
            biz_code=BIZ_CODE,
            code=code,
            msg=msg,
            tm=round((time.perf_counter() - self._started) * 1000),
            trace=self._trace,
            msg_params=params,
            ok=code == SUCCESS,
            fail=code != SUCCESS,
            data=data,
        )
        return Answer(status, _encoder.encode(result))


def header(headers: Mapping[str, str], name: str) -> str:
    """A header as text that can be written out again; empty where it is missing."""
    # Headers arrive with surrogates in place of bytes that are not UTF-8.
    return headers.get(name, "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
