"""Random cells with every option, their weights and inputs, and the error measure that the compiled scan is held to."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from seqloom.ops.activations import ACTIVATIONS
from seqloom.ops.cell import Cell, StepRandom, Weights

SMOOTH = ("tanh", "sigmoid", "softsign", "softplus", "identity")  # no kink, where rounding would choose the slope


ROUNDINGS = 24
FEW = 4 * 2.0**-23


@dataclass
class Case:
    """One call of a scan."""

    cell: Cell
    x: Tensor
    h: Tensor
    c: Tensor | None
    weights: dict[str, Tensor]
    options: dict[str, Any]
    upstream: list[Tensor | None]


def random_cell(pick: random.Random, kind: str, activations: tuple[str, ...]) -> Cell:
    """A cell of a kind with random options, all allowed together."""
    options: dict[str, Any] = {}
    if pick.random() < 0.4:
        options["activation"] = pick.choice(activations)
    if kind in ("lstm", "gru"):
        if pick.random() < 0.4:
            options["gate_activation"] = pick.choice([a for a in activations if a not in ("identity", "softplus")])
        options["candidate_dropout"] = pick.choice([0.0, 0.0, 0.2, 0.5])
    if kind == "jordan":
        options["output_activation"] = pick.choice(activations)
    else:
        options["zoneout"] = pick.choice([0.0, 0.0, 0.3])
        options["layer_norm"] = pick.random() < 0.4
    if kind == "gru" and not options["layer_norm"]:
        options["reset_after"] = pick.random() < 0.5
    if kind == "lstm":
        options["coupled"] = pick.random() < 0.4
        options["peephole"] = pick.random() < 0.4
        options["cell_clip"] = pick.choice([None, None, 0.5]) if activations == tuple(ACTIVATIONS) else None
        options["projection"] = pick.choice([None, None, 5 if options["layer_norm"] else 1, 5, 18])
        options["zoneout_cell"] = pick.choice([0.0, 0.0, 0.2])
    return Cell(kind, **options)


def random_case(seed: int, kind: str | None = None, activations: tuple[str, ...] = SMOOTH, hidden: int = 0) -> Case:
    """A random call; the same seed gives the same call."""
    pick = random.Random(seed)
    kind = kind or pick.choice(["elman", "jordan", "lstm", "gru"])
    cell = random_cell(pick, kind, activations)
    batch, steps, inputs = pick.choice([1, 2, 7, 16, 33]), pick.choice([1, 2, 5, 13]), pick.choice([1, 3, 14, 20])
    if cell.layer_norm:  # normalised x W_x hardly depends on the size of a single input (or of a state of one number)
        inputs = max(inputs, 3)
    size = hidden or pick.choice([3, 4, 16, 19, 32, 50])
    width = pick.choice([1, 5, 18]) if kind == "jordan" else cell.projection or size
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0, mean: float = 0.0) -> Tensor:
        return mean + scale * torch.randn(*shape, generator=generator, dtype=torch.float64)

    def maybe(name: str, chance: float, value: Tensor) -> None:
        if pick.random() < chance:
            weights[name] = value

    columns = cell.gates * size
    weights = {"w_x": normal(inputs, columns, scale=0.5), "w_h": normal(width, columns, scale=0.7 / width**0.5)}
    maybe("bias", 0.7, normal(columns, scale=0.3))
    maybe("bias_h", 0.4, normal(columns, scale=0.3))
    if cell.peephole:
        weights["peephole"] = normal(2 if cell.coupled else 3, size, scale=0.3)
    if cell.layer_norm:
        maybe("gain_x", 0.7, normal(columns, scale=0.2, mean=1.0))
        maybe("gain_h", 0.7, normal(columns, scale=0.2, mean=1.0))
        if kind == "lstm":
            maybe("gain_c", 0.7, normal(size, scale=0.2, mean=1.0))
    if cell.projection:
        weights["w_p"] = normal(size, width, scale=size**-0.5)
    if kind == "jordan":
        weights["w_out"] = normal(size, width, scale=size**-0.5)
        maybe("bias_out", 0.5, normal(width, scale=0.3))
    options: dict[str, Any] = {
        "reverse": pick.random() < 0.4,
        "training": pick.random() < 0.6,
        "last_only": pick.random() < 0.25,
        "rng": StepRandom(seed * 7919, seed % 5, seed % 3),
    }
    if pick.random() < 0.4:
        options["mask"] = torch.rand(batch, steps, generator=generator) < 0.7
    if pick.random() < 0.4:
        options["input_mask"] = (torch.rand(batch, inputs, generator=generator) < 0.7) / 0.7
    if pick.random() < 0.4:
        options["recurrent_mask"] = (torch.rand(batch, width, generator=generator) < 0.7) / 0.7
    x, h = normal(batch, steps, inputs), normal(batch, width, scale=0.5)
    c = normal(batch, size, scale=0.5) if kind == "lstm" else None
    y_shape = (batch, width) if options["last_only"] else (batch, steps, width)
    upstream: list[Tensor | None] = [normal(*y_shape)]
    upstream += [normal(*s.shape) if pick.random() < 0.7 else None for s in ((h,) if c is None else (h, c))]
    return Case(cell, x, h, c, weights, options, upstream)


def results(case: Case, scan: Any, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Outputs and gradients of a scan on a case, by name."""
    leaves = {
        name: value.detach().to(dtype).requires_grad_(True)
        for name, value in {"x": case.x, "h": case.h, "c": case.c, **case.weights}.items()
        if value is not None
    }
    options = {k: v.to(dtype) if k in ("input_mask", "recurrent_mask") else v for k, v in case.options.items()}
    state = (leaves["h"], leaves["c"]) if case.c is not None else leaves["h"]
    weights = Weights(**{name: leaves[name] for name in case.weights})
    y, last = scan(case.cell, leaves["x"], state, weights, **options)
    outputs = [y, *(last if isinstance(last, tuple) else (last,))]
    pairs = zip(outputs, case.upstream, strict=True)
    loss = torch.stack([(o * u.to(dtype)).sum() for o, u in pairs if u is not None]).sum()
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    found = {f"output {i}": o.detach() for i, o in enumerate(outputs)}
    for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True):
        found[f"d{name}"] = torch.zeros_like(leaf) if gradient is None else gradient
    return found


