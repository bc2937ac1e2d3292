"""Random calls for the compiled scan, over all its options and many sizes, and the rule that judges its errors.

The rule (ARCHITECTURE.md, How we know it is right): max|ours − ref64| / max|ref64| is at most twice the same error of
the float32 reference, and a few units in the last place. A float32 run of one small array may be right by luck, so the
reference's error is the largest of a few runs, each with the call's numbers rounded to float32 another way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from oracles.recurrent_cases import Case, random_case, random_cell
from seqloom.ops.cell import Cell
from seqloom.ops.native_scan import CODES
from seqloom.ops.reference import reference_scan

UNITS = (1, 2, 3, 5, 7, 8, 13, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 100, 128, 129, 130, 160, 200, 260)
INPUTS = (1, 2, 3, 5, 8, 14, 15, 16, 17, 33, 65)
BATCHES = (1, 2, 3, 5, 8, 9, 15, 16, 17, 31, 33, 40, 64, 65, 100)
STEPS = (1, 2, 3, 4, 7, 12, 20)
WORK = 400_000  # B·T·H of a case: what keeps it below a few tens of milliseconds
TINY = 8 * 2.0**-23
ROUNDINGS = 12
UNBOUNDED = ("relu", "leaky_relu", "elu", "softplus", "identity")


def _sizes(rng: np.random.Generator, cell: Cell) -> tuple[int, int, int, int]:
    """B, T, I, H: ones, odd numbers, whole vectors and one beside them, more than a cache holds."""
    hidden = int(rng.choice(UNITS[1:] if cell.layer_norm else UNITS))
    batch, steps, inputs = (int(rng.choice(n)) for n in (BATCHES, STEPS, INPUTS))
    if rng.random() < 0.04:  # more tiles of rows than there are strands of them
        batch, steps, hidden = 530, min(steps, 3), min(hidden, 7)
    while batch * steps * hidden * (hidden + inputs) > 40 * WORK or batch * steps * hidden > WORK:
        batch, steps = max(1, batch // 2), max(1, steps - 1)
    return batch, steps, inputs, hidden


def native_cell(rng: np.random.Generator, kind: str) -> Cell:
    """A cell with any options that the compiled scan runs."""
    cell = random_cell(rng, kind)
    if cell.activation == "prelu":
        cell = dataclasses.replace(cell, activation="tanh")
    if cell.projection is not None:
        cell = dataclasses.replace(cell, projection=int(rng.choice([1, 2, 5, 16, 17, 40])))
    return cell


def native_case(seed: int, kind: str | None = None, cell: Cell | None = None, *, small: bool = False) -> Case:
    """A random call that the compiled scan runs: any options, any masks, NaN where the mask hides the input.

    With `small` its sizes are below 8: few enough for the NumPy twin.
    """
    rng = np.random.default_rng([seed, 77])
    cell = cell or native_cell(rng, kind or list(CODES)[seed % len(CODES)])
    case = random_case(int(rng.integers(2**31)), cell=cell, sizes=None if small else _sizes(rng, cell))
    x, weights = case.x.copy(), dict(case.weights)
    # Sums of many terms stay where the activations are curved, and states don't grow without bound.
    grows = any(a in UNBOUNDED for a in (cell.activation, cell.output_activation, cell.gate_activation))
    for name in ("w_x", "w_h", "w_out", "w_p"):
        if name in weights:
            weights[name] = weights[name] * min(1.0, (1.0 if grows else 2.5) / np.sqrt(weights[name].shape[0]))
    shared = {}
    for name in ("input_mask", "recurrent_mask"):
        mask = case.keywords[name]
        shared[name] = mask[:, 0] if mask is not None and mask.ndim == 3 else mask
    if case.keywords["mask"] is not None:
        if rng.random() < 0.5:
            case.keywords["mask"][rng.integers(x.shape[0])] = False
        x[~case.keywords["mask"]] = np.nan
    return dataclasses.replace(case, x=x, weights=weights).but(**shared)


@dataclass(frozen=True)
class Errors:
    """One array of a case: our error and the float32 reference's, relative to the largest number of the float64 one."""

    name: str
    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        """Above 1 where the rule is broken."""
        return self.ours / (2 * self.reference + TINY)


