"""Estimators of sequences, pictures and films as ONNX files: the numbers as they are in, probabilities or values out.

Scaling is inside, in float64 as `predict` has it; what comes out is what `predict_proba` or `predict` give.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from seqloom_runtime.errors import SettingError, shown

from ...nn.onnx_graph import Graph
from ...nn.onnx_rules import Export, Value
from ..exporting import calibrated, names_of, save_graph, standardised, yes
from ..networks import onnx_pictures as _rules  # registers the rules of bodies
from ..networks.onnx_bodies import counted, steps_of, summary_of
from .base import SequenceEstimator
from .coding import BinaryCoding, ClassCoding
from .models import NetworkModel

__all__ = ["save_onnx"]

assert _rules


def save_onnx(
    estimator: SequenceEstimator, path: str | os.PathLike[str], graph: Graph, stateful: bool
) -> dict[str, Any]:
    """Write the file; returns its record. Raises SettingError, with the reason, for what has no form there."""
    estimator._check_fitted()
    model = estimator.model_
    if not isinstance(model, NetworkModel):
        raise SettingError(
            f"The model {estimator.model!r} can't be exported to ONNX: the baseline has no network; its answer is a "
            "constant, or the present value itself."
        )
    reading = _Reading.of(estimator, model)
    export = Export(graph, stateful)
    if stateful and (reading.shape or not model.network.body.causal):
        why = "a network of pictures has no state" if reading.shape else "it looks ahead"
        raise SettingError(f"The model {estimator.model!r} can't be exported with a state: {why}.")
    x = reading.inputs(export, estimator)
    network, body = model.network, model.spec.body
    if model.spec.every_step:
        features, _ = steps_of(export.inside("body"), network.body, Value(x, body.inputs))
    else:
        features = Value(summary_of(export.inside("body"), network.body, Value(x, body.inputs)), body.output_size, None)
    y = export.inside("output").apply(network.output, features).name
    axes: list[int | str] = ["batch", *(["time"] if model.spec.every_step else [])]
    told = _outputs(graph, estimator, y, axes)
    about = [*reading.about(), told]
    if stateful:
        about.append("The state goes in and comes out: zeros at first, then what came out before (…_next).")
    return save_graph(graph, path, estimator, estimator._task, about)


@dataclass(frozen=True)
class _Reading:
    """How the network reads what is given. shape: of a picture or frame, height, width, colours; () for sequences."""

    shape: tuple[int, ...]
    film: bool
    joined: int
    channels: tuple[str, ...]
    lengths: tuple[int, int]

    @classmethod
    def of(cls, estimator: SequenceEstimator, model: NetworkModel) -> _Reading:
        picture, channels = getattr(estimator, "picture_", None), estimator.channels_
        shape = () if picture is None else (*picture, len(channels))
        film = model.spec.body.kind.startswith("frame-")
        shortest, longest = estimator.lengths_
        if film:
            shortest, longest = shortest // model.spec.joined, longest // model.spec.joined
        return cls(shape, film, model.spec.joined, channels, (shortest, longest))

    def inputs(self, export: Export, estimator: SequenceEstimator) -> str:
        """Declare the inputs; returns the steps (B, T, I) as the body reads them."""
        graph, time = export.graph, [] if self.shape and not self.film else ["time"]
        axes: list[int | str] = ["batch", *time, *(self.shape or (len(self.channels),))]
        x = graph.input("x", axes, "the pixels" if self.shape else "the sequences, channels as named")
        if time and self.lengths[0] < self.lengths[1] and not export.stateful:
            export.lengths = graph.input("lengths", ["batch"], "the steps that count in each row", "INT64")
        graph.metadata |= {"channels": list(self.channels)}
        x = standardised(graph, x, estimator.scale_)
        if export.lengths is not None:
            mask = graph.node("Unsqueeze", counted(export, x), graph.whole(*range(2, 2 + len(axes) - 2)))
            x = graph.node("Where", mask, x, graph.number(0.0))
        if not self.shape:
            return x
        # A step is a frame of a film, or of a picture a row or a pixel.
        return graph.node("Reshape", x, graph.whole(0, 0 if self.film else -1, self.joined * self.shape[2]))

    def about(self) -> list[str]:
        """What goes in, in sentences."""
        if self.shape:
            high, wide, colours = self.shape
            said = f"Input x: pixels (batch, {'time, ' if self.film else ''}{high}, {wide}, {colours}), float32"
            said += ", as in training, not scaled."
        else:
            said = f"Input x: sequences (batch, time, {len(self.channels)}), float32, in the units of training: "
            said += f"{', '.join(self.channels)}."
        found = [said]
        if self.lengths[0] < self.lengths[1] and (self.film or not self.shape):
            found.append(
                "Input lengths: the steps that count in each row, whole numbers; what stands behind is not read."
            )
        return found


def _outputs(graph: Graph, estimator: SequenceEstimator, y: str, axes: list[int | str]) -> str:
    """Declare the output by what the estimator's coding means; returns it in a sentence."""
    coding = estimator.coding_
    each = "at each step" if len(axes) == 2 else "for each row"
    whole: list[int | str] = [*axes, coding.outputs]
    if isinstance(coding, ClassCoding):
        labels = names_of(coding.classes)
        graph.output(calibrated(graph, y), "probabilities", whole, "of the classes, in their order", "DOUBLE")
        graph.metadata |= {"classes": labels}
        return f"Output probabilities: {each}, of {', '.join(shown(label) for label in labels)}."
    if isinstance(coding, BinaryCoding):
        graph.output(yes(graph, y), "probabilities", whole, "of each yes", "DOUBLE")
        return f"Output probabilities: {each}, of {coding.outputs} answers of yes."
    values = graph.cast(y, "DOUBLE")
    scale = coding.scale
    if scale.mean is not None and scale.std is not None:
        values = graph.node("Mul", values, graph.weight("target_std", scale.std))
        values = graph.node("Add", values, graph.weight("target_mean", scale.mean))
    graph.output(values, "values", whole, "in the targets' unit", "DOUBLE")
    return f"Output values: {each}, {coding.outputs} in the targets' unit."
