"""When a push may leave: quiet hours and digests, worked out from preferences and the time."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schemas.preferences import Preferences, QuietHours

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def not_before(preferences: Preferences, now: datetime) -> datetime | None:
    """The first instant at which a push that waits for nothing else may leave; None for at once.

    The end of a digest's window, then the end of the quiet hours that this falls into.
    Windows are counted from the epoch, so all pushes of one window share its end.
    """
    leaves = now
    if preferences.digest_minutes is not None:
        window = timedelta(minutes=preferences.digest_minutes)
        leaves = EPOCH + ((now - EPOCH) // window + 1) * window
    if preferences.quiet_hours is not None:
        leaves = quiet_until(preferences.quiet_hours, ZoneInfo(preferences.timezone), leaves) or leaves
    return None if leaves == now else leaves


def quiet_until(quiet: QuietHours, zone: ZoneInfo, at: datetime) -> datetime | None:
    """The end of the quiet hours that `at` lies in; None where it lies in none.

    By the wall clock of the zone: on the day the clocks change, quiet hours are an hour longer or shorter.
    """
    local = at.astimezone(zone)
    wall = local.timetz().replace(tzinfo=None)
    if quiet.start < quiet.end:
        inside, next_day = quiet.start <= wall < quiet.end, False
    else:
        inside, next_day = wall >= quiet.start or wall < quiet.end, wall >= quiet.start
    if not inside:
        return None
    end = _at(local, quiet.end, zone, days=1 if next_day else 0)
    # An hour that the clocks pass twice: the end may be its first pass, behind us in the second.
    return end if end > at else None


def _at(local: datetime, wall: time, zone: ZoneInfo, days: int) -> datetime:
    day = local.date() + timedelta(days=days)
    return datetime.combine(day, wall, zone).astimezone(UTC)
