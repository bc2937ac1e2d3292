"""Options that the commands of sequence and text models share: the parts of the data, networks, training.

What is left out (None) is the estimator's own default.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar

import typer

from ..errors import DataError, SettingError
from . import options as o

__all__ = [
    "Fitting",
    "Networks",
    "Parts",
    "build_estimators",
    "fraction_of",
    "model_names",
    "parameters_of",
    "required_data",
]

_DEFAULT = "the model's own"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Which examples validate and which test."""

    panel: ClassVar[str] = "Data"

    valid: Annotated[
        str, typer.Option(metavar="F|FILE", help="Share of DATA that chooses the best model, or a file that does.")
    ] = "0.15"
    test: Annotated[
        str, typer.Option(metavar="F|FILE", help="Share of DATA that is only looked at in the end, or a file.")
    ] = "0.15"


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The networks' shape."""

    panel: ClassVar[str] = "Models"

    units: Annotated[int | None, typer.Option(metavar="N", help="Units per hidden layer.", show_default=_DEFAULT)] = (
        None
    )
    layers: Annotated[int | None, typer.Option(metavar="N", help="Hidden layers.", show_default=_DEFAULT)] = None
    bidirectional: Annotated[
        bool, typer.Option("--bidirectional", help="Read in both directions (rnn, gru, lstm).")
    ] = False
    input_dropout: Annotated[
        float | None,
        typer.Option(metavar="P", help="Share of inputs dropped, per sequence.", show_default=_DEFAULT),
    ] = None
    recurrent_dropout: Annotated[
        float | None,
        typer.Option(metavar="P", help="Share of the recurrent state dropped, per sequence.", show_default=_DEFAULT),
    ] = None
    between_dropout: Annotated[
        float | None, typer.Option(metavar="P", help="Share dropped between hidden layers.", show_default=_DEFAULT)
    ] = None


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How the networks are trained."""

    panel: ClassVar[str] = "Training"

    epochs: Annotated[int | None, typer.Option(metavar="N", help="Epochs to train.", show_default=_DEFAULT)] = None
    steps_per_epoch: Annotated[
        int | None, typer.Option(metavar="N", help="Batches per epoch.", show_default="every example once")
    ] = None
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Examples per batch.", show_default=_DEFAULT)] = (
        None
    )
    learning_rate: Annotated[
        float | None, typer.Option(metavar="F", help="Step size of the optimizer.", show_default=_DEFAULT)
    ] = None
    optimizer: Annotated[
        str | None, typer.Option(metavar="NAME", help="adam, adamw, rmsprop or sgd.", show_default=_DEFAULT)
    ] = None
    weight_decay: Annotated[
        float | None, typer.Option(metavar="F", help="Pull of the weights towards zero.", show_default=_DEFAULT)
    ] = None
    clip_norm: Annotated[
        float | None, typer.Option(metavar="F", help="Longest gradient of a step.", show_default=_DEFAULT)
    ] = None
    schedule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Learning rate over time: constant, cosine, step, plateau.", show_default=_DEFAULT
        ),
    ] = None
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Stop after N epochs without a better validation loss.", show_default="never stop early"
        ),
    ] = None
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same threads: same bytes.")] = 0
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Threads to compute with.", show_default="torch's choice")
    ] = None


def parameters_of(settings: Any, *groups: type) -> dict[str, Any]:
    """The estimator's parameters that the flags of `groups` name; what was left out is left to the estimator.

    >>> parameters_of(Fitting(epochs=3), Fitting)
    {'epochs': 3, 'seed': 0}
    """
    values = {field.name: getattr(settings, field.name) for group in groups for field in fields(group)}
    return {
        name: value for name, value in values.items() if value is not None and value is not False and name != "threads"
    }


def model_names(text: str, baseline: str) -> tuple[str, ...]:
    """The models of a comma-separated list, each once; the baseline always takes part, first.

    >>> model_names("gru, lstm,gru", "majority")
    ('majority', 'gru', 'lstm')
    """
    return tuple(dict.fromkeys([baseline, *o.names(text)]))


def build_estimators(make: Callable[..., Any], models: tuple[str, ...], parameters: dict[str, Any]) -> dict[str, Any]:
    """An estimator for each model, its parameters checked; raises SettingError for one that can't be."""
    estimators = {}
    for name in models:
        estimators[name] = make(model=name, **parameters)
        estimators[name]._check_parameters()
    return estimators


def fraction_of(text: str, flag: str) -> float | None:
    """The share that `text` names, or None where it is a file; raises SettingError and DataError for neither.

    >>> fraction_of("0.2", "--test")
    0.2
    """
    try:
        share = float(text)
    except ValueError:
        if not os.path.isfile(text):
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
