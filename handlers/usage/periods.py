"""Spans of days and months that statistics are asked for, in the platform's zone. Pure."""

from collections.abc import Iterator
from datetime import date, timedelta

import msgspec

from schemas.mt.statistics import LAST_MONTH, MAX_DAYS, MAX_MONTHS, THIS_MONTH, TODAY, YESTERDAY


class Days(msgspec.Struct, frozen=True):
    """First and last day, both included."""

    first: date
    last: date

    def each(self) -> Iterator[str]:
        """yyyy-MM-dd, ascending."""
        for number in range((self.last - self.first).days + 1):
            yield (self.first + timedelta(days=number)).isoformat()


class Compared(msgspec.Struct, frozen=True):
    """A span, and the one before it that it is compared with."""

    span: Days
    before: Days


def preset(date_type: int, today: date) -> Compared:
    """DateRange of the contract. A month that is not over is compared with as many days of the month before."""
    match date_type:
        case x if x == TODAY:
            return Compared(_day(today), _day(today - timedelta(days=1)))
        case x if x == YESTERDAY:
            return Compared(_day(today - timedelta(days=1)), _day(today - timedelta(days=2)))
        case x if x == THIS_MONTH:
            last_month = month_before(today)
            until = min(last_month.last, last_month.first + timedelta(days=today.day - 1))
            return Compared(Days(today.replace(day=1), today), Days(last_month.first, until))
        case x if x == LAST_MONTH:
            last_month = month_before(today)
            return Compared(last_month, month_before(last_month.first))
    raise ValueError(f"dateType: {date_type} is none")


def month_before(day: date) -> Days:
    """The whole month before that of the day."""
    last = day.replace(day=1) - timedelta(days=1)
    return Days(last.replace(day=1), last)


def days_between(start: str, end: str) -> Days:
    """Of texts yyyy-MM-dd (what follows is not looked at). Raises ValueError: no dates, reversed, or too many."""
    days = Days(_date(start, "startDate"), _date(end, "endDate"))
    if days.last < days.first:
        raise ValueError("endDate: before startDate")
    if (days.last - days.first).days >= MAX_DAYS:
        raise ValueError(f"endDate: at most {MAX_DAYS} days can be asked for")
    return days


def months_between(start: str, end: str) -> list[str]:
    """yyyy-MM, ascending. Raises ValueError: no months, reversed, or too many."""
    first, last = _month(start, "startDate"), _month(end, "endDate")
    if last < first:
        raise ValueError("endDate: before startDate")
    if last - first >= MAX_MONTHS:
        raise ValueError(f"endDate: at most {MAX_MONTHS} months can be asked for")
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(first, last + 1)]


def _day(day: date) -> Days:
    return Days(day, day)


def _date(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise ValueError(f"{field}: yyyy-MM-dd is expected") from None


def _month(text: str, field: str) -> int:
    """Months since the year 0."""
    try:
        first = date.fromisoformat(f"{text[:7]}-01")
    except ValueError:
        raise ValueError(f"{field}: yyyy-MM is expected") from None
    return first.year * 12 + first.month - 1
