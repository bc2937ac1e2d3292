"""Wall clocks and instants: vectorised conversion between them for any IANA time zone.

Times are int64 microseconds since 1970-01-01, of the UTC clock (instants) or of the zone's wall clock. Offsets come
from `zoneinfo`; a table of the changes within each year is worked out once, so arrays convert by one binary search.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from functools import lru_cache

import numpy as np

from ..errors import SettingError, suggest

__all__ = ["WallClock", "check_zone", "instants_to_wall", "wall_to_instants"]

SECOND = 1_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_YEARS = (2, 9998)
_FIRST_YEAR = 1800  # no zone of the database has a change before: until then its local mean time
_RULED = 2100  # from here on a zone repeats its last rules; these, and the calendar, repeat every 400 years
_CYCLE = 146_097 * 86_400  # seconds of 400 years


def check_zone(zone: str | None) -> str | None:
    """`zone` itself where it is None or an IANA name; raises SettingError for anything else.

    >>> check_zone("Europe/Berlin")
    'Europe/Berlin'
    """
    if zone is not None:
        _info(zone)
    return zone


def instants_to_wall(instants: np.ndarray, zone: str | None) -> np.ndarray:
    """The wall clock (N,) int64 µs that shows at `instants` (N,) int64 µs in `zone`; unchanged without one."""
    if zone is None or zone == "UTC" or not len(instants):
        return instants
    changes, offsets = _table(zone, int(instants.min()), int(instants.max()))
    return instants + offsets[np.searchsorted(changes, instants, side="right")]


class WallClock:
    """Wall-clock times (N,) int64 µs of a zone, and which of them show twice or never.

    `repeated` (N,) bool: the clock showed that time twice (set back in autumn). `skipped` (N,) bool: it never showed it
    (set forward in spring). `change` (N,) int64 numbers the clock change that a repeated or skipped time belongs to.
    """

    def __init__(self, wall: np.ndarray, zone: str) -> None:
        if len(wall):
            changes, self._offsets = _table(zone, int(wall.min()) - 86_400 * SECOND, int(wall.max()) + 86_400 * SECOND)
        else:
            changes, self._offsets = np.empty(0, np.int64), np.zeros(1, np.int64)
        self.wall = wall
        self._before = np.searchsorted(changes + self._offsets[:-1], wall, side="right")
        self._after = np.searchsorted(changes + self._offsets[1:], wall, side="right")
        self.repeated = self._after > self._before
        self.skipped = self._after < self._before
        self.change = np.maximum(self._before, self._after)

    def instants(self, second: np.ndarray | None = None) -> np.ndarray:
        """Instants (N,) int64 µs; a repeated time is taken at its first showing, or its second where `second` is true.

        A skipped time moves forward by as much as the clock was set (as RFC 5545 and PEP 495 do).
        """
        which = np.minimum(self._before, self._after)
        if second is not None:
            which = np.where(second & self.repeated, self._after, which)
        return self.wall - self._offsets[which]


def wall_to_instants(wall: np.ndarray, zone: str | None) -> np.ndarray:
    """Instants (N,) int64 µs of wall-clock times (N,): first showing where repeated, moved forward where skipped."""
    if zone is None or zone == "UTC":
        return wall
    return WallClock(wall, zone).instants()


def _info(zone: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        known = zoneinfo.available_timezones()
        raise SettingError(
            f"zone: expected an IANA time zone such as 'Europe/Berlin', got {zone!r}.{suggest(str(zone), known)}"
        ) from None


def _table(zone: str, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Instants (M,) at which the offset changes between `low` and `high`, and the offsets (M+1,) around them, in µs."""
    first, last = (
        min(max(int(np.datetime64(t, "us").astype("M8[Y]").astype(np.int64)) + 1970, _YEARS[0]), _YEARS[1])
        for t in (low, high)
    )
    changes: list[int] = []
    offsets = [_year(zone, first)[0]]
    for year in range(first, last + 1):
        for instant, offset in _year(zone, year)[1]:
            changes.append(instant * SECOND)
            offsets.append(offset)
    return np.array(changes, dtype=np.int64), np.array(offsets, dtype=np.int64) * SECOND


@lru_cache(maxsize=8192)
def _year(zone: str, year: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """The offset in seconds at the start of a UTC year, and the (instant, offset) of each change within it."""
    if year < _FIRST_YEAR:
        return _year(zone, _FIRST_YEAR)[0], ()
    if year >= _RULED + 400:
        cycles = (year - _RULED) // 400
        first, found = _year(zone, year - 400 * cycles)
        return first, tuple((instant + cycles * _CYCLE, offset) for instant, offset in found)
    info = _info(zone)

    def offset_at(second: int) -> int:
        offset = (_EPOCH + dt.timedelta(seconds=second)).astimezone(info).utcoffset()
        return 0 if offset is None else int(offset.total_seconds())

    start, end = (int((dt.datetime(y, 1, 1, tzinfo=dt.UTC) - _EPOCH).total_seconds()) for y in (year, year + 1))
    first = before = offset_at(start)
    changes: list[tuple[int, int]] = []
    for probe in range(start + 86_400, end + 1, 86_400):
        after = offset_at(probe)
        if after != before:
            low, high = probe - 86_400, probe
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_at(middle) == before else (low, middle)
            changes.append((high, after))
            before = after
    return first, tuple(changes)
