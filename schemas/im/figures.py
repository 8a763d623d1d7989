"""openconfigsvr/getappinfo: bodies, and the days that figures are of.

contracts/im-semantics.md, section 14: at most 30 days, all numbers as texts. It names no zone; hours are UTC+8's
there, and so are days.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

import msgspec

from schemas.im.bodies import Fields, Request

ZONE = timezone(timedelta(hours=8))
DAY = timedelta(days=1)
MAX_DAYS = 30

Name = Literal[
    "AppName",
    "AppId",
    "Company",
    "ActiveUserNum",
    "RegistUserNumOneDay",
    "RegistUserNumTotal",
    "LoginTimes",
    "LoginUserNum",
    "UpMsgNum",
    "SendMsgUserNum",
    "APNSMsgNum",
    "C2CUpMsgNum",
    "C2CDownMsgNum",
    "C2CSendMsgUserNum",
    "C2CAPNSMsgNum",
    "MaxOnlineNum",
    "DownMsgNum",
    "ChainIncrease",
    "ChainDecrease",
    "GroupUpMsgNum",
    "GroupDownMsgNum",
    "GroupSendMsgUserNum",
    "GroupAPNSMsgNum",
    "GroupSendMsgGroupNum",
    "GroupJoinGroupTimes",
    "GroupQuitGroupTimes",
    "GroupNewGroupNum",
    "GroupAllGroupNum",
    "GroupDestroyGroupNum",
    "CallBackReq",
    "CallBackRsp",
    "Date",
]


class Day(msgspec.Struct, frozen=True, order=True):
    """A calendar day in UTC+8. `start` is aware."""

    start: datetime

    @property
    def end(self) -> datetime:
        return self.start + DAY

    def __str__(self) -> str:
        """As the API writes it: yyyymmdd."""
        return day_name(self.start)


def day_name(at: datetime) -> str:
    """Of the day in which this is."""
    local = at.astimezone(ZONE)
    return f"{local.year:04d}{local.month:02d}{local.day:02d}"


def day_of(at: datetime) -> Day:
    local = at.astimezone(ZONE)
    return Day(local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC))


def parse_day(text: str) -> Day | None:
    """None where there is no such day."""
    try:
        return day_of(datetime.strptime(text, "%Y%m%d").replace(tzinfo=ZONE)) if len(text) == 8 else None
    except (ValueError, OverflowError):
        return None


def last_days(now: datetime) -> Iterator[Day]:
    """Today first."""
    today = day_of(now)
    return (Day(today.start - back * DAY) for back in range(MAX_DAYS))


class GetAppInfo(Request, frozen=True, kw_only=True):
    request_field: tuple[Name, ...] | None = None
    """Left out, all."""


class AppInfo(Fields, frozen=True, kw_only=True):
    result: list[dict[str, str]]
    """A day each, newest first."""
