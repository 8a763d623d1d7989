"""open_msg_svc/get_history: bodies, the hours that files are of, and when there are files.

contracts/im-semantics.md, section 14: hours are UTC+8's, files appear about an hour after
theirs has ended and are kept for 7 days.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Literal

import msgspec

from schemas.im.bodies import Fields, Request

ZONE = timezone(timedelta(hours=8))
HOUR = timedelta(hours=1)
SETTLED = timedelta(hours=1)
"""After the end of an hour: what is on its way in Kafka has arrived by then."""
KEPT = timedelta(days=7)


class Hour(msgspec.Struct, frozen=True):
    """`start` is aware and whole."""

    start: datetime

    @property
    def end(self) -> datetime:
        return self.start + HOUR

    @property
    def ready_at(self) -> datetime:
        """From when on its files are made."""
        return self.end + SETTLED

    @property
    def expires_at(self) -> datetime:
        return self.ready_at + KEPT

    def __str__(self) -> str:
        """As the API writes it: yyyymmddHH."""
        return f"{self.start.astimezone(ZONE):%Y%m%d%H}"


def parse_hour(text: str) -> Hour | None:
    """None where there is no such hour."""
    try:
        start = datetime.strptime(text, "%Y%m%d%H").replace(tzinfo=ZONE)
        return Hour(start.astimezone(UTC)) if len(text) == 10 and text.isascii() and text.isdigit() else None
    except (ValueError, OverflowError):
        return None


def last_ready(now: datetime) -> Hour:
    """The newest hour whose files are to be made by now."""
    ended = now - SETTLED - HOUR
    return Hour(ended.astimezone(UTC).replace(minute=0, second=0, microsecond=0))


class GetHistory(Request, frozen=True, kw_only=True):
    chat_type: Literal["C2C", "Group"]
    msg_time: Annotated[str, msgspec.Meta(pattern="^[0-9]{10}$")]


class HistoryFile(Fields, frozen=True, kw_only=True, rename=None):
    """One file of an hour; `ExpireTime` is the link's, in UTC+8 as all else here."""

    url: str = msgspec.field(name="URL")
    expire_time: str = msgspec.field(name="ExpireTime")
    file_size: int = msgspec.field(name="FileSize")
    file_md5: str = msgspec.field(name="FileMD5")
    gzip_size: int = msgspec.field(name="GzipSize")
    gzip_md5: str = msgspec.field(name="GzipMD5")


class HistoryFiles(Fields, frozen=True, kw_only=True):
    file: tuple[HistoryFile, ...]
