"""The models of records: which body is behind a name, and what stands for a gap in its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqloom_runtime.errors import SettingError
from seqloom_runtime.forward import MODELS
from seqloom_runtime.records.predictor import BASELINES, gaps_by

from ..networks import body_spec, model_of, names_for, register_models
from ..sequences.network import SequenceNetworkSpec

if TYPE_CHECKING:
    from .model import RecordModel

__all__ = ["BASELINES", "NETWORKS", "gaps_of", "record_spec", "width_of"]

register_models("records", MODELS["records"])
NETWORKS = names_for("records")
_DROPOUTS = ("input_dropout", "recurrent_dropout", "between_dropout")


def gaps_of(model: str, gaps: str | None) -> str:
    """What stands for gaps: what is given, or what the name says; SettingError where they contradict each other.

    >>> gaps_of("gru-d", None), gaps_of("lstm", None), gaps_of("gru", "decay")
    ('decay', 'features', 'decay')
    """
    return gaps_by(model, None if model in BASELINES else model_of("records", model).body, gaps)


def width_of(gaps: str, columns: int) -> int:
    """The inputs of a network for so many columns."""
    return columns if gaps == "forward" else 3 * columns


def record_spec(model: RecordModel, columns: int, every_step: bool) -> SequenceNetworkSpec:
    """The network's shape; raises SettingError for options that don't go together."""
    gaps = gaps_of(model.model, model.gaps)
    inputs = width_of(gaps, columns)
    if gaps != "decay":
        body = body_spec(
            "records",
            model.model,
            inputs,
            units=int(model.units),
            layers=int(model.layers),
            **{name: float(getattr(model, name)) for name in _DROPOUTS},
        )
        return SequenceNetworkSpec(body, 1, every_step)
    for name, usual in (("layers", 1), *((dropout, 0.0) for dropout in _DROPOUTS)):
        if getattr(model, name) != usual:
            raise SettingError(f"{name}: GRU-D has one layer without dropout, got {getattr(model, name)}; use gru.")
    return SequenceNetworkSpec(body_spec("records", "gru-d", inputs, units=int(model.units)), 1, every_step)
