"""What all operations of the metering platform share: paging, money and times as the contract writes them.

metering.yaml: PageQuery, PageMeta, IdRequest, IdsRequest. Money is a JSON number of yuan there
and an integer of micro-units (1e-6 yuan) here; times are `yyyy-MM-dd HH:mm:ss` of one time zone
there and UTC here.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec

from schemas.cloudevents import to_millisecond
from schemas.errors import Refused
from schemas.numbers import Int64

MICRO = 1_000_000
MAX_YUAN = Decimal(1_000_000_000)
"""Below it a number with six places is exact in any client's JSON, whatever it calculates with."""

DEFAULT_PAGE = 10
MAX_PAGE = 1_000
MAX_SKIPPED = 1_000_000
"""Rows that a page may have before it."""

PageNo = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
PageSize = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)]


class Row(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """What is answered. A field that is None is left out: the contract has no nulls."""


class PageQuery(msgspec.Struct, rename="camel", kw_only=True):
    """The paging part of a list's request; the request inherits it."""

    page_no: PageNo = 1
    page_size: PageSize = DEFAULT_PAGE
    non_page: bool = False
    large_page: bool = False

    @property
    def skip(self) -> int:
        """Rows before the page. Refuses bad_field past MAX_SKIPPED."""
        skipped = 0 if self.non_page else (self.page_no - 1) * self.page_size
        if skipped > MAX_SKIPPED:
            raise Refused("bad_field", f"pageNo: at most {MAX_SKIPPED} rows can be skipped; narrow the filters")
        return skipped


class Page(msgspec.Struct, rename="camel", kw_only=True):
    """A page of rows (PageOf..., PageMeta)."""

    page_no: int
    page_size: int
    has_next: bool
    total: int
    is_large: bool
    results: Sequence[Any]


def page_of(results: Sequence[Any], total: int, query: PageQuery) -> Page:
    """`results` are the rows of the page, `total` is the number of rows of all pages."""
    if query.non_page:
        return Page(page_no=1, page_size=len(results), has_next=False, total=total, is_large=False, results=results)
    return Page(
        page_no=query.page_no,
        page_size=query.page_size,
        has_next=query.skip + len(results) < total,
        total=total,
        is_large=query.large_page,
        results=results,
    )


class IdRequest(msgspec.Struct, rename="camel", kw_only=True):
    id: Int64


class IdsRequest(msgspec.Struct, rename="camel", kw_only=True):
    ids: Annotated[list[Int64], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]


# ---- money ----------------------------------------------------------------------------------------------------------


def micro_of(amount: Decimal, field: str) -> int:
    """Micro-units of an amount in yuan. Refuses bad_field where it has more than six places, or is no amount."""
    if not amount.is_finite() or abs(amount) >= MAX_YUAN:
        raise Refused("bad_field", f"{field}: an amount below {MAX_YUAN} yuan is expected")
    micro = amount * MICRO
    if micro != micro.to_integral_value():
        raise Refused("bad_field", f"{field}: an amount has six places at most")
    return int(micro)


def price_of(amount: Decimal, field: str) -> int:
    """The same, of an amount that cannot be negative."""
    if amount < 0:
        raise Refused("bad_field", f"{field}: cannot be negative")
    return micro_of(amount, field)


def yuan(micro: int) -> Decimal:
    """The amount in yuan, exact, without zeros at its end."""
    whole, rest = divmod(abs(micro), MICRO)
    sign = "-" if micro < 0 else ""
    places = f"{rest:06d}".rstrip("0")
    return Decimal(f"{sign}{whole}.{places}" if places else f"{sign}{whole}")


# ---- times ----------------------------------------------------------------------------------------------------------

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
DATE_CHARS = len("yyyy-MM-dd")


class Zone:
    """The time zone that the platform's days and texts are of."""

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)

    def text(self, at: datetime) -> str:
        """`yyyy-MM-dd HH:mm:ss`."""
        return at.astimezone(self._zone).strftime(TIME_FORMAT)

    def day(self, at: datetime) -> str:
        """`yyyy-MM-dd`: the day that a moment belongs to."""
        return at.astimezone(self._zone).date().isoformat()

    def hour(self, at: datetime) -> str:
        """`yyyy-MM-dd HH`."""
        return at.astimezone(self._zone).isoformat(" ", "hours")[:13]

    def month(self, at: datetime) -> str:
        """`yyyy-MM`."""
        return self.day(at)[:7]

    def moment(self, text: str, field: str) -> datetime:
        """The moment, in UTC, of a text `yyyy-MM-dd HH:mm:ss` or `yyyy-MM-dd` (its first). Refuses bad_field.

        Of a time that the clocks show twice it is the first.
        """
        for form in (TIME_FORMAT, "%Y-%m-%d"):
            try:
                return datetime.strptime(text, form).replace(tzinfo=self._zone).astimezone(UTC)
            except (ValueError, OverflowError):
                continue
        raise Refused("bad_field", f"{field}: yyyy-MM-dd HH:mm:ss is expected")

    def utc(self, time: datetime) -> datetime:
        """The moment, in UTC and to the millisecond, of a time that is one of this zone where it does not say."""
        aware = time if time.tzinfo is not None else time.replace(tzinfo=self._zone)
        return to_millisecond(aware.astimezone(UTC))

    def moment_after(self, text: str, field: str) -> datetime:
        """The first moment after what a text names, a second or a whole day: where a range that includes it ends."""
        moment = self.moment(text, field)
        return moment + timedelta(seconds=1) if len(text) > DATE_CHARS else self.end_of(self.today(moment))

    def start_of(self, day: date) -> datetime:
        """When a day begins, in UTC."""
        return datetime(day.year, day.month, day.day, tzinfo=self._zone).astimezone(UTC)

    def end_of(self, day: date) -> datetime:
        """When the day after it begins, in UTC."""
        return self.start_of(day + timedelta(days=1))

    def today(self, now: datetime) -> date:
        return now.astimezone(self._zone).date()
