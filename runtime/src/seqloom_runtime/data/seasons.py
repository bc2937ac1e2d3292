"""The season that is usual for rows of a frequency: a year, a week or a day."""

from __future__ import annotations

from .frequency import DAY, Frequency

__all__ = ["usual_season"]


def usual_season(frequency: Frequency) -> float | None:
    """The season in rows, not necessarily whole: a year for rows of five days and more, a week for days, a day below.

    None where the rows have no times or are a year and more apart.

    >>> usual_season(Frequency(kind="month", n=1)), usual_season(Frequency(kind="business"))
    (12.0, 5.0)
    """
    kind, n = frequency.kind, frequency.n
    if kind == "month":
        return 12 / n if n < 12 else None
    if kind == "business":
        return 5.0
    if kind == "step":
        return None
    step = n * DAY if kind == "day" else n
    if step >= 5 * DAY:
        return 365.25 * DAY / step
    return 7 * DAY / step if step >= DAY else DAY / step
