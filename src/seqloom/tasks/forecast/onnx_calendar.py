"""The calendar in ONNX's operators: sine and cosine of the time of day, of week and of year, as `data.calendar` has it.

Times are whole numbers, microseconds since 1970 by the local wall clock; what a clock change or a time zone makes of
instants is for the program to work out, as no standard operator knows either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...nn.onnx_graph import Graph

__all__ = ["slot_of", "waves_of"]

_DAY = 86_400_000_000
_MONDAY = 3 * _DAY
_EPOCH = 719_468  # days from 1 March of the year 0 to 1970
_CENTURIES = 146_097  # days of 400 years


def waves_of(graph: Graph, time: str, cycles: Sequence[str]) -> str:
    """time (…) int64 → sine and cosine of each cycle (…, 2 · cycles) float32."""
    parts = []
    for cycle in cycles:
        if cycle == "day":
            share = _share(graph, _rest(graph, time, _DAY), graph.whole_number(_DAY))
        elif cycle == "week":
            shifted = graph.node("Add", time, graph.whole_number(_MONDAY))
            share = _share(graph, _rest(graph, shifted, 7 * _DAY), graph.whole_number(7 * _DAY))
        else:
            share = _year_share(graph, time)
        angle = graph.node("Mul", share, graph.wide_number(2 * math.pi))
        parts += [graph.cast(graph.node(wave, angle), "FLOAT") for wave in ("Sin", "Cos")]
    parts = [graph.node("Unsqueeze", part, graph.whole(-1)) for part in parts]
    return graph.node("Concat", *parts, axis=-1)


def slot_of(graph: Graph, time: str, slots: int) -> str:
    """Each time's place in the day (…), from 0 to slots − 1."""
    return _floored(graph, _rest(graph, time, _DAY), _DAY // slots)


def _rest(graph: Graph, value: str, by: int) -> str:
    """The remainder from 0 on, of values below 0 too."""
    return graph.node("Mod", value, graph.whole_number(by))


def _floored(graph: Graph, value: str, by: int) -> str:
    """⌊value / by⌋ of values from 0 on."""
    return graph.node("Div", value, graph.whole_number(by))


def _plus(graph: Graph, *parts: str) -> str:
    total = parts[0]
    for part in parts[1:]:
        total = graph.node("Add", total, part)
    return total


def _times(graph: Graph, value: str, by: int) -> str:
    return graph.node("Mul", value, graph.whole_number(by))


def _share(graph: Graph, elapsed: str, length: str) -> str:
    return graph.node("Div", graph.cast(elapsed, "DOUBLE"), graph.cast(length, "DOUBLE"))


def _year_share(graph: Graph, time: str) -> str:
    """How much of its year has passed. The year of a day: Hinnant, "chrono-compatible low-level date algorithms"."""
    days = graph.node("Sub", time, _rest(graph, time, _DAY))
    days = graph.node("Add", _exact(graph, days), graph.whole_number(_EPOCH))
    era = _floored(graph, days, _CENTURIES)
    of_era = graph.node("Sub", days, _times(graph, era, _CENTURIES))
    fourth, century = _floored(graph, of_era, 1460), _floored(graph, of_era, 36_524)
    odd = graph.node("Sub", graph.node("Sub", of_era, fourth), _floored(graph, of_era, 146_096))
    year_of_era = _floored(graph, graph.node("Add", odd, century), 365)
    year = graph.node("Add", year_of_era, _times(graph, era, 400))
    # Days of a year that begins in March; from the 307th on it is January of the next.
    passed = graph.node("Sub", of_era, _before(graph, year_of_era))
    later = graph.node("GreaterOrEqual", passed, graph.whole_number(306))
    year = graph.node("Add", year, graph.cast(later, "INT64"))
    start = _new_year(graph, year)
    length = graph.node("Sub", _new_year(graph, graph.node("Add", year, graph.whole_number(1))), start)
    elapsed = graph.node("Sub", time, _times(graph, start, _DAY))
    return _share(graph, elapsed, _times(graph, length, _DAY))


def _exact(graph: Graph, whole_days: str) -> str:
    """Microseconds of whole days as days; exact below 0 too, where the division rounds towards 0."""
    return graph.node("Div", whole_days, graph.whole_number(_DAY))


def _before(graph: Graph, year_of_era: str) -> str:
    """The days of an era before a year of it: 365 y + ⌊y / 4⌋ − ⌊y / 100⌋."""
    leaps = graph.node("Sub", _floored(graph, year_of_era, 4), _floored(graph, year_of_era, 100))
    return graph.node("Add", _times(graph, year_of_era, 365), leaps)


def _new_year(graph: Graph, year: str) -> str:
    """The day, counted from 1970, on which a year begins: day 306 of the one before, which begins in March."""
    march = graph.node("Sub", year, graph.whole_number(1))
    era = _floored(graph, march, 400)
    of_era = graph.node("Sub", march, _times(graph, era, 400))
    return _plus(graph, _times(graph, era, _CENTURIES), _before(graph, of_era), graph.whole_number(306 - _EPOCH))
