"""Which rows of a table a repair filled, in a sentence: they are neither learned from nor scored."""

from __future__ import annotations

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.data.decisions import Decision
from seqloom_runtime.data.findings import filled_with
from seqloom_runtime.errors import shown
from seqloom_runtime.tables import time_text

__all__ = ["gap_decisions"]

_NAMED = 5


def gap_decisions(panel: Panel) -> list[Decision]:
    """What was filled, with what and where, and what stays missing; nothing where the table has no gap."""
    filled = panel.filled & np.isfinite(panel.values)
    how = filled_with(panel.fill, 0)[1] if panel.fill != "season" else "the values a season before"
    said = []
    if filled.any():
        text = (
            f"Filled with {how or 'nothing'}, neither learned from nor scored: {_listed(panel, filled)}; another limit "
            "can be named (max_fill=)."
        )
        said.append(Decision("gaps", text, option="max_fill"))
    missing = ~np.isfinite(panel.values)
    if missing.any():
        text = f"Missing and not filled, so without a score of their own: {_listed(panel, missing)}; "
        said.append(Decision("gaps", text + "another limit can be named (max_fill=).", option="max_fill"))
    return said


def _listed(panel: Panel, cells: np.ndarray) -> str:
    """The first stretches of rows of the mask (R, F), each with its columns."""
    runs: dict[tuple[int, int], list[str]] = {}
    series = panel.series_index
    for column, name in enumerate(panel.columns):
        rows = np.flatnonzero(cells[:, column])
        new = (np.diff(rows) != 1) | (np.diff(panel.tick[rows]) != 1) | (np.diff(series[rows]) != 0)
        for run in np.split(rows, np.flatnonzero(new) + 1):
            if len(run):
                runs.setdefault((int(run[0]), int(run[-1])), []).append(name)
    named = [_stretch(panel, first, last, columns) for (first, last), columns in sorted(runs.items())[:_NAMED]]
    rest = len(runs) - len(named)
    return ", ".join(named) + (f", and {rest:,} more stretches" if rest > 1 else ", and one more" if rest else "")


def _stretch(panel: Panel, first: int, last: int, columns: list[str]) -> str:
    ends = np.array([first, last])
    a, b = time_text(panel.tick[ends] if panel.time is None else panel.time[ends], panel.zone)
    kind = "step" if panel.time is None else ""
    where = f"{kind} {a}".strip() if first == last else f"{kind}{'s' * bool(kind)} {a} to {b}".strip()
    of = "" if panel.ids == ("",) else f" of {shown(panel.ids[panel.series_index[first]])}"
    which = "" if len(columns) == len(panel.columns) else f" in {', '.join(map(shown, columns[:3]))}"
    more = f" and {len(columns) - 3} more" if which and len(columns) > 3 else ""
    rows = "1 row" if first == last else f"{last - first + 1:,} rows"
    return f"{rows} ({where}){of}{which}{more}"
