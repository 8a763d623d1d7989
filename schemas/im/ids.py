"""Ids: every app is a tenant, so whatever is kept or keyed begins with its SDKAppID."""

MAX_USER_ID_BYTES = 32


def key_of(app: str, *parts: str) -> str:
    """A document's `_id` or a partition key: the app and what is in it, `1400000001/alice`."""
    # User ids are free: a slash in one must not make two keys look like one.
    return "/".join((app, *(part.replace("%", "%25").replace("/", "%2F") for part in parts)))


def is_user_id(text: str) -> bool:
    """Whether an account may be called so: up to 32 bytes of printable ASCII (contract, UserId)."""
    return 0 < len(text) <= MAX_USER_ID_BYTES and text.isascii() and text.isprintable()
