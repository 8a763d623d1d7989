"""Pushes: something is to reach somebody. Where and when is decided by the recipient's bindings and preferences."""

from typing import Annotated, Any, Literal

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import NO_NUL, Key, LongText, Text, check_free_form

Urgency = Literal["low", "normal", "high", "critical"]
Language = Literal["zh", "en"]

Recipient = Annotated[
    str, msgspec.Meta(min_length=3, max_length=272, pattern="^(user|contact|customer|email|endpoint)/[^\0]+$")
]
"""Who is to be reached: `user/ID`, `contact/ID`, `customer/ID`, `email/ADDRESS` or `endpoint/ID`."""

MAX_ATTACHMENTS = 10
FileId = Annotated[str, msgspec.Meta(min_length=1, max_length=512, pattern=NO_NUL)]
Attachments = Annotated[tuple[FileId, ...], msgspec.Meta(max_length=MAX_ATTACHMENTS)]
"""Ids of files that are kept."""

INBOX = "inbox"
"""The channel that every push takes, whatever else it takes."""


class PushRequested(msgspec.Struct, frozen=True, kw_only=True):
    """Something is to reach somebody.

    The text is `title` and `body`; where both are left out, the template of `kind` in
    the recipient's language makes them from `fields`.
    """

    recipient: Recipient
    kind: Key = "message"
    """What it is about, as an event type: picks template and preferences."""
    title: Text | None = None
    body: LongText | None = None
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    """What a template may name, and what a webhook passes on."""
    urgency: Urgency = "normal"
    """`critical` passes quiet hours and digests."""
    ordered_by: Key | None = None
    """Pushes to one endpoint with the same value arrive in the order in which they were asked for."""
    language: Language | None = None
    """In place of the recipient's own."""
    channels: tuple[Key, ...] | None = None
    """Only by these, of those the recipient can be reached by; the inbox always."""
    except_endpoint: Key | None = None
    """Not by this endpoint: what is told about it must not be told by it."""
    attachments: Attachments | None = None
    """Files that go with it where the channel can carry them: by e-mail. Whoever names a file hands it out, so
    this is not for callers."""

    def __post_init__(self) -> None:
        check_free_form(self.fields, "$.fields")
        if self.title is None and self.body is None and self.kind == "message":
            raise ValueError("a push has a title, a body, or a kind that has a template")


EVENT_TYPES = (
    EventType(
        "push.requested",
        PushRequested,
        "Something is to reach somebody",
        key="recipient",
        own_fields=("attachments",),
    ),
)
