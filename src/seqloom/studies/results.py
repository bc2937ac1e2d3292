"""The results of a study: what each row found for each seed, the table made of it, and the files that hold it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from seqloom_runtime.errors import FormatError, brief, shown

from ..report.wording import fixed, per_cent
from .study import Column, Outcome, Row, Study, StudySettings

__all__ = ["Results", "RowResult", "TextTable"]

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class RowResult:
    """What one row found for one seed, and the seconds that it took; `failed` says why there is no outcome."""

    row: str
    seed: int
    outcome: Outcome | None
    seconds: float
    epoch_seconds: tuple[float, ...] = ()
    failed: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "schema": SCHEMA,
            "row": self.row,
            "seed": self.seed,
            "failed": self.failed,
            "outcome": None if self.outcome is None else self.outcome.to_json(),
            "seconds": self.seconds,
            "epoch_seconds": list(self.epoch_seconds),
        }

    @classmethod
    def from_json(cls, value: Any, where: object) -> RowResult:
        """The inverse of `to_json`; raises FormatError, naming `where`, for anything else."""
        try:
            if value["schema"] != SCHEMA:
                raise FormatError(f"schema {shown(value['schema'])} is not {SCHEMA}")
            outcome = None if value["outcome"] is None else Outcome.from_json(value["outcome"])
            seconds = tuple(float(s) for s in value["epoch_seconds"])
            if not isinstance(value["row"], str) or not isinstance(value["failed"], (str, type(None))):
                raise FormatError("its row and why it failed are no texts")
            return cls(value["row"], int(value["seed"]), outcome, float(value["seconds"]), seconds, value["failed"])
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise FormatError(
                f"{where}: expected the result of a row ({brief(str(error), 160)}); delete the file to run the "
                "row again."
            ) from None

    def value(self, key: str) -> float | None:
        """The number under a column's key; None where there is none."""
        if key == "seconds":
            return self.seconds
        if self.outcome is None:
            return None
        if key == "parameters":
            return self.outcome.parameters
        if key == "epoch_seconds":
            return median(self.epoch_seconds) if self.epoch_seconds else None
        if key == "epochs":
            return max((len(curve) for curve in self.outcome.curves.values()), default=None)
        return self.outcome.scores.get(key)


@dataclass(frozen=True)
class TextTable:
    """Headings and cells as text, one list per row; the first column holds labels, the others numbers."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As a Markdown table."""
        rule = ["---", *["---:"] * (len(self.headings) - 1)]
        lines = [self.headings, rule, *self.rows]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


