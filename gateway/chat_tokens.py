"""Chat and socket tokens: JSON Web Tokens, signed with HS256.

Claims: `iss` fanfold, `aud` chat or socket, `sub` the caller's `userid` where it is
sent, `iat`, `exp`, `jti`.
"""

from datetime import timedelta

import jwt
from ulid import ULID

from config.settings import ChatSettings
from gateway.system import Call, Reply
from schemas.chat import ChatToken, SocketAddress
from schemas.errors import Refused

ISSUER = "fanfold"
ALGORITHM = "HS256"


class TokenDesk:
    def __init__(self, settings: ChatSettings) -> None:
        self._settings = settings

    async def get_chat_token(self, call: Call) -> Reply:
        return Reply(ChatToken(token=self._token(call, "chat"), expires_in=self._settings.token_seconds))

    async def get_socket_url(self, call: Call) -> Reply:
        return Reply(
            SocketAddress(
                url=self._settings.socket_url,
                token=self._token(call, "socket"),
                expires_in=self._settings.token_seconds,
            )
        )

    def _token(self, call: Call, audience: str) -> str:
        if self._settings.token_key is None:
            raise Refused("not_configured", "FANFOLD_CHAT__TOKEN_KEY is not set: no token can be signed")
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "iat": call.received_at,
            "exp": call.received_at + timedelta(seconds=self._settings.token_seconds),
            "jti": str(ULID()),
        }
        if caller := call.query.get("userid"):
            claims["sub"] = caller
        return jwt.encode(claims, self._settings.token_key.get_secret_value(), algorithm=ALGORITHM)
