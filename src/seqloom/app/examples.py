"""What a model said about examples, printed or written to a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import SettingError, printable

__all__ = ["show_examples"]

_SHOWN = 20
_WIDEST = 60


def show_examples(found: Mapping[str, Sequence[Any]], out: Path | None, json: bool, quiet: bool) -> None:
    """Print the predictions, or write them to `out`."""
    from seqloom_runtime.files import write_bytes
    from seqloom_runtime.tables import is_parquet, write_csv, write_parquet

    from .columns import json_text, say, say_lines

    notes = getattr(found, "notes", [])
    files = getattr(found, "files", {})
    kind = "" if out is None else out.suffix.lower()
    if kind in (".npy", ".png") and kind not in files:
        raise SettingError(f"--out: these predictions are a table, no {kind} file; name a CSV file.")
    columns = {name: [_plain(value) for value in values] for name, values in found.items()}
    rows = list(zip(*columns.values()))
    if out is not None and kind in files:
        data, told = files[kind]()
        write_bytes(out, data)
        notes = [*notes, *told]
    elif out is not None and is_parquet(out):
        write_parquet(out, columns)
    elif out is not None:
        write_csv(out, list(columns), rows)
    if json:
        place = None if out is None else str(out)
        noted = {"notes": notes} if notes else {}
        say(json_text({"predictions": [dict(zip(columns, row)) for row in rows], **noted, "out": place}))
        return
    if notes and not quiet:
        say_lines(notes)
        say()
    if out is not None:
        if not quiet:
            say(f"Predictions: {out}")
    else:
        say(_text(columns))
        if len(rows) > _SHOWN and not quiet:
            say(f"… and {len(rows) - _SHOWN:,} more; --out FILE or --json gives them all")


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _line(text: str) -> str:
    """A text in one line, its beginning where it is long."""
    text = printable(" ".join(text[: 20 * _WIDEST].split()))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _text(columns: Mapping[str, list[Any]]) -> str:
    from .columns import numbers_text, text_table

    words: list[tuple[str, Sequence[str]]] = []
    numbers: list[tuple[str, Sequence[str]]] = []
    for name, values in columns.items():
        shown = values[:_SHOWN]
        if all(isinstance(value, float) for value in shown):
            numbers.append((name, numbers_text(shown)))
        else:
            words.append((name, [_line(str(value)) for value in shown]))
    return text_table(words + numbers, keep=max(1, len(words)), right_from=len(words))