@dataclass(eq=False)
class Results:
    """All that is known of a study's run so far; rows that have not run yet are left out of the table."""

    study: Study
    settings: StudySettings
    rows: Sequence[Row]
    seeds: Sequence[int]
    data: Any = None
    notes: Sequence[str] = ()
    beside: str = "published"
    found: dict[tuple[str, int], RowResult] = field(default_factory=dict)

    @property
    def about(self) -> tuple[str, ...]:
        """What the study is, in sentences; of a quick run, that they tell of the whole one."""
        lines = tuple(self.study.about)
        return (f"The whole study: {lines[0]}", *lines[1:]) if self.settings.quick else lines

    def done(self) -> Iterator[tuple[Row, list[RowResult]]]:
        """Each row that has a result, with those of its seeds."""
        for row in self.rows:
            results = [self.found[row.name, seed] for seed in self.seeds if (row.name, seed) in self.found]
            if results:
                yield row, results

    def outcomes(self, row: Row | str) -> list[Outcome]:
        """The outcomes of a row over the seeds."""
        name = row if isinstance(row, str) else row.name
        found = [self.found.get((name, seed)) for seed in self.seeds]
        return [result.outcome for result in found if result is not None and result.outcome is not None]

    def first_outcomes(self, *without: str) -> list[tuple[Row, Outcome]]:
        """Each row that has an outcome, with that of its first seed, but for the rows named; charts show these."""
        return [(row, found[0]) for row, _ in self.done() if row.name not in without and (found := self.outcomes(row))]

    def median(self, row: Row | str, key: str) -> float | None:
        """The median of a column over the seeds."""
        name = row if isinstance(row, str) else row.name
        values = [self.found[name, seed].value(key) for seed in self.seeds if (name, seed) in self.found]
        known = [value for value in values if value is not None]
        return median(known) if known else None

    def table(self) -> TextTable:
        """The table: the median over the seeds (lowest to highest behind it), published figures and goals beside."""
        done = list(self.done())
        headings, columns = ["model"], [[row.label for row, _ in done]]
        for column in self.study.columns:
            cells = [_cell(column, results) for _, results in done]
            # A study in progress, or one run without its networks, has columns that nothing fills yet.
            if all(cell == "–" for cell in cells):
                continue
            headings.append(column.heading)
            columns.append(cells)
            for word, held in ((self.beside, "published"), ("goal", "goals")):
                figures = [getattr(row, held).get(column.key) for row, _ in done]
                if any(figure is not None for figure in figures):
                    headings.append(f"{word} {column.heading}")
                    columns.append([self._beside(column, row, held) for row, _ in done])
        if any(result.failed for _, results in done for result in results):
            headings.append("failed")
            columns.append(["; ".join(r.failed for r in results if r.failed) or "–" for _, results in done])
        return TextTable(tuple(headings), tuple(zip(*columns)))

    def met(self, row: Row, key: str) -> bool | None:
        """Whether the row's median reaches its goal; None where there is no goal or no number."""
        goal, value = row.goals.get(key), self.median(row, key)
        if goal is None or value is None:
            return None
        better = next(column.higher_is_better for column in self.study.columns if column.key == key)
        return value >= goal if better else value <= goal

    def sentences(self) -> list[str]:
        """What came out, in plain words: the study's own sentences, then the goals that were missed or reached."""
        lines = list(self.study.say(self)) if any(True for _ in self.done()) else []
        for row, _ in self.done():
            for column in self.study.columns:
                met = self.met(row, column.key)
                if met is not None:
                    value = _number(column, self.median(row, column.key))
                    goal = _number(column, row.goals[column.key])
                    word = "reached" if met else "missed"
                    lines.append(f"{row.label}: {column.heading} {value}, the goal of {goal} is {word}.")
        if self.settings.quick:
            lines.insert(
                0, "This is the quick version, which only shows that the study runs: its figures mean nothing."
            )
        return lines

    def remarks(self) -> list[str]:
        """What a reader should know: about the data, and what the rows noted."""
        lines = list(self.notes)
        for row, results in self.done():
            for result in results:
                for note in () if result.outcome is None else result.outcome.notes:
                    line = f"{row.label}: {note}"
                    if line not in lines:
                        lines.append(line)
        return lines

    def to_json(self) -> dict[str, Any]:
        """Everything but the details; all but `timings` is the same for the same settings, data, seeds and threads."""
        # Seconds differ from run to run: they stand apart under `timings`, and all else is the same bytes.
        keys = [column.key for column in self.study.columns if column.key not in ("seconds", "epoch_seconds")]
        rows, timings = [], {}
        for row, results in self.done():
            rows.append(
                {
                    "name": row.name,
                    "label": row.label,
                    "parameters": self.median(row, "parameters"),
                    "median": {key: self.median(row, key) for key in keys if key != "parameters"},
                    "published": dict(row.published),
                    "goals": {key: {"goal": goal, "met": self.met(row, key)} for key, goal in row.goals.items()},
                    "seeds": {str(r.seed): _one_seed(r) for r in results},
                }
            )
            timings[row.name] = {
                str(r.seed): {"seconds": r.seconds, "epoch_seconds": list(r.epoch_seconds)} for r in results
            }
        return {
            "schema": SCHEMA,
            "study": self.study.name,
            "title": self.study.title,
            "rows": rows,
            "statements": self.sentences(),
            "notes": self.remarks(),
            "timings": timings,
        }

    def _beside(self, column: Column, row: Row, held: str) -> str:
        figure: float | None = getattr(row, held).get(column.key)
        if figure is None:
            return "–"
        text = _number(column, figure)
        if held == "published":
            return text
        sign = "≥" if column.higher_is_better else "≤"
        return f"{sign} {text} {'✓' if self.met(row, column.key) else '✗'}"


def _one_seed(result: RowResult) -> dict[str, Any]:
    if result.outcome is None:
        return {"failed": result.failed}
    curves: Mapping[str, Sequence[float | None]] = result.outcome.curves
    return {"scores": dict(result.outcome.scores), "curves": {name: list(values) for name, values in curves.items()}}


def _cell(column: Column, results: Sequence[RowResult]) -> str:
    known = [value for result in results if (value := result.value(column.key)) is not None]
    if not known:
        return "–"
    text = _number(column, median(known))
    # Spread over seeds says something about a score; of a machine's seconds it says how busy it was.
    if len(known) == 1 or column.key in ("parameters", "seconds", "epoch_seconds", "epochs"):
        return text
    return f"{text} ({_number(column, min(known))}–{_number(column, max(known))})"


def _number(column: Column, value: float | None) -> str:
    if column.per_cent:
        return per_cent(value, column.decimals or 0)
    # A forecast that diverged has forty digits; powers of ten keep the table narrow.
    return fixed(value, None if value is not None and abs(value) >= 1e9 else column.decimals)
