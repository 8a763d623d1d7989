"""Access tokens: compared in constant time, whatever bytes a caller sends."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest

from pydantic import SecretStr


class Tokens:
    """The tokens a system accepts."""

    def __init__(self, tokens: Iterable[SecretStr]) -> None:
        self._digests = [sha256(token.get_secret_value().encode()).digest() for token in tokens]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def accept(self, token: str | None) -> bool:
        """Whether this is one of them. Takes as long for a wrong one as for a right one."""
        # Headers arrive with surrogates in place of bytes that are not UTF-8.
        digest = sha256((token or "").encode("utf-8", "surrogatepass")).digest()
        matches = [compare_digest(digest, known) for known in self._digests]
        return token is not None and any(matches)


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """The token of an `Authorization: Bearer` header (RFC 6750, section 2.1)."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
