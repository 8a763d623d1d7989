"""What group robots have in common: a POST of JSON, answered with a code of their own in the body.

Robots take one message a push: a long text is shortened, not split, since they take
some twenty messages a minute, and a part that fails would repeat those before it.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec
from yarl import URL

from channels.channel import Came, Receipt
from channels.http import JSON, Answer, beginning, http_url, judge, post
from channels.net import Net

HEADERS = {"Content-Type": f"{JSON}; charset=utf-8"}

encode = msgspec.json.Encoder().encode


class Busy(msgspec.Struct, frozen=True):
    """A code that may not come again later."""

    seconds: float | None = None
    """When the service's documents say to come back."""
    says: str = ""
    """Only where its message has these words: the code means other things too."""


class Codes(msgspec.Struct, frozen=True):
    """What a service's codes mean. 0 is delivered; those not named are refused."""

    busy: Mapping[int, Busy]
    gone: frozenset[int]


class Said(msgspec.Struct, frozen=True):
    errcode: int | None = None
    code: int | None = None
    status_code: int | None = msgspec.field(default=None, name="StatusCode")
    errmsg: str = ""
    msg: str = ""

    @property
    def result(self) -> int | None:
        return next((code for code in (self.errcode, self.code, self.status_code) if code is not None), None)


decode = msgspec.json.Decoder(Said).decode


async def tell(net: Net, url: URL, body: bytes, codes: Codes, secrets: tuple[str, ...]) -> Receipt:
    """Send once."""
    answer = await post(net, url, body, HEADERS)
    return answer if isinstance(answer, Receipt) else judge_robot(answer, codes, hide=(*keys_of(url), *secrets))


def judge_robot(answer: Answer, codes: Codes, hide: tuple[str, ...] = ()) -> Receipt:
    """What came of it, by the code in the body; by the HTTP status where that says more."""
    by_status = judge(answer, hide)
    try:
        said = decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        said = Said()
    code = said.result
    wait = by_status.retry_after_seconds
    if code is None and by_status.came == Came.DELIVERED:
        # A page of some proxy, not the service.
        came = Came.RETRY
    elif code is None or code == 0:
        came = by_status.came
    elif code in codes.gone:
        came = Came.GONE
    elif (busy := codes.busy.get(code)) is not None and busy.says in f"{said.errmsg} {said.msg}".lower():
        came, wait = Came.RETRY, wait or busy.seconds
    else:
        came = Came.RETRY if by_status.came == Came.RETRY else Came.REFUSED
    return Receipt(came=came, status=answer.status, response=beginning(answer.body, hide), retry_after_seconds=wait)


@lru_cache(maxsize=1_000)
def keys_of(url: URL) -> tuple[str, ...]:
    """What in a robot's URL may be its key: not shown where an answer repeats it."""
    return (*url.query.values(), url.name)


def check_key(text: str, name: str) -> None:
    """Raise ValueError unless it is an HTTP URL whose query has this key."""
    if not http_url(text).query.get(name):
        raise ValueError(f"the robot's URL has {name} in its query")
