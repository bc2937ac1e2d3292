"""The training rows of a panel on disk as networks read them: statistics of all, and arrays that stay on disk."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np

from ..data import Panel, Split, Standardizer, WindowSpec
from ..data.exact_sums import Moments
from ..data.on_disk import SampledPanel, StoredPanel
from ..data.on_disk.written import written_to
from ..data.origin_set import OriginSet
from ..data.scaling import MOST_AT_ONCE, exact_moments, moments_of
from ..data.windows import usable_origins
from ..errors import DataError, SettingError
from ..limits import in_words
from .features import Features
from .missing_inputs import missing_cells
from .rows import WindowRows

__all__ = ["StoredRows", "training_windows_of", "whole_features"]

_PIECE = 500_000  # rows that are made ready together, or the longest series


def _pieces(stored: StoredPanel, columns: tuple[str, ...]) -> Iterator[tuple[int, Panel]]:
    """Whole series together, in order, with the number of their first row, and these columns."""
    most = max(_PIECE, int(np.diff(stored.offsets).max()))
    for _, first, end, _ in stored.pieces(most):
        yield first, stored.rows(first, end).select(columns)
        stored.forget()


def whole_features(features: Features, panel: Panel, split: Split) -> Features:
    """The features with scaler and flags of all training rows, where the panel is a sample of rows on disk.

    Per series, or of up to four million values, as of a panel in memory; of more by exact sums, as there. Raises
    DataError where a column has no measured value in the training rows.
    """
    if not isinstance(panel, SampledPanel) or panel.stored is None:
        return features
    roles, stored = features.roles, panel.stored
    touched = np.zeros(len(roles.numeric_inputs), dtype=bool)
    own: list[tuple[np.ndarray, np.ndarray]] = []
    pooled = {} if features.per_series else {name: _Column(name) for name in roles.numeric}
    for piece, rows, changed, counted in _counted(features, stored, split):
        if features.flags:
            touched |= missing_cells(piece, roles.numeric_inputs)[rows].any(axis=0)
        if features.per_series:
            own.append(_of_series(changed, rows, np.any(counted, axis=0)))
        for at, column in enumerate(pooled.values()):
            column.add(changed.values[counted[:, at], at])
    if features.per_series:
        features.scaler = _own_scaler(features, stored, split, own)
    else:
        features.scaler = _scaler(features, stored, *zip(*(column.moments for column in pooled.values())))
    if features.flags:
        features.flagged = tuple(name for name, missed in zip(roles.numeric_inputs, touched.tolist()) if missed)
    return features


def _counted(
    features: Features, stored: StoredPanel, split: Split
) -> Iterator[tuple[Panel, np.ndarray, Panel, np.ndarray]]:
    """Pieces, their training rows (R,) bool, their columns of numbers transformed, and the cells (R, C) that count."""
    for _, piece in _pieces(stored, features.roles.columns):
        rows = piece.tick < split.train_end
        changed = features._transformed(piece).select(features.roles.numeric)
        yield piece, rows, changed, rows[:, None] & np.isfinite(changed.values) & ~changed.filled


class _Column:
    """The values of a column, kept while they are few, then their exact sums."""

    def __init__(self, name: str) -> None:
        self.name, self._kept, self._count, self._sums = name, [], 0, None

    _kept: list[np.ndarray]
    _sums: Moments | None

    def add(self, values: np.ndarray) -> None:
        self._count += len(values)
        if self._sums is None and self._count <= MOST_AT_ONCE:
            self._kept.append(values)
            return
        if self._sums is None:
            self._sums = Moments()
            for each in self._kept:
                self._sums.add(each)
            self._kept = []
        self._sums.add(values)

    @property
    def moments(self) -> tuple[float, float]:
        if not self._count:
            return np.nan, np.nan
        if self._sums is not None:
            return exact_moments(self._sums, self.name)
        return moments_of(np.concatenate(self._kept), self.name)


def _of_series(panel: Panel, rows: np.ndarray, there: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and std (S, F) of the series of a piece; NaN of columns without a value."""
    mean, std = np.full((2, len(panel.ids), len(panel.columns)), np.nan)
    held = [name for name, some in zip(panel.columns, there.tolist()) if some]
    if held:
        found = Standardizer(per_series=True).fit(panel.select(held), rows)
        at = [panel.columns.index(name) for name in held]
        mean[:, at], std[:, at] = np.asarray(found.mean), np.asarray(found.std)
    return mean, std


