"""Predictions of a saved model of sequences or texts: DATA read as the training data was, a row for each example."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, get_type_hints

from ..errors import FormatError, SettingError, printable, shown
from .columns import numbers_text, say, text_table

__all__ = ["Reader", "predict_examples"]

_SHOWN = 20
_WIDEST = 60
_HOMES: dict[str, str] = {
    **dict.fromkeys(("SequenceClassifier", "SequenceRegressor", "FrameModel"), "sequences"),
    "SequenceTagger": "tag",
    "LanguageModel": "lm",
    "TextClassifier": "classify",
}
"""Estimator → the module of this package whose `predict_file` serves it."""


class Reader(Protocol):
    """What such a module offers."""

    def predict_file(
        self, model: Any, data: str, settings: Mapping[str, Any], encoding: str, decimal: str
    ) -> Mapping[str, Sequence[Any]]:
        """Columns of equal length; `settings` are those of the run, empty where the model folder stands alone."""
        ...


def predict_examples(
    model: Any,
    run: Path,
    data: str | None,
    *,
    out: Path | None,
    encoding: str,
    decimal: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print the predictions, or write them to `out`."""
    from ..tasks.tables import write_csv
    from .columns import json_text

    if data is None:
        raise SettingError(f"DATA: name the file to predict; a {type(model).__name__} says nothing without one.")
    reader: Reader = importlib.import_module(f".{_HOMES[type(model).__name__]}", __package__)  # pyright: ignore[reportAssignmentType]
    found = reader.predict_file(model, data, _settings_beside(run), encoding, decimal)
    columns = {name: [_plain(value) for value in values] for name, values in found.items()}
    rows = list(zip(*columns.values()))
    if out is not None:
        write_csv(out, list(columns), rows)
    if as_json:
        place = None if out is None else str(out)
        say(json_text({"predictions": [dict(zip(columns, row)) for row in rows], "out": place}))
    elif out is not None:
        if not quiet:
            say(f"Predictions: {out}")
    else:
        say(_text(columns))
        if len(rows) > _SHOWN and not quiet:
            say(f"… and {len(rows) - _SHOWN:,} more; --out FILE or --json gives them all")


def _settings_beside(run: Path) -> dict[str, Any]:
    """The settings of the run that holds the model, however it was named."""
    from ..files import read_json

    for folder in (run, run.resolve().parent):
        if (folder / "run.json").is_file():
            record = read_json(folder / "run.json")
            if not isinstance(record, dict) or not isinstance(record.get("settings"), dict):
                raise FormatError(f"{folder / 'run.json'}: expected the record of a run; it is damaged.")
            return _checked(record["settings"], record.get("command"), folder / "run.json")
    return {}


def _checked(settings: dict[str, Any], command: Any, path: Path) -> dict[str, Any]:
    """`settings`, those of the command's that are there; raises FormatError for one of another type.

    One that is missing or unknown is no fault: another version may have written the run.
    """
    from .commands import settings_of

    kinds = get_type_hints(settings_of(str(command)))
    for name, value in settings.items():
        whole_as_float = kinds.get(name) is float and type(value) is int
        if name in kinds and not isinstance(value, kinds[name]) and not whole_as_float:
            raise FormatError(f"{path}: its setting {shown(name)} is {shown(value)}, which it can't be.")
    return settings


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _line(text: str) -> str:
    """A text in one line, its beginning where it is long."""
    text = printable(" ".join(text[: 20 * _WIDEST].split()))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _text(columns: Mapping[str, list[Any]]) -> str:
    words: list[tuple[str, Sequence[str]]] = []
    numbers: list[tuple[str, Sequence[str]]] = []
    for name, values in columns.items():
        shown = values[:_SHOWN]
        if all(isinstance(value, float) for value in shown):
            numbers.append((name, numbers_text(shown)))
        else:
            words.append((name, [_line(str(value)) for value in shown]))
    return text_table(words + numbers, keep=max(1, len(words)), right_from=len(words))
