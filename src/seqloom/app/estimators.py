"""What the commands that compare estimators share: models by name, the parts of the data, the file to learn from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from seqloom_runtime.errors import DataError, SettingError

from .options import Asked, names

__all__ = ["build_estimators", "fraction_of", "model_names", "refuse_unknown", "required_data", "shares_of"]


def model_names(text: str, *always: str) -> tuple[str, ...]:
    """The models of a comma-separated list, each once; the baselines `always` take part, first.

    >>> model_names("gru, lstm,gru", "majority")
    ('majority', 'gru', 'lstm')
    """
    return tuple(dict.fromkeys([*always, *names(text)]))


def build_estimators(make: Callable[..., Any], models: tuple[str, ...], parameters: dict[str, Any]) -> dict[str, Any]:
    """An estimator for each model, its parameters checked; raises SettingError for one that can't be.

    MissingDependencyError for one whose package is not installed: before the data is read.
    """
    from ..tasks.estimator import refuse_without_packages_of

    estimators = {}
    for name in models:
        estimators[name] = make(model=name, **parameters)
        estimators[name]._check_parameters()
    refuse_without_packages_of(estimators.values())
    return estimators


def refuse_unknown(make: Any, given: Mapping[str, Any], kind: str) -> None:
    """Raise SettingError for a parameter that estimators of a kind of label don't have."""
    known = make._parameter_names()
    for name in given:
        if name not in known:
            raise SettingError(f"--{name.replace('_', '-')}: models that predict a {kind} have no such choice.")


def shares_of(settings: Asked, *, folders: bool = False) -> dict[str, float | None]:
    """The shares that validate and test, by part; None for a part that is a file, or a folder where it may be one.

    Raises SettingError where they leave nothing to train on, and what `fraction_of` raises.
    """
    shares = {name: fraction_of(getattr(settings, name), f"--{name}", folders) for name in ("valid", "test")}
    if sum(share or 0.0 for share in shares.values()) >= 1:
        given = f"{settings.valid} and {settings.test}"
        raise SettingError(f"--valid, --test: expected shares that leave some to train on, got {given}.")
    return shares


def fraction_of(text: str, flag: str, folders: bool = False) -> float | None:
    """The share that `text` names, or None where it is a file; raises SettingError and DataError for neither.

    >>> fraction_of("0.2", "--test")
    0.2
    """
    try:
        share = float(text)
    except ValueError:
        if not os.path.isfile(text) and not (folders and os.path.isdir(text)):
            raise DataError(f"{flag}: expected a share such as 0.15 or a file, there is no file {text}.") from None
        return None
    if not 0 < share < 1:
        raise SettingError(f"{flag}: expected a share between 0 and 1, such as 0.15, or a file, got {text}.")
    return share


def required_data(data: str | None) -> str:
    """The path of DATA; raises SettingError where none was given."""
    if data is None:
        raise SettingError("DATA: name the file to learn from.")
    return data
