"""The options of Keras's layers: those with a meaning here, those that only its training reads, and the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import nn

from seqloom.nn.from_keras_config import Layer
from seqloom.nn.imported_layers import OTHER_ACTIVATIONS, Activated
from seqloom.ops.activations import ACTIVATIONS
from seqloom_runtime.errors import shown

__all__ = ["Options", "activation_layers"]

# How the layer was drawn, called or run at first: nothing of it is left in a trained layer's outputs.
_NOTHING = (
    "name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_shape", "input_length", "input_dtype",
    "seed", "unit_forget_bias", "implementation", "unroll", "consume_less", "init", "inner_init", "forget_bias_init",
    "sparse", "ragged", "optional", "weights",
)  # fmt: skip
_PENALTIES = ("_regularizer", "_constraint")
_LEAK = 0.2  # of Keras's leaky_relu
_WORDS = {"linear": "identity", "swish": "silu", "relu": "relu"}
_MOST = 1 << 20  # of what a number asks for that no array of the file stands behind: dilations, windows, repeats


class Options:
    """The options of a layer, each asked for once; `finish` refuses what was never asked for."""

    def __init__(self, layer: Layer):
        """Take the layer's options."""
        self.layer, self.left = layer, dict(layer.options)
        self.notes: list[str] = []

    def raw(self, name: str, default: Any = None) -> Any:
        """An option as it stands, default where it is missing."""
        return self.left.pop(name, default)

    def refuse(self, name: str, value: Any, wanted: str) -> Exception:
        """The exception about an option's value."""
        return self.layer.refuse(f"{name}={shown(value)}, where {wanted}")

    def only(self, name: str, *allowed: Any, missing: Any = None, why: str = "") -> Any:
        """An option that has to have one of a few values."""
        value = self.raw(name, allowed[0] if missing is None else missing)
        # == alone would take 1 for True.
        if not any(type(value) is type(one) and value == one for one in allowed):
            told = " or ".join(shown(one) for one in allowed)
            raise self.refuse(name, value, why or f"{told} has a counterpart here")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """An option that is true or false."""
        return self.only(name, default, not default)

    def size(self, name: str, default: int | None = None, most: int | None = None) -> int:
        """A whole number of 1 or more, which Keras may write as a list of one; most: 2²⁰ where no array bounds it."""
        value = self.raw(name, default)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most is not None and value > most):
            raise self.refuse(name, value, f"a whole number from 1 to {most or 'what the file holds'} is expected")
        return value

    def bounded(self, name: str, default: int | None = None) -> int:
        """`size` for what no array of the file stands behind."""
        return self.size(name, default, _MOST)

    def probability(self, name: str) -> float:
        """A probability of dropping something; None and a missing one stand for 0."""
        value = self.raw(name) or 0.0
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value < 1.0:
            raise self.refuse(name, value, "a probability below 1 is expected")
        return float(value)

    def number(self, name: str, default: float) -> float:
        """A finite number."""
        value = self.raw(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.refuse(name, value, "a finite number is expected")
        return float(value)

    def activation(self, name: str, default: str = "linear") -> str:
        """The name of an activation function, in seqloom's words; "hard_sigmoid" by the version that wrote the file."""
        value = self.raw(name, default)
        if value is None:
            return "identity"
        word = _WORDS.get(value, value) if isinstance(value, str) else None
        if word == "hard_sigmoid" and self.layer.version < 3:
            # Keras 3 took PyTorch's slope of 1/6; before, it was 0.2.
            return "hard_sigmoid_02"
        if word not in ACTIVATIONS and word not in OTHER_ACTIVATIONS:
            if isinstance(value, dict):
                inner = value.get("config")
                value = inner if isinstance(inner, str) else value.get("class_name")
            known = ", ".join(["linear", *sorted({*ACTIVATIONS, *OTHER_ACTIVATIONS} - {"identity", "hard_sigmoid_02"})])
            raise self.refuse(name, value, f"Keras's own functions can be taken ({known}), and none of one's own")
        return str(word)

    def finish(self) -> list[str]:
        """Refuse options that were not asked for, the harmless and the empty ones aside; returns what is to be said."""
        for name, value in self.left.items():
            if name.endswith(_PENALTIES) and value is not None:
                self.notes.append(
                    f"{self.layer}: {name} acts in training alone and was left behind; "
                    "seqloom.nn.WeightPenalty has penalties."
                )
            elif not (
                name in _NOTHING or name.endswith(("_initializer", *_PENALTIES)) or value in (None, False, [], {})
            ):
                raise self.layer.refuse(f"its option {shown(name)[1:-1]}={shown(value)} has no counterpart here")
        return self.notes


def activation_layers(name: str) -> Sequence[nn.Module]:
    """An activation function as layers: none for the identity."""
    if name == "identity":
        return []
    return [Activated(name, _LEAK)] if name == "leaky_relu" else [Activated(name)]
