"""Fitting once the data is ready: the scale of the inputs, then a baseline or the training of a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime import native
from seqloom_runtime.data.sequences import Sequences

from ...training import EpochRow, History, derive_seed
from ..cell_parameters import cell_options
from ..checkpointing import Checkpointing
from ..comparison.fingerprint import fingerprint
from ..memory import count_weights, refuse_too_large
from ..networks import BODIES, BodySpec, model_of, receptive_field, refuse_cell
from ..stacks import layer_options
from ..training_parameters import fit_settings
from .coding import ClassCoding, Coding, NumberCoding
from .models import NetworkModel, SequenceModel, fit_baseline, run_network
from .network import SequenceNetwork, SequenceNetworkSpec, build_sequence_network
from .prepared import Examples, Scale

if TYPE_CHECKING:
    from .base import SequenceEstimator

__all__ = ["Fitted", "learn", "network_spec"]

# With 5 taps and dilations that double, 12 levels see 32,761 steps: more would cost much, and be seldom needed.
_MOST_LEVELS = 12


def network_spec(
    estimator: SequenceEstimator,
    inputs: int,
    longest: int,
    outputs: int,
    every_step: bool,
    *,
    task: str = "sequences",
    joined: int = 1,
    **own: Any,
) -> SequenceNetworkSpec:
    """The network's shape, for `inputs` channels and sequences of at most `longest` steps, `joined` read as one.

    task: whose models the name is of; `own` are fields of the body beside those that the parameters say.

    Raises SettingError for parameters that don't go together.
    """
    model, longest = model_of(task, estimator.model), longest // joined
    refuse_cell(estimator.model, cell_options(estimator), BODIES[model.body].options)
    layers = layer_options(estimator, estimator.model, BODIES[model.body].options)
    values = dict(
        inputs=inputs * joined,
        **layers,
        bidirectional=bool(estimator.bidirectional),
        reverse=bool(estimator.reverse),
        input_dropout=float(estimator.input_dropout),
        recurrent_dropout=float(estimator.recurrent_dropout),
        between_dropout=float(estimator.between_dropout),
        pooling=getattr(estimator, "pooling", "last"),
        **cell_options(estimator),
        **_convolutions(estimator, BODIES[model.body].options, longest, layers["units"]),
    )
    body = BodySpec(model.body, **{**values, **own, **model.fixed})
    return SequenceNetworkSpec(body, outputs, every_step, model.head, joined)


def _convolutions(estimator: SequenceEstimator, options: tuple[str, ...], longest: int, units: int) -> dict[str, Any]:
    """The convolutions' part of a BodySpec; nothing for a body that has none."""
    if "channels" not in options:
        return {}
    size, dilation = int(estimator.kernel_size), estimator.dilation
    growth = (2 if estimator.model == "tcn" else 1) if dilation is None else int(dilation)
    if estimator.channels is not None:
        channels = tuple(int(width) for width in estimator.channels)
    else:
        levels = estimator.levels or {"conv": 4, "conv-gru": 2}.get(estimator.model)
        channels = (units,) * (_enough(longest, size, growth) if levels is None else int(levels))
    return {
        "channels": channels,
        "kernel_size": size,
        "dilation": growth,
        "dropout": float(estimator.dropout),
        "pool_size": int(getattr(estimator, "pool_size", 1)),
    }