def _scaler(features: Features, stored: StoredPanel, mean: Any, std: Any) -> Standardizer:
    scaler = Standardizer(per_series=features.per_series)
    scaler.ids, scaler.columns = stored.ids, features.roles.numeric
    scaler.mean, scaler.std = np.asarray(mean), np.asarray(std)
    empty = np.all(np.isnan(scaler.mean).reshape(-1, len(scaler.columns)), axis=0)
    for name in (name for name, none in zip(scaler.columns, np.asarray(empty).tolist()) if none):
        raise DataError(f"Column {name!r} has no measured value in the training rows; leave it out or move the split.")
    return scaler


def _own_scaler(
    features: Features, stored: StoredPanel, split: Split, own: list[tuple[np.ndarray, np.ndarray]]
) -> Standardizer:
    """The scaler of each series by its own rows; by all rows where it has none, or a column holds one value in each."""
    mean, std = (np.concatenate([each[at] for each in own]) for at in (0, 1))
    scaler = _scaler(features, stored, mean, std)
    lacking, names = np.isnan(mean), features.roles.numeric
    features.unscaled = tuple(stored.ids[at] for at in np.flatnonzero(lacking.any(axis=1)).tolist())
    lacking[:, [names.index(name) for name in features.roles.static if name in names]] = True
    asked = {at: _Column(names[at]) for at in np.flatnonzero(lacking.any(axis=0)).tolist()}
    for _, _, changed, counted in _counted(features, stored, split) if asked else ():
        for at, column in asked.items():
            column.add(changed.values[counted[:, at], at])
    for at, column in asked.items():
        mean[lacking[:, at], at], std[lacking[:, at], at] = column.moments
    scaler.mean, scaler.std = mean, std
    return scaler


def training_windows_of(stored: StoredPanel, spec: WindowSpec, split: Split) -> int:
    """How many windows have all targets in the training part, gaps and repairs aside."""
    count = 0
    for first, end in zip(stored.offsets[:-1].tolist(), stored.offsets[1:].tolist()):
        if end > first:
            count += max(0, int(np.searchsorted(stored.tick[first:end], split.train_end)) - spec.span + 1)
    return count


