"""The file of results: a JSON line for each (dataset, method, seed, window); the last line of a key counts.

A run that is interrupted keeps what it has, and the next one goes on behind it. Rows are appended one at a time and
put into order when the run is done, so that the file can be compared line by line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Key", "Results"]

Key = tuple[str, str, int, str]
"""dataset, method, seed, window"""


class Results:
    """The rows of a file, by key; a file that is not there is empty.

    Raises ValueError for a line that is no row; a last line without an end, cut off by a kill, is left out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[Key, dict[str, Any]] = {}
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        whole, _, cut = text.rpartition("\n")
        self._cut = bool(cut)
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                row = json.loads(line)
                key = str(row["dataset"]), str(row["method"]), int(row["seed"]), str(row["window"])
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path.name}, line {number}: expected a row of results ({error!r}).") from None
            self.rows[key] = row

    def has(self, key: Key, commit: str = "") -> bool:
        """Whether the key was forecast (by this commit); a row that says why it could not be is tried again."""
        row = self.rows.get(key, {"failed": ""})
        return "failed" not in row and commit in ("", row.get("commit"))

    def add(self, key: Key, record: Mapping[str, Any]) -> None:
        """Append a row at once."""
        row = {"dataset": key[0], "method": key[1], "seed": key[2], "window": key[3], **_short(record)}
        if self._cut:
            self.tidy()
        self.rows[key] = row
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(row))

    def tidy(self) -> None:
        """Write every row once, in order."""
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text("".join(_line(self.rows[key]) for key in sorted(self.rows, key=_order)), encoding="utf-8")
        temporary.replace(self.path)
        self._cut = False

    def of(self, dataset: str, method: str | None = None) -> list[dict[str, Any]]:
        """The rows of a dataset (and method) that hold scores."""
        return [
            row
            for (data, name, _, _), row in self.rows.items()
            if data == dataset and method in (None, name) and "scores" in row
        ]

    def methods(self, datasets: Iterable[str]) -> list[str]:
        """The methods that any of the datasets has scores of, in order of name."""
        wanted = set(datasets)
        return sorted({row["method"] for row in self.rows.values() if row["dataset"] in wanted and "scores" in row})


def _order(key: Key) -> tuple[str, str, int, tuple[int, str]]:
    dataset, method, seed, window = key
    digits = window.partition("+")[0]
    return dataset, method, seed, (int(digits) if digits.isdigit() else -1, window)


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _short(value: Any) -> Any:
    """The same with floats of six significant digits; NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