def _enough(longest: int, size: int, growth: int) -> int:
    """The fewest levels, at most 12, with which a TCN's answer sees `longest` steps: 1 + 2(K − 1)·Σ growth^i."""
    levels, seen = 1, 1 + 2 * (size - 1)
    while seen < longest and levels < _MOST_LEVELS:
        seen += 2 * (size - 1) * growth**levels
        levels += 1
    return levels


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds: what predicts, what its outputs mean, what it was trained on, and what to say of it."""

    model: SequenceModel
    coding: Coding
    scale: Scale
    channels: tuple[str, ...]
    lengths: tuple[int, int]
    history: History
    n_parameters: int
    notes: list[str]
    picture: tuple[int, int] | None = None


def learn(
    estimator: SequenceEstimator,
    coding: Coding,
    spec: SequenceNetworkSpec | None,
    parts: tuple[Examples, Examples | None],
    checkpoints: Checkpointing,
    stop: Callable[[EpochRow], bool] | None = None,
) -> Fitted:
    """Fit on training and validation examples; `spec` is None for a baseline."""
    train, held = parts
    sequences = train.sequences
    scale = Scale(*sequences.moments()) if estimator.scaling == "standard" else Scale()
    notes = _notes(sequences, held)
    history = History.empty()
    if spec is None:
        model: Any = fit_baseline(estimator.model, coding, train)
    else:
        notes += _sight(spec, int(sequences.lengths.max()) // spec.joined)
        network, history = _train(estimator, coding, spec, parts, scale, checkpoints, stop)
        model = NetworkModel(network, spec, scale)
    lengths = int(sequences.lengths.min()), int(sequences.lengths.max())
    count = int(model.n_parameters)
    return Fitted(model, coding, scale, sequences.channels, lengths, history, count, notes, sequences.picture)


def _train(
    estimator: SequenceEstimator,
    coding: Coding,
    spec: SequenceNetworkSpec,
    parts: tuple[Examples, Examples | None],
    scale: Scale,
    checkpoints: Checkpointing,
    stop: Callable[[EpochRow], bool] | None,
) -> tuple[SequenceNetwork, History]:
    train, held = parts
    settings = fit_settings(estimator, len(train.sequences))
    body, shortest = spec.body, int(train.sequences.lengths.min()) // spec.joined
    refuse_too_large(
        body.kind,
        count_weights(lambda: build_sequence_network(spec, 0)),
        settings.optimizer,
        grows_with="units",
        batch_size=min(int(estimator.batch_size), len(train.sequences)),
        # A network of pictures gives features of the whole alone.
        row=shortest * body.inputs + body.output_size if body.picture else shortest * (body.inputs + body.output_size),
    )
    network = build_sequence_network(spec, derive_seed(settings.seed, estimator.model, "weights"))
    # Only FrameModel has the parameter; with one target for each sequence there are no steps to sum over.
    per_step = getattr(estimator, "reduction", "mean") == "mean"
    order = derive_seed(settings.seed, estimator.model, "batches")
    batches = estimator._batches(train, scale, order, per_step)

    def validate(module: Any) -> dict[str, float]:
        assert held is not None
        output = run_network(module, held.sequences, scale, spec)
        loss = coding.score(output, held.target, held.weight)
        if not per_step:  # on the scale of the training: summed over the steps of a sequence
            loss *= float(held.weight.sum()) / len(held.sequences)
        return {"loss": loss, **_followed(coding, output, held)}

    with _sound_gradients(bool(body.picture)):
        history = checkpoints.train(
            network,
            batches,
            coding.batch_loss,
            settings=settings,
            validate=None if held is None else validate,
            stop=stop,
            # The fingerprint reads all the data once more, which only a training that can be resumed has use for.
            signature=None
            if checkpoints.directory is None
            else {
                "network": spec.to_json(),
                "coding": type(coding).__name__,
                "loss": getattr(coding, "loss", None),
                "batch_size": int(estimator.batch_size),
                "per_step": per_step,
                "scaling": estimator.scaling,
                **estimator._told_apart(),
                "data": fingerprint([_arrays(train), None if held is None else _arrays(held)]),
            },
        )
    return network, history


@contextmanager
def _sound_gradients(picture: bool) -> Iterator[None]:
    """Networks of pictures are trained without oneDNN where the processor has no AVX-512.

    There torch 2.13's gradient of a narrow convolution by oneDNN damages the heap: a ResNet of 6 channels aborts.
    """
    import torch

    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(before and (not picture or native.cpu_features().get("avx512", False)))
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


def _followed(coding: Coding, output: np.ndarray, held: Examples) -> dict[str, float]:
    """A number beside the loss that a person can read: accuracy, or the error in the target's unit."""
    counted = held.weight > 0
    if isinstance(coding, ClassCoding):
        return {"accuracy": float((output.argmax(axis=1) == held.target)[counted].mean())}
    if isinstance(coding, NumberCoding):
        error = coding.scale.unscaled(output) - coding.scale.unscaled(held.target)
        return {"mae": float(np.abs(error[counted]).mean())}
    return {}


def _arrays(examples: Examples) -> list[np.ndarray]:
    sequences = examples.sequences
    return [sequences.values, sequences.offsets, examples.target, examples.weight]


def _sight(spec: SequenceNetworkSpec, longest: int) -> list[str]:
    """Where the answer sees less than the sequences, or could not see more with fewer levels."""
    body = spec.body
    # Over all steps, mean, max and attention see everything whatever one step sees.
    if not body.channels or not (spec.every_step or body.pooling == "last"):
        return []
    seen = receptive_field(body)
    if seen < longest:
        return [
            f"{body.kind}: an answer sees the last {seen:,.0f} steps of up to {longest:,}; more levels, a larger "
            "kernel_size or a larger dilation see more."
        ]
    fewer = replace(body, channels=body.channels[:-1]) if len(body.channels) > 1 else None
    if fewer is not None and receptive_field(fewer) >= longest and math.isfinite(seen):
        return [
            f"{body.kind}: an answer could see {seen:,.0f} steps, more than the {longest:,} that there are; with one "
            "level less it would still see them all."
        ]
    return []


def _notes(sequences: Sequences, held: Examples | None) -> list[str]:
    shortest, longest = int(sequences.lengths.min()), int(sequences.lengths.max())
    steps = f"{longest:,}" if shortest == longest else f"{shortest:,} to {longest:,}"
    channels = "1 channel" if sequences.width == 1 else f"{sequences.width} channels"
    chosen = "the training loss chooses the best epoch"
    if held is not None:
        chosen = f"{len(held.sequences):,} others choose the best epoch"
    if sequences.picture is not None:
        high, wide = sequences.picture
        if longest != high * wide:
            frames = f"{longest // (high * wide):,} frames" if shortest == longest else "unequal length"
            said = f"{len(sequences):,} films of {frames} of {high} by {wide} pixels train the model"
            return [f"{said}; {chosen}."]
        what = {1: " in grey", 3: " in colour"}.get(sequences.width, "")
        return [f"{len(sequences):,} pictures of {high} by {wide} pixels{what} train the model; {chosen}."]
    notes = [f"{len(sequences):,} sequences of {steps} steps and {channels} train the model; {chosen}."]
    if sequences.turned_round():
        notes.append(
            f"The sequences have {sequences.width} channels and {steps} steps. If channels stand first, transpose them."
        )
    return notes