class StoredRows(WindowRows):
    """The arrays of `WindowRows` over all rows of a panel on disk, in files that have no name and go with the process.

    `origins` are the usable windows whose targets all lie in the training part. known: which of a piece's origins have
    all columns known in advance, where there are such.
    """

    def __init__(
        self,
        stored: StoredPanel,
        features: Features,
        spec: WindowSpec,
        season: float | None,
        split: Split,
        known: Callable[[Panel, np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.features, self.season, self.spec, self._steps = features, season, spec, len(spec.steps)
        self.stored, self._split, self._known = stored, split, known
        self.origins = OriginSet(len(stored))
        width = 4 * (features.width + features.future_width) + 17
        left = shutil.disk_usage(stored.folder).free
        if len(stored) * width > left:
            raise DataError(
                f"cache: the inputs of {len(stored):,} rows take {in_words(len(stored) * width)} while a network is "
                f"trained, and {in_words(left)} are left where {stored.folder} is; free some, or read fewer columns."
            )
        self._fill()

    def _fill(self) -> None:
        roles = self.features.roles
        files: dict[str, IO[bytes]] = {}
        every, mean, std = True, [], []
        try:
            for first, piece in _pieces(self.stored, roles.columns):
                rows = WindowRows(piece, self.features, self.spec, self.season)
                parts = {"x": rows.x, "target": rows.target, "last": rows._last, "measured": rows.measured}
                if rows.future is not None:
                    parts["future"] = rows.future
                for name, array in parts.items():
                    file = files.get(name) or files.setdefault(name, self._scratch())
                    written_to(file, np.ascontiguousarray(array).data.cast("B"))
                every = every and bool(rows.measured.all())
                starts = piece.offsets[:-1][np.diff(piece.offsets) > 0]
                mean.append(rows.mean[starts])
                std.append(rows.std[starts])
                self.origins.add(first, self._usable(piece))
            self._map(files, every)
        finally:
            for file in files.values():
                file.close()
        starts = np.unique(self.stored.offsets[:-1][np.diff(self.stored.offsets) > 0])
        self.mean, self.std = (_BySeries(starts, np.concatenate(each)) for each in (mean, std))
        if not len(self.origins):
            raise SettingError(
                "split: no training window of all rows can be used; use a shorter lookback or horizon, or a larger "
                "training part."
            )

    def _scratch(self) -> IO[bytes]:
        """A file without a name beside the arrays, or where temporary files are, if that folder can't be written."""
        folder = self.stored.folder
        return tempfile.TemporaryFile(dir=folder if os.access(folder, os.W_OK) else None)

    def _usable(self, piece: Panel) -> np.ndarray:
        roles, spec = self.features.roles, self.spec
        usable = usable_origins(piece, spec, roles.target, roles.inputs)
        origins = np.flatnonzero(usable)
        origins = origins[piece.tick[origins + spec.steps[-1]] < self._split.train_end]
        if self._known is not None and len(origins):
            origins = self._known(piece, origins)
        members = np.zeros(len(usable), dtype=bool)
        members[origins] = True
        return members

    def _map(self, files: dict[str, IO[bytes]], every: bool) -> None:
        rows, features = len(self.stored), self.features

        def mapped(name: str, kind: type, *width: int) -> np.ndarray:
            files[name].flush()
            found = np.memmap(files[name], dtype=kind, mode="r", shape=(rows, *width))
            # Windows lie anywhere: reading ahead would read a hundred times what they hold.
            getattr(found, "_mmap").madvise(mmap.MADV_RANDOM)  # noqa: B009 - NumPy has no public name for it
            return found

        self.x = mapped("x", np.float32, features.width)
        self.future = mapped("future", np.float32, features.future_width) if "future" in files else None
        self.target = mapped("target", np.float64)
        self._last = self.target if every else mapped("last", np.float64)
        self.measured = np.ones(1, dtype=bool) if every else mapped("measured", np.bool_)
        self.every_measured = every

    def ask_for(self, origins: np.ndarray) -> None:
        """Have the system read the pages of these windows, all at once: asked for one by one the disk would wait for
        each."""
        first, last = int(self.spec.input_offsets[0]), int(self.spec.steps[-1])
        pages = [(self.x, first, 1), (self.target, 0, last + 1)]
        pages += [(self._last, 0, 1)] if self._last is not self.target else []
        pages += [(self.future, 1, last + 1)] if self.future is not None else []
        for array, low, high in pages:
            held, row = getattr(array, "_mmap"), array.strides[0]  # noqa: B009 - NumPy has no public name for it
            for origin in origins.tolist():
                start = (origin + low) * row // mmap.PAGESIZE * mmap.PAGESIZE
                held.madvise(mmap.MADV_WILLNEED, start, (origin + high) * row - start)

    def anchors(self, kind: str, origins: np.ndarray) -> np.ndarray:
        """As of rows in memory, but for the seasonal anchor, which they have not: raises SettingError."""
        if kind == "seasonal":
            raise SettingError("anchor: rows on disk have 'last' and 'none', not 'seasonal'; name one of these.")
        return super().anchors(kind, origins)


class _BySeries:
    """A number for each series, read by row: as an array (R,) that repeats them would be."""

    def __init__(self, starts: np.ndarray, values: np.ndarray) -> None:
        self._starts, self._values = starts, values

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self._values[np.searchsorted(self._starts, rows, side="right") - 1]
