"""Reads trials.json, what a search found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqloom_runtime.errors import FormatError, shown

from .checked import check_schema, is_number, kind_of, need, read_object

__all__ = ["read_trials"]


def read_trials(path: Path) -> dict[str, Any]:
    """Read and check trials.json; raises FormatError where a key is missing or of the wrong kind."""
    told = read_object(path)
    check_schema(told, path)
    for key, kind in (("spaces", dict), ("defaults", dict), ("trials", list), ("score", dict), ("importance", dict)):
        need(told, key, kind, path)
    need(told, "best", int, path)
    for key, kind in (("heading", str), ("name", str)):
        need(told["score"], key, kind, path, "score.")
    for model, space in told["spaces"].items():
        for each in (space, told["defaults"].get(model), told["importance"].get(model)):
            if not isinstance(each, dict):
                raise FormatError(f"{path}: expected an object for {shown(model)}, got {kind_of(each)}.")
    for trial in told["trials"]:
        sound = (
            isinstance(trial, dict)
            and type(trial.get("number")) is int
            and trial.get("model") in told["spaces"]
            and trial.get("state") in ("complete", "pruned", "failed")
            and isinstance(trial.get("parameters"), dict)
            and isinstance(trial.get("rungs"), list)
            and all(trial.get(key) is None or is_number(trial[key]) for key in ("value", "epochs"))
        )
        if not sound:
            raise FormatError(f"{path}: expected trials with number, model, state and parameters, got something else.")
    if all(trial["number"] != told["best"] for trial in told["trials"]):
        raise FormatError(f"{path}: 'best' names {told['best']}, which is not among the trials.")
    return told