def run(case: Case, scan: Any, dtype: torch.dtype = torch.float32, **more: Any) -> dict[str, np.ndarray]:
    """Outputs, and gradients of inputs, states and weights for random unequal cotangents of some of the outputs."""
    outputs, leaves = case.call(scan, dtype, **more)
    given = cotangents(case, [tuple(o.shape) for o in outputs])
    pairs = [(o, torch.from_numpy(g).to(dtype)) for o, g in zip(outputs, given, strict=True) if g is not None]
    grads = torch.autograd.grad([o for o, _ in pairs], leaves, [g for _, g in pairs], allow_unused=True)
    states = ["h", "c"][: len(outputs) - 1]
    names = ["y", *(f"last {s}" for s in states), *(f"d{n}" for n in ("x", *states, *case.weights))]
    values = [*outputs, *(torch.zeros_like(t) if g is None else g for g, t in zip(grads, leaves, strict=True))]
    return {name: value.detach().numpy() for name, value in zip(names, values, strict=True)}


def cotangents(case: Case, shapes: list[tuple[int, ...]]) -> list[np.ndarray | None]:
    """Random gradients of a case's outputs; None for some of them."""
    rng = np.random.default_rng(case.x.size)
    chosen = [bool(rng.random() < 0.75) for _ in shapes]
    chosen[int(rng.integers(len(shapes)))] = True
    return [rng.standard_normal(shape) if use else None for shape, use in zip(shapes, chosen, strict=True)]


class Oracle:
    """What a case must give: in float64, and how far the float32 reference is from it."""

    def __init__(self, case: Case, exact: dict[str, np.ndarray] | None = None):
        self.case = case
        self.exact = run(case, reference_scan, torch.float64) if exact is None else exact
        self._errors = dict.fromkeys(self.exact, 0.0)
        self._rng = np.random.default_rng(case.x.shape)
        self._roundings = 0

    @classmethod
    def of_twin(cls, case: Case) -> Oracle:
        """The outputs alone, by the NumPy twin in place of the float64 reference."""
        names = ["y", "last h", "last c"][: 2 if case.c is None else 3]
        return cls(case, dict(zip(names, case.twin(), strict=True)))

    def judge(self, found: dict[str, np.ndarray]) -> list[Errors]:
        """The errors of what a scan found, after as many float32 runs as it takes to keep the rule, up to a few."""
        ours = {name: relative_error(found[name], exact) for name, exact in self.exact.items()}
        while True:
            errors = [Errors(name, ours[name], reference) for name, reference in self._errors.items()]
            broken = max(e.ratio for e in errors) > 1
            if self._roundings >= (ROUNDINGS if broken else 2):
                return errors
            plain = run(_rounded(self.case, self._rng), reference_scan)
            self._errors = {
                name: max(e, relative_error(plain[name], self.exact[name])) for name, e in self._errors.items()
            }
            self._roundings += 1

    def worst(self, scan: Callable[..., Any], **more: Any) -> Errors:
        """The array that breaks the rule most, or comes nearest to it."""
        return max(self.judge(run(self.case, scan, **more)), key=lambda e: e.ratio)


def _rounded(case: Case, rng: np.random.Generator) -> Case:
    """The case with every number rounded to float32 at random, to one of its two neighbours."""

    def rounded(a: np.ndarray) -> np.ndarray:
        return (a * (1 + rng.uniform(-1, 1, a.shape) * 2.0**-24)).astype(np.float32).astype(np.float64)

    weights = {name: rounded(w) for name, w in case.weights.items()}
    c = None if case.c is None else rounded(case.c)
    return dataclasses.replace(case, x=rounded(case.x), h=rounded(case.h), c=c, weights=weights)


def relative_error(found: np.ndarray, exact: np.ndarray) -> float:
    """max|found − exact| / max|exact|; infinite where something is NaN."""
    assert found.shape == exact.shape
    if not exact.size:
        return 0.0
    apart = np.abs(found.astype(np.float64) - exact).max()
    if np.isnan(apart):
        return float("inf")
    return float(apart / max(np.abs(exact).max(), 1e-30))  # below that, numbers lose digits where denormals are flushed
