"""Units, layers and activations of the networks of texts: one for all layers, or one for each.

The fields of their specifications, and how an estimator's parameters fill them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqloom_runtime.errors import SettingError, shown

from .cell_parameters import CELL
from .constraints import OneOf, OneOrMore
from .networks import ACTIVATION_NAMES, BODIES, CellSpec, model_of
from .stacks import layer_options

__all__ = ["ACTIVATION", "LAYER_FIELDS", "LayersSpec", "layer_fields", "layers_of"]

ACTIVATION = OneOrMore(OneOf(ACTIVATION_NAMES, optional=True))
"""What `activation` of an estimator may be."""

LAYER_FIELDS = ("activation", "stack", "activations")


@dataclass(frozen=True, kw_only=True)
class LayersSpec(CellSpec):
    """What says how layers differ, as `BodySpec` has it; saved only where it says something.

    activation: of all layers, None for the model's own. stack: the units of each layer, where they differ; `units` is
    then the last one's, `layers` their number. activations: of each layer, where they differ.
    """

    activation: str | None = None
    stack: tuple[int, ...] = ()
    activations: tuple[str, ...] = ()

    _left_out = (*CELL, *LAYER_FIELDS)


def layer_fields(spec: LayersSpec) -> dict[str, Any]:
    """The values of a specification's `LAYER_FIELDS`."""
    return {name: getattr(spec, name) for name in LAYER_FIELDS}


def layers_of(owner: Any, task: str, use: str, *, usual: int = 1, levels: bool = False) -> dict[str, Any]:
    """units, layers and `LAYER_FIELDS` of a network, from an estimator's model, units, layers and activation.

    use: the models whose layers may differ, for the sentence that refuses others. usual: the default of `layers`, which
    whoever names the units of each has left alone. levels: whether a model with levels, a tcn, takes units of each.
    Raises SettingError for counts that disagree, and for what the model doesn't have.
    """
    name = owner.model
    model = model_of(task, name)
    options = set(BODIES[model.body].options)
    if owner.activation is not None and ("activation" not in options or "activation" in model.fixed):
        own = (
            f"has {model.fixed['activation']} alone" if "activation" in model.fixed else "has an activation of its own"
        )
        raise SettingError(f"activation: {shown(name)} {own}; use {use}, or leave it out.")
    tcn = levels and "channels" in options
    found = layer_options(owner, name, options | {"stack"} if tcn else options, use=use, usual=usual)
    if tcn and found.get("activations"):
        raise SettingError(
            f"activation: {shown(name)} has one activation for all levels, got {', '.join(found['activations'])}; give "
            f"one name, or use {use}."
        )
    return found
