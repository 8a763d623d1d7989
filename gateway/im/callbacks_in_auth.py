"""Who may send callbacks: one who knows an app's token, or who calls from an allowed address.

Later versions of the IM server sign the URL: `Sign = sha256(Token + RequestTime)` in hex,
both in the query (contracts/im-semantics.md, section 15). Where it does not, the token itself may
stand in the URL that is registered there, as `Token`.
"""

from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_address

from config.settings import ImCallbacksIn
from gateway.system import Call
from gateway.tokens import Tokens
from schemas.errors import Refused
from schemas.im.callbacks import sign

WINDOW_SECONDS = 300
"""How far RequestTime may be from now: so long a URL that somebody saw can be used again."""


class Gate:
    """Of one app. What is set must hold: both, where both are."""

    def __init__(self, settings: ImCallbacksIn) -> None:
        self._token = settings.token
        self._tokens = Tokens([settings.token] if settings.token is not None else [])
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(settings.allow_networks)

    def check(self, call: Call) -> None:
        if self._token is None and not self._networks:
            raise Refused("not_configured", "the app's callbacks_in has neither token nor allow_networks")
        if self._networks and not self._is_allowed(call.remote):
            raise Refused("forbidden", "callbacks of this app do not come from this address")
        if self._token is not None:
            self._check_token(call, self._token.get_secret_value())

    def _is_allowed(self, remote: str) -> bool:
        try:
            address = ip_address(remote)
        except ValueError:
            return False
        # A socket for both protocols shows IPv4 addresses as IPv6 ones.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)

    def _check_token(self, call: Call, token: str) -> None:
        signature, request_time = call.query.get("Sign"), call.query.get("RequestTime", "")
        if signature is None:
            if not self._tokens.accept(call.query.get("Token")):
                raise Refused("unauthenticated", "neither Sign nor Token in the query")
            return
        if not compare_digest(signature.encode("utf-8", "surrogatepass"), sign(token, request_time).encode()):
            raise Refused("bad_signature", "Sign is not the SHA-256 of token and RequestTime")
        if not (request_time.isascii() and request_time.isdigit()):
            raise Refused("stale", "RequestTime is not Unix seconds")
        if abs(call.received_at.timestamp() - int(request_time[:12])) > WINDOW_SECONDS:
            raise Refused("stale", f"RequestTime is more than {WINDOW_SECONDS} s from now")
