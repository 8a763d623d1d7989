"""Recipients in paths: `/inbox/user/7` is about `user/7`; a slash within an id is sent as %2F."""

import msgspec

from gateway.system import Call
from schemas.errors import Refused
from schemas.push import Recipient


def recipient_in(call: Call, prefix: str, suffix: str = "") -> str:
    """The recipient between the two. Refuses what is none."""
    recipient = call.path.removeprefix(f"{prefix}/").removesuffix(suffix)
    try:
        recipient.encode()
        return msgspec.convert(recipient, Recipient)
    except (UnicodeEncodeError, msgspec.ValidationError):
        raise Refused(
            "bad_field", "a recipient is user/ID, contact/ID, customer/ID, email/ADDRESS or endpoint/ID"
        ) from None
