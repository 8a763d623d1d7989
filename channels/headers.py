"""HTTP headers that an endpoint may ask for besides ours."""

import re
from collections.abc import Mapping

MOST = 20
VALUE_CHARS = 4_096
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
"""RFC 9110, 5.6.2."""
OURS = frozenset(
    # What describes the message, and what concerns one connection only (RFC 9110, 7.6.1).
    [
        "host",
        "content-length",
        "content-type",
        "content-encoding",
        "accept-encoding",
        "user-agent",
        "expect",
        "date",
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise ValueError, without a value in it, where a header could not or must not be sent."""
    if len(headers) > MOST:
        raise ValueError(f"at most {MOST} headers are sent along")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is named twice")
    for name, value in headers.items():
        if not TOKEN.fullmatch(name):
            raise ValueError(f"not a header's name: {name[:128]!r}")
        if name.lower() in OURS or name.lower().startswith("webhook-"):
            raise ValueError(f"{name} is not for an endpoint to set")
        if len(value) > VALUE_CHARS or not value.isprintable() or not value.isascii():
            raise ValueError(f"{name}: at most {VALUE_CHARS} printable ASCII characters are expected")
