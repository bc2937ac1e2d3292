"""What the commands are told: the settings of each, and its flags in place of the names of parameters."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..tasks.parameters import ESTIMATORS
from .tables import BacktestSettings, Settings

__all__ = ["SETTINGS", "command_of", "in_flags", "settings_of", "to_resume", "told", "trains"]

SETTINGS: dict[str, Any] = {"backtest": BacktestSettings}
"""The settings of each command that trains: `running.training_command` adds its own, `backtest` has a loop of another
kind."""

_OF_A_SEARCH = ("trials", "space", "minutes", "storage", "round", "engine", "workers")
_FLAGS = {
    **{name: entry.flag.split("/")[0] for name, entry in ESTIMATORS["Forecaster"].items() if entry.flag},
    "directory": "--out",
    "resume": "--resume",
    "n_windows": "--windows",
    "step": "--step",
    "gap": "--gap",
    "rows": "--rows",
    "seeds": "--seeds",
    "length": "--length",
    "samples": "--samples",
    "steps": "--steps",
    "time_limit": "--time-limit",
    **{name: "--" + name.replace("_", "-") for name in _OF_A_SEARCH},
    "ray_address": "--ray-address",
    "cache": "--cache",
    "memory": "--memory",
}
"""Parameters that are no settings of a command, or whose flag has another name."""

_TAKE_INPUTS = ("forecast", "backtest")
_GO_ON = r"--out: \1 is not empty; to go on with that run use --resume \1"


def settings_of(command: str) -> Any:
    """The class of a command's settings: those of a forecast where it has none of its own, as a model of one has."""
    return SETTINGS.get(command, Settings)


def trains(command: str) -> bool:
    """Whether the command has settings of models that it trains."""
    return command in SETTINGS


def command_of(record: Mapping[str, Any]) -> str:
    """The command whose run has that record, as it is typed behind `seqloom`.

    >>> command_of({"command": "tag"}), command_of({"command": "tag", "search": {}})
    ('tag', 'tune tag')
    """
    return f"{'tune ' if 'search' in record else ''}{record.get('command', 'forecast')}"


def to_resume(record: Mapping[str, Any], folder: Path) -> str:
    """What to type so that the run in `folder`, which has that record, goes on."""
    return f"seqloom {command_of(record)} --resume {shlex.quote(str(folder))}"


def in_flags(message: str, command: str = "forecast") -> str:
    """A message in the words of a command: its flags where a library user reads the names of parameters.

    >>> in_flags("input_dropout: expected a number below 1, got 1.")
    '--input-dropout: expected a number below 1, got 1.'
    >>> in_flags("name the time zone (zone=), or try encoding='cp1252'.")
    'name the time zone (--time-zone), or try --encoding cp1252.'
    >>> in_flags("name it as missing with missing='<1'.")
    "name it as missing with --missing '<1'."
    >>> in_flags("name them with time= and target=; or not.")
    'name them with --time and --target; or not.'
    >>> in_flags("2 of 3 pictures are scaled to 8 by 8 pixels, as was asked (image_size=).", "predict")
    '2 of 3 pictures are scaled to 8 by 8 pixels.'
    >>> in_flags("weather.csv: the file is empty.")
    'weather.csv: the file is empty.'
    """
    if message.startswith("space: "):  # whose names stand without dashes in the text of one option
        return "--" + message
    # `data` is an argument and has no flag, but for `reproduce`.
    known = set(settings_of(command).defaults()) - {"data"}
    own = dict(_FLAGS)
    if command == "reproduce":
        own["data"] = "--data"  # elsewhere the data is an argument, which has no flag
    if command == "predict":  # which has no settings, and takes no choice that the training made
        message = re.sub(r"[;,] [^;,.()]*\((?:image_size|array|axes)=\)", "", message)
        own |= {"layout": "--layout", "texts": "--text"}
    if command == "anomalies":  # a score needs numbers: words can't be read at all
        message = message.replace("; to read it, name it as words (categories=)", "")
    if command in _TAKE_INPUTS:
        own["columns"] = "--inputs"
    elif "columns" not in known:  # a command that reads every column
        message = message.replace("Name the columns to use (columns=), or put", "Put").replace(" (columns=)", "")

    def flag(name: str) -> str:
        return own.get(name) or ("--" + name.replace("_", "-") if name in known else name)

    def given(found: re.Match[str]) -> str:
        # As a shell takes it: `--missing <1` would read a file.
        name, value = flag(found[1]), shlex.quote(found[2].strip("'")) if found[2] else ""
        return f"{name} {value}".rstrip() if name != found[1] else found[0]

    message = re.sub(r"^directory: (.*) is not empty; .* give resume=True", _GO_ON, message, flags=re.DOTALL)
    message = re.sub(r"^[a-z_]+(?=: )", lambda found: flag(found[0]), message)
    message = message.replace("header=True", "--header").replace("header=False", "--no-header")
    message = message.replace("inputs=[...]", "--inputs A,B")
    message = message.replace("unfold=False", "--no-unfold")
    message = message.replace("missing_flags=False", "--no-missing-flags").replace("refit=False", "--no-refit")
    message = message.replace("linear_skip=False", "--no-linear-skip")
    message = message.replace("convert_rate=True", "--convert-rate")
    message = message.replace("tied=False", "--untied").replace("join_spaced=False", "--keep-spaces")
    message = message.replace("non_negative=False", "--allow-negative")
    message = re.sub(r"(?<![\w'/.-])([a-z_]+)=('[^']*'|\d+(?:\.\d+)?|(?=[\s;,)]))", given, message)
    return re.sub(r"(?<![\w'/.-])[a-z]+(?:_[a-z]+)+(?![\w'/=.])", lambda found: flag(found[0]), message)


def told(decisions: Iterable[Any], command: str = "forecast") -> list[str]:
    """What was decided while reading, a sentence each, once."""
    return list(dict.fromkeys(in_flags(decision.text, command) for decision in decisions))
