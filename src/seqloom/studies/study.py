"""What a study is: a table whose rows are small programs, each run once per seed and kept when it is done.

A study module defines one `STUDY`; `seqloom.studies.STUDIES` names it. The runner (`running`) knows nothing of tasks or
networks: it asks the study for its data, its rows and the work of a row, and keeps what comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seqloom_runtime.errors import FormatError, shown

if TYPE_CHECKING:
    from .job import Job
    from .pictures import Picture
    from .results import Results

__all__ = ["Column", "Outcome", "Prepared", "Row", "Study", "StudySettings", "rows_of"]


@dataclass(frozen=True)
class StudySettings:
    """What fixes the result of a row, apart from its seed.

    quick: seconds instead of minutes, on less data; the figures then mean nothing. epochs, length: instead of the
    study's own. data: file or folder of the data. time_limit: minutes of training per row, counted over resumes; a row
    ends with the epoch that passes it.
    """

    quick: bool = False
    epochs: int | None = None
    length: int | None = None
    data: str | None = None
    time_limit: float | None = None


@dataclass(frozen=True)
class Column:
    """One number of the table: the key of a score (or parameters, seconds, epoch_seconds, epochs), and how it looks."""

    key: str
    heading: str
    decimals: int | None = 4  # None: powers of ten
    higher_is_better: bool = False
    per_cent: bool = False  # the score is a fraction


@dataclass(frozen=True)
class Row:
    """One row of the table. `extra`: run only where it is asked for by name.

    published: figures by column that were measured on the same data; goals: what a column's median should reach.
    seeded: whether the seed changes it; a baseline is worked out once.
    """

    name: str
    label: str
    published: Mapping[str, float] = field(default_factory=dict)
    goals: Mapping[str, float] = field(default_factory=dict)
    seeded: bool = True
    extra: bool = False


def rows_of(
    labels: Mapping[str, str],
    key: str,
    published: Mapping[str, float],
    goals: Mapping[str, float],
    *,
    unseeded: Collection[str] = (),
    extra: Collection[str] = (),
) -> list[Row]:
    """A row per label, with the figure published and the goal for the column `key` where there are some."""
    return [
        Row(
            name,
            label,
            published={key: published[name]} if name in published else {},
            goals={key: goals[name]} if name in goals else {},
            seeded=name not in unseeded,
            extra=name in extra,
        )
        for name, label in labels.items()
    ]


@dataclass(frozen=True)
class Outcome:
    """What a row found for one seed, as JSON values.

    scores by column key; curves: numbers by epoch; details: whatever the study's drawings need.
    """

    scores: Mapping[str, float | None]
    parameters: int | None = None
    curves: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "scores": dict(self.scores),
            "parameters": self.parameters,
            "curves": {name: list(values) for name, values in self.curves.items()},
            "details": dict(self.details),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, value: Any) -> Outcome:
        """The inverse of `to_json`; raises FormatError for anything else."""
        kinds = {"scores": dict, "parameters": (int, type(None)), "curves": dict, "details": dict, "notes": list}
        if not isinstance(value, dict) or set(value) != set(kinds):
            raise FormatError(f"expected an outcome with the fields {', '.join(kinds)}.")
        for name, kind in kinds.items():
            if not isinstance(value[name], kind):
                raise FormatError(f"expected another kind of value under {name!r}, found {shown(value[name])}.")
        numbers = [*value["scores"].values()]
        for curve in value["curves"].values():
            numbers += curve if isinstance(curve, list) else [curve]
        if any(isinstance(n, bool) or not isinstance(n, (int, float, type(None))) for n in numbers):
            raise FormatError("expected numbers under 'scores', and lists of them under 'curves'.")
        if not all(isinstance(note, str) for note in value["notes"]):
            raise FormatError("expected texts under 'notes'.")
        return cls(**value)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A study's data, what identifies it (JSON values), and what a reader should know about it.

    `beside` heads the columns of the rows' published figures.
    """

    data: Any
    identity: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    beside: str = "published"


def _nothing(results: Results) -> Sequence[Any]:
    return ()


@dataclass(frozen=True, eq=False)
class Study:
    """A published table as a program.

    rows(settings, prepared): all rows; work(row, data, job): the outcome of one row for one seed. say(results):
    sentences on what came out; draw(results): the pictures. takes: which of epochs, length, data and time_limit it has.
    """

    name: str
    title: str
    about: Sequence[str]
    columns: Sequence[Column]
    prepare: Callable[[StudySettings], Prepared]
    rows: Callable[[StudySettings, Prepared], Sequence[Row]]
    work: Callable[[Row, Any, Job], Outcome]
    seeds: Sequence[int] = (0,)
    say: Callable[[Results], Iterable[str]] = _nothing
    draw: Callable[[Results], Sequence[Picture]] = _nothing
    takes: frozenset[str] = frozenset()
