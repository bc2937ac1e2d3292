"""The models of records: which body is behind a name, and what stands for a gap in its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqloom_runtime.errors import SettingError

from ..networks import Model, body_spec, model_of, names_for, register_models
from ..sequences.network import SequenceNetworkSpec

if TYPE_CHECKING:
    from .model import RecordModel

__all__ = ["BASELINES", "NETWORKS", "gaps_of", "record_spec", "width_of"]

BASELINES = ("prevalence",)
register_models(
    "records",
    {
        "gru-d": Model("gru-d"),
        **{name: Model(name) for name in ("rnn", "gru", "lstm")},
        "gru-forward": Model("gru"),
        "lstm-forward": Model("lstm"),
    },
)
NETWORKS = names_for("records")
_DROPOUTS = ("input_dropout", "recurrent_dropout", "between_dropout")


def gaps_of(model: str, gaps: str | None) -> str:
    """What stands for gaps: what is given, or what the name says; SettingError where they contradict each other.

    >>> gaps_of("gru-d", None), gaps_of("lstm", None), gaps_of("gru", "decay")
    ('decay', 'features', 'decay')
    """
    if model in BASELINES:
        return "features"
    named = "decay" if model_of("records", model).body == "gru-d" else None
    named = "forward" if model.endswith("-forward") else named
    if named is not None and gaps not in (None, named):
        raise SettingError(f"gaps: {model!r} stands for {named}, got {gaps!r}; use gru, or leave gaps out.")
    if gaps == "decay" and model not in ("gru", "gru-d"):
        raise SettingError(f"gaps: decay is that of gru (GRU-D), got the model {model!r}; use features or forward.")
    return named or gaps or "features"


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
