"""Old report templates that are to be taken over: asked for by operators, done by whoever keeps reports.

metering.yaml, crmApiHistoryRsTemplateSync. The platform keeps no templates here: it tells those
who do, by an event.
"""

from typing import Annotated

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import Int64, Key

MAX_TEMPLATES = 1_000


class TemplateSyncRequested(msgspec.Struct, frozen=True, kw_only=True):
    """Templates named, all of a user's, or (both left out) all there are, are to be synchronised."""

    key: Key
    """The user, or `all`."""
    user_id: Int64 | None = None
    template_ids: Annotated[tuple[Int64, ...], msgspec.Meta(max_length=MAX_TEMPLATES)] = ()
    by: Int64
    """User id of the operator."""


EVENT_TYPES = (
    EventType(
        "report.templates.sync.requested",
        TemplateSyncRequested,
        "Old report templates are to be synchronised",
        key="key",
        internal=True,
    ),
)
