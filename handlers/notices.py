"""Notices, and how many of them each reader has not read."""

from handlers.effects import Effect, Inc, Max
from handlers.outcome import Fact, Outcome
from schemas.events import Event
from schemas.notice import NoticeRaised

NOTICES = "notices"
INBOXES = "inboxes"


def put_notice(event: Event, notice: NoticeRaised) -> Outcome:
    """One unread notice more in its reader's inbox."""
    body = {
        "user_id": notice.user_id,
        "title": notice.title,
        "content": notice.content,
        "detection": notice.detection,
        "at": event.time,
    }
    unread = Effect(INBOXES, notice.user_id, {"unread": Inc(1), "last_notice_at": Max(event.time)})
    return Outcome(Fact(NOTICES, body), (unread,))
