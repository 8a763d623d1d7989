"""Access tokens: compared in constant time, whatever bytes a caller sends."""

from collections.abc import Callable, Iterable, Mapping
from hmac import compare_digest

from pydantic import SecretStr

from gateway.system import Call
from schemas.errors import Refused


class Tokens:
    """The tokens a system accepts."""

    def __init__(self, tokens: Iterable[SecretStr]) -> None:
        self._known = [token.get_secret_value().encode() for token in tokens]

    def __bool__(self) -> bool:
        return bool(self._known)

    def accept(self, token: str | None) -> bool:
        """Whether this is one of them. How long it takes tells at most the length of one, never what is in it."""
        if not token:
            return False
        # Headers arrive with surrogates in place of bytes that are not UTF-8.
        sent = token.encode("utf-8", "surrogatepass")
        # All of them, whichever fits: which one it was is not to be told by the time either.
        fits = [compare_digest(sent, known) for known in self._known]
        return any(fits)


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """The token of an `Authorization: Bearer` header (RFC 6750, section 2.1)."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def by_bearer(tokens: Iterable[SecretStr], setting: str) -> Callable[[Call], None]:
    """Lets in who sends one of these tokens, which are set by `setting`."""
    known = Tokens(tokens)

    def authenticate(call: Call) -> None:
        if not known:
            raise Refused("not_configured", f"{setting} is not set: nobody has access here")
        if not known.accept(bearer_token(call.headers)):
            raise Refused("unauthenticated", "send a known token as Authorization: Bearer")

    return authenticate
