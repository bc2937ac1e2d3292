"""Panel: one or many series of measurements on one regular grid of times, as one immutable array."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, FormatError, SettingError, shown, suggest
from ..files import read_json, write_bytes, write_json
from ..limits import reading
from .categories import Words, check_codes
from .cells import refuse_index_of_times
from .frequency import Frequency
from .quality import Quality
from .saved_panels import digest_of, saved_array, saved_fill, saved_wide
from .wide import Wide

__all__ = ["Panel"]

_BLOCK = 1 << 20  # rows that are worked on at once
_ARRAYS = {"values": np.float64, "tick": np.int64, "offsets": np.int64, "filled": np.bool_}


@dataclass(frozen=True, eq=False)
class Panel:
    """Series of rows on one grid, one after the other.

    values: (R rows, F columns) float64, C-contiguous, read-only; NaN is missing and not filled.
    columns: F names.
    time: (R,) datetime64[us], UTC instants where `zone` is set, wall clock otherwise; None for row numbers only.
    tick: (R,) int64 position on the grid of `frequency`, rising within a series; a jump of more than 1 is a gap.
    ids: S names of series, ("",) for a single unnamed one.
    offsets: (S+1,) int64, series s is rows offsets[s]:offsets[s+1].
    filled: (R, F) bool, the value was carried forward by a repair, or the whole row inserted.
    quality: the report on the table that the panel was read from, None where it was not read from one.
    time_format: the form that its times were found to have, which reads further rows alike; None where none is needed.
    wide: the target columns that its series were, where it was made from a wide table (`data.wide`).
    fill: how its holes were filled: carry, interpolate, season or none.
    words: column → its words, for the columns of words: their values are the words' numbers, −1 for a missing one.
    static: the columns that hold one value within each series.

    >>> panel = Panel.from_numpy(np.arange(6.0).reshape(3, 2), columns=["load", "wind"])
    >>> panel.column("wind")
    array([1., 3., 5.])
    """

    values: np.ndarray
    columns: tuple[str, ...]
    time: np.ndarray | None
    tick: np.ndarray
    frequency: Frequency
    ids: tuple[str, ...]
    offsets: np.ndarray
    filled: np.ndarray
    zone: str | None = None
    quality: Quality | None = None
    time_format: str | None = None
    wide: Wide | None = None
    fill: str = "carry"
    words: Words = field(default_factory=dict)
    static: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, kind in (*_ARRAYS.items(), ("time", np.dtype("M8[us]"))):
            array = getattr(self, name)
            if array is not None:
                view = np.ascontiguousarray(array, dtype=kind).view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "ids", tuple(self.ids))
        there = set(self.columns) if self.words or self.static else set()
        object.__setattr__(self, "words", {name: tuple(words) for name, words in self.words.items() if name in there})
        object.__setattr__(self, "static", tuple(name for name in self.static if name in there))
        self._check()

    def _check(self) -> None:
        rows, count = len(self.tick), len(self.columns)
        shapes = {
            "values": (self.values.shape, (rows, count)),
            "filled": (self.filled.shape, (rows, count)),
            "offsets": (self.offsets.shape, (len(self.ids) + 1,)),
            "time": (None if self.time is None else self.time.shape, None if self.time is None else (rows,)),
        }
        for name, (got, expected) in shapes.items():
            if got != expected:
                raise DataError(
                    f"Panel: expected {name} of shape {expected}, as there are {rows} ticks and {count} columns, got "
                    f"{got}."
                )
        if len(set(self.columns)) != count:
            raise DataError(f"Panel: column names must differ, got {shown(self.columns)}.")
        if len(set(self.ids)) != len(self.ids):
            raise DataError(f"Panel: series names must differ, got {shown(self.ids)}.")
        if self.offsets[0] != 0 or self.offsets[-1] != rows or (np.diff(self.offsets) < 0).any():
            raise DataError(f"Panel: offsets must rise from 0 to {rows}, got {self.offsets[0]} to {self.offsets[-1]}.")
        for name, words in self.words.items():
            check_codes(self.column(name), words, name)
        falls = np.diff(self.tick) <= 0
        falls[self.offsets[1:-1][(self.offsets[1:-1] > 0) & (self.offsets[1:-1] < rows)] - 1] = False
        if falls.any():
            raise DataError(
                f"Panel: ticks must rise within a series, they don't at row {int(np.flatnonzero(falls)[0]) + 1}."
            )

    # -- making one -------------------------------------------------------------------------------------------------

    @classmethod
    def from_numpy(
        cls,
        values: np.ndarray,
        columns: Sequence[str] | None = None,
        *,
        time: np.ndarray | None = None,
        id: np.ndarray | None = None,
        zone: str | None = None,
        missing: Sequence[float] = (),
        max_fill: int = 24,
        frequency: Frequency | None = None,
        time_format: str | None = None,
        resample: str | None = None,
        aggregate: str | Mapping[str, str] = "mean",
        duplicates: str | None = None,
        holidays: str | None = None,
        fill: str = "carry",
        season: int | float | str | None = None,
        categories: Sequence[str] = (),
        static: Sequence[str] = (),
    ) -> Panel:
        """A panel from an array (R,) or (R, F); without `columns` they are named column_0, column_1, …

        `time` (R,) datetime64 (wall clock of `zone` where one is named), `id` (R,) names of series. The rest as for
        `from_frame`. Raises DataError.
        """
        from .table import Table

        return cls.from_frame(
            Table.from_numpy(values, columns, time, id),
            time=None if time is None else Table.TIME,
            id=None if id is None else Table.ID,
            zone=zone,
            missing=missing,
            max_fill=max_fill,
            frequency=frequency,
            time_format=time_format,
            resample=resample,
            aggregate=aggregate,
            duplicates=duplicates,
            holidays=holidays,
            fill=fill,
            season=season,
            categories=categories,
            static=static,
        )

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        time: str | Sequence[str] | None = None,
        id: str | Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        zone: str | None = None,
        missing: Sequence[float] = (),
        max_fill: int = 24,
        frequency: Frequency | None = None,
        time_format: str | None = None,
        resample: str | None = None,
        aggregate: str | Mapping[str, str] = "mean",
        duplicates: str | None = None,
        holidays: str | None = None,
        fill: str = "carry",
        season: int | float | str | None = None,
        keep: Sequence[str] = (),
        categories: Sequence[str] = (),
        static: Sequence[str] = (),
        target: Sequence[str] = (),
    ) -> Panel:
        """A panel from a pandas, polars or arrow frame, or a `Table`.

        `time` and `id` name the columns of time and of the series' names; without `time`, or with "none", rows
        are counted; several names, as a list or with commas between, are joined (a date and a clock or an hour;
        year, month, day, hour; a shop and an article name a series together). `time_format` is the form of the
        times, such as "dmy", "mdy", "ym" or "%d/%m/%y %H:%M", needed only where the cells leave it open.
        `resample` such as "1h" puts the rows of each step together by `aggregate` (mean, sum, last, first, min,
        max; also by column). `duplicates` (mean, first, last, sum) does so with rows of one time, which are
        refused otherwise where they differ. `holidays` such as "US" or "NYSE": business days leave out those
        without a row. Times a tenth of a step off the grid at most are moved onto it.
        `columns` are the numeric columns to read (by default all but time, id, and those that hold no numbers;
        those in `keep` are read in any case). `zone` is the IANA time zone of the wall clock that the times
        show. `missing` are values that mark a missing cell, such as -9999. Short gaps and missing cells are
        filled, `max_fill` rows at most, as `fill` says: with the last value before (carry), on the line between
        their neighbours (interpolate), with the value one `season` before, in rows or as a duration (season),
        or not at all (none: networks read the training mean and a flag). `frequency`, where it is known,
        replaces the inferred one. What was decided is in the report's `decisions`.
        Raises DataError with the row and column where the table can't be used, SettingError for an impossible argument.
        """
        from .assembly import ColumnRoles, assemble
        from .table import Table

        if time is None:
            refuse_index_of_times(frame)
        table = frame if isinstance(frame, Table) else Table.from_frame(frame, time if isinstance(time, str) else None)
        with reading(table.source, "table"):
            fields = assemble(
                table,
                time=time,
                id=id,
                columns=columns,
                zone=zone,
                missing=missing,
                max_fill=max_fill,
                frequency=frequency,
                time_format=time_format,
                resample=resample,
                aggregate=aggregate,
                duplicates=duplicates,
                holidays=holidays,
                fill=fill,
                season=season,
                keep=keep,
                look=table is not frame,
                roles=ColumnRoles(tuple(categories), tuple(static), tuple(target)),
            )
        return cls(**fields)

    # -- parts of one -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.tick)

    def column(self, name: str) -> np.ndarray:
        """The values (R,) float64 of one column, a view; raises DataError for an unknown name."""
        return self.values[:, self._position(name)]

    def select(self, columns: Sequence[str]) -> Panel:
        """The same rows with these columns, in this order; raises DataError for an unknown name."""
        at = self.positions(columns)
        return replace(self, values=self.values[:, at], filled=self.filled[:, at], columns=tuple(columns))

    def series(self, which: int | str) -> Panel:
        """One series, by its position or its name, as a panel of its own; raises DataError for an unknown one."""
        if isinstance(which, str):
            if which not in self.ids:
                raise DataError(f"Expected the name of a series, got {shown(which)}.{suggest(which, self.ids)}")
            which = self.ids.index(which)
        if not 0 <= which < len(self.ids):
            raise DataError(f"Expected a series from 0 to {len(self.ids) - 1}, got {which}.")
        rows = slice(int(self.offsets[which]), int(self.offsets[which + 1]))
        return replace(
            self,
            values=self.values[rows],
            time=None if self.time is None else self.time[rows],
            tick=self.tick[rows],
            filled=self.filled[rows],
            ids=(self.ids[which],),
            offsets=np.array([0, rows.stop - rows.start]),
        )

    def between(self, first: int, end: int) -> Panel:
        """The series from position `first` up to `end`, which is not among them, as a panel of views of this one."""
        rows = slice(int(self.offsets[first]), int(self.offsets[end]))
        return replace(
            self,
            values=self.values[rows],
            time=None if self.time is None else self.time[rows],
            tick=self.tick[rows],
            filled=self.filled[rows],
            ids=self.ids[first:end],
            offsets=self.offsets[first : end + 1] - rows.start,
        )

    def blocks(self, rows: int = _BLOCK) -> list[tuple[int, int]]:
        """All series in runs (first, end) of about so many rows, or of one longer series."""
        ends = np.searchsorted(self.offsets, np.arange(rows, len(self.tick) + rows, rows), side="left")
        ends = np.unique(np.minimum(np.append(ends, len(self.ids)), len(self.ids)))
        ends = ends[ends > 0]
        return list(zip([0, *ends[:-1].tolist()], ends.tolist()))

    def take(self, rows: np.ndarray) -> Panel:
        """The rows at positions `rows` (N,) int64, rising, or of a mask (R,) bool; a series may end up without rows."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return replace(
            self,
            values=self.values[rows],
            time=None if self.time is None else self.time[rows],
            tick=self.tick[rows],
            filled=self.filled[rows],
            offsets=np.searchsorted(rows, self.offsets),
        )

    @property
    def series_index(self) -> np.ndarray:
        """The position (R,) int64 of the series that each row belongs to."""
        return np.repeat(np.arange(len(self.ids)), np.diff(self.offsets))

    def series_of(self, rows: np.ndarray) -> np.ndarray:
        """The positions of the series that `rows` (…) belong to, in the same shape: `series_index` of these alone."""
        return np.searchsorted(self.offsets, rows, side="right") - 1

    @cached_property
    def ticks(self) -> np.ndarray:
        """The different ticks of all series, rising: (T,) int64."""
        if not len(self.tick):
            return self.tick
        first, last = int(self.tick.min()), int(self.tick.max())
        if last - first > 2 * len(self.tick):
            return np.unique(self.tick)
        there = np.zeros(last - first + 1, dtype=bool)
        for at in range(0, len(self.tick), _BLOCK):
            there[self.tick[at : at + _BLOCK] - first] = True
        return np.flatnonzero(there) + first

    def fingerprint(self) -> str:
        """SHA-256 over names, grid, ticks, values and marks of repair: equal for equal panels on every machine."""
        about: tuple[Any, ...] = (self.columns, self.ids, self.offsets.tolist(), self.frequency.to_json(), self.zone)
        if self.words or self.static:  # a panel without them has the fingerprint that it always had
            about = (*about, sorted(self.words.items()), self.static)
        return digest_of(repr(about), self.tick, self.values, self.filled, block=_BLOCK)

    # -- on disk ----------------------------------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the panel into `folder` (made if need be): one .npy file per array and panel.json."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        for name in _ARRAYS:
            buffer = io.BytesIO()
            np.save(buffer, getattr(self, name), allow_pickle=False)
            write_bytes(path / f"{name}.npy", buffer.getvalue())
        words = {"words": {name: list(words) for name, words in self.words.items()}} if self.words else {}
        write_json(
            path / "panel.json",
            {
                "schema": 1,
                "columns": list(self.columns),
                "ids": list(self.ids),
                "zone": self.zone,
                "timed": self.time is not None,
                "frequency": self.frequency.to_json(),
                "fingerprint": self.fingerprint(),
                "quality": None if self.quality is None else self.quality.to_json(),
                "time_format": self.time_format,
                **({} if self.fill == "carry" else {"fill": self.fill}),
                **({} if self.wide is None else {"wide": asdict(self.wide)}),
                **words,
                **({"static": list(self.static)} if self.static else {}),
            },
        )

    @classmethod
    def open(cls, folder: str | os.PathLike[str], mmap: bool = True) -> Panel:
        """Open a saved panel; with `mmap` the arrays stay on disk until they are used (and are then not checksummed).

        Raises FormatError where files are missing, damaged or don't belong together.
        """
        path = Path(folder)
        if not (path / "panel.json").is_file():
            raise FormatError(f"{path}: expected a saved panel, found no panel.json there.")
        with reading(str(path), "saved panel", error=FormatError):
            return cls._opened(path, mmap)

    @classmethod
    def _opened(cls, path: Path, mmap: bool) -> Panel:
        about = read_json(path / "panel.json")
        try:
            if about["schema"] != 1:
                raise FormatError(
                    f"{path / 'panel.json'}: expected schema 1, found {shown(about['schema'])}: a newer version."
                )
            frequency = Frequency.from_json(about["frequency"])
            arrays = {name: saved_array(path / f"{name}.npy", mmap) for name in _ARRAYS}
            for name, kind in _ARRAYS.items():
                if arrays[name].dtype != kind:
                    raise FormatError(f"{path / name}.npy: expected {np.dtype(kind)}, found {arrays[name].dtype}.")
            time, tick = frequency.times(arrays["tick"]) if about["timed"] else None, arrays["tick"]
            if time is not None and len(tick):
                ends = [int(tick.argmin()), int(tick.argmax())]
                if (frequency.ticks(time[ends]) != tick[ends]).any():
                    raise FormatError(f"{path / 'tick.npy'}: its ticks lead to times beyond any calendar.")
            panel = cls(
                time=time,
                columns=tuple(about["columns"]),
                ids=tuple(about["ids"]),
                frequency=frequency,
                zone=about["zone"],
                quality=None if about["quality"] is None else Quality.from_json(about["quality"]),
                time_format=about.get("time_format"),
                fill=saved_fill(path, about.get("fill", "carry")),
                wide=saved_wide(path, about.get("wide")),
                words={str(name): tuple(words) for name, words in about.get("words", {}).items()},
                static=tuple(about.get("static", ())),
                **arrays,
            )
        except (OSError, DataError, SettingError) as error:
            raise FormatError(f"{path}: the saved panel is damaged ({str(error)[:300].rstrip('.')}).") from error
        if not mmap and panel.fingerprint() != about.get("fingerprint"):
            raise FormatError(f"{path}: the saved panel was altered after it was written (its fingerprint differs).")
        return panel

    def positions(self, names: Iterable[str]) -> list[int]:
        """Where these columns stand in `columns`; raises DataError for an unknown name."""
        places = {name: at for at, name in enumerate(self.columns)}
        return [places[name] if name in places else self._position(name) for name in names]

    def _position(self, name: str) -> int:
        if name not in self.columns:
            known = ", ".join(map(shown, self.columns[:12])) + (", …" if len(self.columns) > 12 else "")
            raise DataError(f"No column is named {shown(name)}.{suggest(name, self.columns)} There are {known}.")
        return self.columns.index(name)