def breaks_rule(case: Case, scan: Any, reference: Any) -> str:
    """Say where a scan's error is above twice that of the float32 reference on this case; empty where it is not.

    Both start from numbers that float32 has to round. One float32 run may be right by luck, so the reference's error is
    the largest of up to `ROUNDINGS` runs, the first with every number rounded to the nearest, the others each to one of
    its two neighbours at random; over all arrays of the case. A few units in the last place (4) come on top.
    """
    truth = results(case, reference, torch.float64)
    ours = errors(results(case, scan), truth)
    generator = torch.Generator().manual_seed(1)
    largest, wrong = 0.0, ours
    for number in range(ROUNDINGS):
        near = _rounded(case, generator) if number else case
        largest = max(largest, *errors(results(near, reference), truth).values())
        wrong = {name: error for name, error in ours.items() if not error <= 2 * largest + FEW}
        if not wrong:
            return ""
    return f"allowed {2 * largest + FEW:.1e}: {wrong} {case.cell}"


def _rounded(case: Case, generator: torch.Generator) -> Case:
    """The case with every number moved by up to half a unit in the last place of float32."""

    def rounded(t: Tensor | None) -> Tensor | None:
        if t is None:
            return None
        return t * (1 + (2 * torch.rand(t.shape, generator=generator, dtype=torch.float64) - 1) * 2.0**-24)

    near = replace(case, x=rounded(case.x), h=rounded(case.h), c=rounded(case.c))
    return replace(near, weights={name: rounded(t) for name, t in case.weights.items()})


def errors(found: dict[str, Tensor], truth: dict[str, Tensor]) -> dict[str, float]:
    """max|found − truth| / max|truth| of every array that is not all zero."""
    out = {}
    for name, wanted in truth.items():
        scale = wanted.abs().max().item() if wanted.numel() else 0.0
        error = (found[name].double() - wanted).abs().max().item() if wanted.numel() else 0.0
        out[name] = error / scale if scale > 0 else error
    return out
