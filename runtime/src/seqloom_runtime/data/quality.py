"""What was found in a table and what was repaired: each with a count, a sentence, and examples by row and column."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .decisions import Decision, with_way

__all__ = ["ColumnSummary", "Finding", "Quality", "Repair", "plural", "summarise"]

EXAMPLES = 5
_READ_SO = ("offsets", "repeated-hour", "sentinel")  # findings that tell how something was read


@dataclass(frozen=True)
class Finding:
    """Something to know about the table as it came.

    `kind` is one of duplicate, unsorted, gap, missing, constant, sentinel, repeated-hour, offsets. `count` counts rows,
    gaps, cells or columns, as `text` says. `examples`: (row, column or None, value as text), the first few.
    """

    kind: str
    count: int
    text: str
    examples: tuple[tuple[int, str | None, str], ...] = ()

    def __post_init__(self) -> None:
        if self.kind in _READ_SO:
            object.__setattr__(self, "text", with_way(self.kind, self.text))


@dataclass(frozen=True)
class Repair:
    """Something that was done to the table; `kind` is one of dropped, merged, sorted, sentinel, inserted, filled,
    left, ahead."""

    kind: str
    count: int
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", with_way(self.kind, self.text))


@dataclass(frozen=True)
class ColumnSummary:
    """One column: cells missing in the table as it came (named sentinels included), cells that a repair filled, and the
    smallest, largest and mean observed value (None where there is none)."""

    name: str
    missing: int
    filled: int
    constant: bool
    min: float | None
    max: float | None
    mean: float | None


@dataclass(frozen=True)
class Quality:
    """The report on a table: `rows_read` rows came, `rows` are in the panel; `unit` is what rows are counted in, "line"
    of a file or "row" of a frame, both from 1; `first` and `last` are times in ISO form or row numbers; `decisions` are
    what could have been read otherwise."""

    source: str
    unit: str
    rows_read: int
    rows: int
    series: int
    frequency: str
    first: str
    last: str
    columns: tuple[ColumnSummary, ...]
    findings: tuple[Finding, ...]
    repairs: tuple[Repair, ...]
    decisions: tuple[Decision, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values, in the layout of a run folder's `data.json`."""
        return {
            "source": self.source,
            "unit": self.unit,
            "rows_read": self.rows_read,
            "rows": self.rows,
            "columns": [vars(column).copy() for column in self.columns],
            "frequency": self.frequency,
            "first": self.first,
            "last": self.last,
            "series": self.series,
            "findings": [
                {
                    "kind": finding.kind,
                    "count": finding.count,
                    "text": finding.text,
                    "examples": [
                        {"row": row, "column": column, "value": value} for row, column, value in finding.examples
                    ],
                }
                for finding in self.findings
            ],
            "repairs": [vars(repair).copy() for repair in self.repairs],
            "decisions": [decision.to_json() for decision in self.decisions],
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Quality:
        """The report of `to_json`; raises KeyError or TypeError where fields are missing or strange."""
        findings = tuple(
            Finding(f["kind"], f["count"], f["text"], tuple((e["row"], e["column"], e["value"]) for e in f["examples"]))
            for f in fields["findings"]
        )
        rest = {k: v for k, v in fields.items() if k not in ("columns", "findings", "repairs", "decisions")}
        columns = tuple(ColumnSummary(**c) for c in fields["columns"])
        repairs = tuple(Repair(**r) for r in fields["repairs"])
        decisions = tuple(Decision(**d) for d in fields.get("decisions", ()))
        return cls(**rest, columns=columns, findings=findings, repairs=repairs, decisions=decisions)

    def worded(self, wording: Callable[[str], str]) -> Quality:
        """The same report with each sentence put into other words, such as the flags of a command."""
        return replace(
            self,
            findings=tuple(replace(found, text=wording(found.text)) for found in self.findings),
            repairs=tuple(replace(done, text=wording(done.text)) for done in self.repairs),
            decisions=tuple(replace(decision, text=wording(decision.text)) for decision in self.decisions),
        )

    def _step(self) -> str:
        if self.frequency == "1 step":
            return "counted, without time"
        return f"one row every {self.frequency.removeprefix('1 ')}"

    def lines(self) -> list[str]:
        """Plain sentences: what came, what was found, what was done about it."""
        what = plural(self.series, "series", "series") + ", " if self.series > 1 else ""
        if self.rows_read == self.rows:
            count = plural(self.rows, "row")
        else:
            count = f"{plural(self.rows_read, 'row')} read, {self.rows:,} after repairs"
        lines = [
            f"{self.source}: {count}, {what}{plural(len(self.columns), 'column')}, {self._step()}, "
            f"from {self.first} to {self.last}."
        ]
        lines += [decision.text for decision in self.decisions]
        lines += [finding.text for finding in self.findings]
        lines += [repair.text for repair in self.repairs]
        moved = any(decision.what in ("snapped", "resampled") for decision in self.decisions)
        if not self.findings and not self.repairs and not moved:
            lines.append("Nothing missing, nothing repeated, nothing repaired.")
        return lines


def plural(count: int, one: str, many: str | None = None) -> str:
    """`count` with its noun.

    >>> plural(1, "row"), plural(2300, "row"), plural(2, "entry", "entries")
    ('1 row', '2,300 rows', '2 entries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def summarise(
    names: Iterable[str],
    observed: np.ndarray,
    missing: np.ndarray,
    filled: np.ndarray,
    words: Container[str] = (),
) -> tuple[ColumnSummary, ...]:
    """Summaries of the columns of `observed` (R, F), NaN where not observed; `missing` and `filled` (F,) are counts.

    Columns in `words` hold codes of words, below 0 where missing: those have no smallest, largest or mean value.
    """
    summaries = []
    for position, name in enumerate(names):
        values = observed[:, position]
        if name in words:
            lost = int(missing[position]) + int((values < 0).sum())
            same = len(values) > 1 and bool((values == values[0]).all())
            summaries.append(ColumnSummary(name, lost, int(filled[position]), same, None, None, None))
            continue
        values = values[~np.isnan(values)]
        low = high = mean = None
        if len(values):
            with np.errstate(over="ignore"):  # numbers near the largest float: their mean may be infinite
                low, high, mean = float(values.min()), float(values.max()), float(values.mean())
        constant = len(values) > 1 and low == high
        summaries.append(ColumnSummary(name, int(missing[position]), int(filled[position]), constant, low, high, mean))
    return tuple(summaries)
