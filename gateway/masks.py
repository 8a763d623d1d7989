"""What may be seen of an endpoint's address and options. Pure.

Robots carry their keys in the URL's query or path, Apprise wherever the service has
it, in place of the host too. A webhook's path is the receiver's own and tells its
endpoints apart; its query and custom headers may hold keys.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

MASK = "…"


def masked_url(channel: str, url: str) -> str:
    """Scheme and host; for a webhook the path too, for Apprise the scheme alone."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        return MASK
    if channel == "apprise":
        return f"{scheme}://{MASK}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{scheme}://{MASK}"
    place = f"[{host}]" if ":" in host else host
    address = f"{scheme}://{place}" if port is None else f"{scheme}://{place}:{port}"
    if channel != "webhook":
        return f"{address}/{MASK}"
    return f"{address}{parts.path}?{MASK}" if parts.query or parts.fragment else f"{address}{parts.path}"


def masked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Choices as they are; of what is named by the owner (headers), the names."""
    return {
        name: dict.fromkeys(value, MASK) if isinstance(value, Mapping) else value for name, value in options.items()
    }


def holds_mask(value: Any) -> bool:
    """Whether somebody sends back what was shown in place of a secret."""
    match value:
        case str():
            return MASK in value
        case Mapping():
            return any(holds_mask(inner) for inner in value.values())
        case list() | tuple():
            return any(holds_mask(inner) for inner in value)
    return False
