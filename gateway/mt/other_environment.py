"""The other environment (test beside production): a change here may be made there too.

The operation with `sync` in its name is called there, with a token of the other
environment and signed with a secret that both share (Standard Webhooks 1.0). There it is made as
if it had been asked for there, and passed on no further. It is made there first: where
that fails, nothing was changed here, and a repeat does no harm.
"""

import hmac
from datetime import timedelta
from typing import Any

import aiohttp
import msgspec
import orjson
import structlog
from ulid import ULID

from channels.http import read_beginning
from channels.net import Net
from channels.signing import signatures
from config.settings import OtherEnvironmentSettings
from gateway.system import Call
from schemas.errors import Refused
from schemas.mt.codes import SUCCESS, MtRefused
from schemas.mt.product_codes import OTHER_ENVIRONMENT

log = structlog.get_logger()

SETTING = "FANFOLD_METERING__OTHER_ENVIRONMENT"
TOLERANCE = timedelta(minutes=5)
"""How far a signature's time may be from ours (Standard Webhooks, "Verifying webhook authenticity")."""
MAX_ANSWER = 64 * 1024


class Answered(msgspec.Struct):
    code: int
    msg: str = ""


class OtherEnvironment:
    """Without settings it can be made; each use then refuses with not_configured."""

    def __init__(self, settings: OtherEnvironmentSettings | None, net: Net | None) -> None:
        self._settings = settings
        self._net = net

    async def apply(self, path: str, body: dict[str, Any], call: Call) -> None:
        """Make a change there. Refuses OTHER_ENVIRONMENT where it was not taken, and not_configured."""
        settings = self._configured
        if self._net is None:
            raise RuntimeError("calls of others go out where a gateway runs")
        content = orjson.dumps({**body, "syncOtherEnv": False})
        message_id, timestamp = str(ULID()), int(call.received_at.timestamp())
        headers = {
            "Authorization": f"Bearer {settings.token.get_secret_value()}",
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures([settings.secret.get_secret_value()], message_id, timestamp, content),
        }
        try:
            async with self._net.session.post(f"{settings.url}{path}", data=content, headers=headers) as response:
                answered = msgspec.json.decode(await read_beginning(response, MAX_ANSWER), type=Answered)
        except (TimeoutError, aiohttp.ClientError, OSError, msgspec.MsgspecError) as error:
            log.warning("other_environment_failed", path=path, error=type(error).__name__)
            raise MtRefused(OTHER_ENVIRONMENT, "the other environment did not answer: nothing was changed") from None
        if answered.code != SUCCESS:
            raise MtRefused(OTHER_ENVIRONMENT, f"the other environment refused: {answered.msg[:200]} ({answered.code})")

    def check(self, call: Call) -> None:
        """Whether a call comes from the other environment. Refuses bad_signature, stale and not_configured."""
        secret = self._configured.secret.get_secret_value()
        message_id, stamp = call.headers.get("webhook-id", ""), call.headers.get("webhook-timestamp", "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
            raise Refused("bad_signature", "webhook-timestamp: seconds since 1970 are expected")
        if abs(call.received_at.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
            raise Refused("stale", "webhook-timestamp is too far from now")
        good = signatures([secret], message_id, int(stamp), call.raw_bytes)
        given = call.headers.get("webhook-signature", "").split()
        if not any(hmac.compare_digest(good.encode(), one.encode("utf-8", "surrogatepass")) for one in given):
            raise Refused("bad_signature", "webhook-signature does not fit the body")

    @property
    def _configured(self) -> OtherEnvironmentSettings:
        if self._settings is None:
            raise Refused("not_configured", f"{SETTING} is not set: there is no other environment to synchronise with")
        return self._settings
