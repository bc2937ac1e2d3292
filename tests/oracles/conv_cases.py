"""Random calls of the causal convolution over all options and many sizes, and the rule that judges their errors.

The rule is the scan's (`oracles.native_cases`). What is exact comes from float64 `torch.nn.functional.conv1d` over the
padded sequence, or from the NumPy twin. Outputs whose activation has a kink so near that float32 may land on its other
side take no part: their gradient is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from oracles.native_cases import TINY, Errors, relative_error
from oracles.numpy_conv import ConvTwin
from seqloom.ops.activations import ACTIVATIONS
from seqloom.ops.call import ConvCall
from seqloom.ops.cell import StepRandom
from seqloom.ops.conv_reference import dropout_mask, run

CHANNELS = (1, 2, 3, 5, 7, 8, 10, 13, 15, 16, 17, 24, 25, 31, 32, 33, 48, 49, 64, 65, 100, 130, 150, 200)
BATCHES = (1, 1, 2, 3, 5, 7, 8, 9, 12, 17, 18, 33)
STEPS = (1, 2, 3, 5, 8, 13, 20, 33, 64, 100, 150, 300)
TAPS = (1, 1, 2, 3, 3, 4, 5, 7, 8, 17)
DILATIONS = (1, 1, 2, 3, 4, 8, 16, 37, 64, 1000)
ARRAYS = ("x", "weight", "bias", "residual", "context")
WORK = 3e6  # products of a case
KINKS = {"relu": (0,), "leaky_relu": (0,), "elu": (0,), "hard_sigmoid": (-3, 3), "hard_sigmoid_02": (-2.5, 2.5)}
NEAR = 1e-4
RANDOM = StepRandom(2**63 + 17, 5, 3)


@dataclass(frozen=True)
class ConvCase:
    """A call: arrays in float64, None where absent; settings; gradients of its outputs."""

    arrays: dict[str, np.ndarray | None]
    dilation: int
    activation: str
    final_activation: str
    dropout: float
    dy: np.ndarray

    @property
    def settings(self) -> dict[str, Any]:
        """What `causal_conv` takes besides arrays and the dropout's keywords."""
        return {"dilation": self.dilation, "activation": self.activation, "final_activation": self.final_activation}

    @property
    def mask(self) -> np.ndarray | None:
        """The dropout's factors."""
        rows, steps, units = self.dy.shape
        return dropout_mask(RANDOM, (rows, steps, units), self.dropout) if self.dropout else None

    def run(self, conv: Callable[..., torch.Tensor], dtype: torch.dtype = torch.float32) -> dict[str, np.ndarray]:
        """The output and all gradients of a function with the arguments of `causal_conv`."""
        leaves = {
            name: torch.from_numpy(a).to(dtype).requires_grad_() for name, a in self.arrays.items() if a is not None
        }
        y = conv(**leaves, **self.settings, dropout=self.dropout, rng=RANDOM, training=True)
        dy = torch.from_numpy(self.dy).to(dtype)
        grads = torch.autograd.grad(y, list(leaves.values()), dy, allow_unused=True)
        found = {"y": y.detach().numpy()}
        for (name, leaf), g in zip(leaves.items(), grads, strict=True):
            found[f"d{name}"] = (torch.zeros_like(leaf) if g is None else g).numpy()
        return found

    def twin(self) -> ConvTwin:
        """The NumPy twin of the call."""
        given = {name: a for name, a in self.arrays.items() if a is not None}
        return ConvTwin(**given, **self.settings, mask=self.mask)

    def rounded(self, rng: np.random.Generator) -> ConvCase:
        """With every number rounded to float32 at random, to one of its two neighbours."""

        def one(a: np.ndarray) -> np.ndarray:
            return (a * (1 + rng.uniform(-1, 1, a.shape) * 2.0**-24)).astype(np.float32).astype(np.float64)

        return replace(self, arrays={name: None if a is None else one(a) for name, a in self.arrays.items()})


def _sizes(rng: np.random.Generator, small: bool) -> tuple[int, ...]:
    """B, T, I, O, K, d."""
    if small:
        return tuple(int(n) for n in rng.integers(1, [4, 8, 8, 8, 5, 4]))
    lists = (BATCHES, STEPS, CHANNELS, CHANNELS, TAPS, DILATIONS)
    batch, steps, inputs, outputs, taps, dilation = (int(rng.choice(n)) for n in lists)
    while batch * steps * inputs * outputs * taps > WORK:
        if inputs * outputs * taps > WORK / 40:
            outputs = max(1, outputs // 2)
        elif steps > 40:
            steps //= 2
        elif batch > 1:
            batch = (batch + 1) // 2
        else:
            steps = max(1, steps // 2)
    return batch, steps, inputs, outputs, taps, dilation


def conv_case(seed: int, *, small: bool = False, **fixed: Any) -> ConvCase:
    """A random call; `fixed` sets sizes (B, T, I, O, K, d), activations, dropout, residual, context."""
    rng = np.random.default_rng([seed, 123])
    sizes = fixed.get("sizes") or _sizes(rng, small)
    batch, steps, inputs, outputs, taps, dilation = sizes
    span = (taps - 1) * dilation
    names = list(ACTIVATIONS)

    def chosen(name: str, value: Any) -> Any:
        return fixed.get(name, value)

    arrays: dict[str, np.ndarray | None] = {
        "x": rng.standard_normal((batch, steps, inputs)),
        "weight": rng.standard_normal((outputs, inputs, taps)) / np.sqrt(inputs * min(taps, 1 + steps // dilation)),
        "bias": rng.standard_normal(outputs) if rng.random() < 0.8 else None,
        "residual": rng.standard_normal((batch, steps, outputs)) if chosen("residual", rng.random() < 0.45) else None,
        "context": None,
    }
    if chosen("context", rng.random() < 0.4) and batch * span * inputs < 4e5:
        arrays["context"] = rng.standard_normal((batch, span, inputs))
    activation = chosen("activation", "relu" if rng.random() < 0.4 else str(rng.choice(names)))
    final = chosen("final_activation", "identity" if rng.random() < 0.5 else str(rng.choice([*names, "relu"])))
    dropout = float(chosen("dropout", rng.choice([0.0, 0.0, 0.2, 0.5, 0.9])))
    case = ConvCase(
        arrays, dilation, activation, final, dropout, np.ascontiguousarray(rng.standard_normal((batch, steps, outputs)))
    )
    return replace(case, dy=np.where(_near_a_kink(case), 0.0, case.dy))


def exact_conv(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    residual: torch.Tensor | None = None,
    context: torch.Tensor | None = None,
    mask: np.ndarray | None = None,
    dilation: int,
    activation: str,
    final_activation: str,
    seen: list[torch.Tensor] | None = None,
    **_: Any,
) -> torch.Tensor:
    """The call as `torch.nn.functional.conv1d` over zeros or context and x; `seen` gets what φ and ψ were given."""
    span = (weight.shape[2] - 1) * dilation
    before = x.new_zeros(x.shape[0], span, x.shape[2]) if context is None else context
    wide = torch.cat([before, x], dim=1).transpose(1, 2)
    a = functional.conv1d(wide, weight, bias, dilation=dilation).transpose(1, 2)
    u = ACTIVATIONS[activation](a)
    v = u if mask is None else u * torch.from_numpy(mask)
    v = v if residual is None else v + residual
    if seen is not None:
        seen += [a, v]
    return ACTIVATIONS[final_activation](v)


def _near_a_kink(case: ConvCase) -> np.ndarray:
    """(B, T, O) bool: where φ or ψ is given a number beside one of its kinks."""
    seen: list[torch.Tensor] = []
    given = {name: torch.from_numpy(a) for name, a in case.arrays.items() if a is not None}
    exact_conv(**given, **case.settings, mask=case.mask, seen=seen)
    near = np.zeros(case.dy.shape, dtype=bool)
    for name, value in zip((case.activation, case.final_activation), seen, strict=True):
        for kink in KINKS.get(name, ()):
            near |= np.abs(value.numpy() - kink) < NEAR
    return near


def _reference(x: Any, weight: Any, bias: Any = None, **keywords: Any) -> torch.Tensor:
    """The readable convolution, its dropout drawn as the call's."""
    keywords.pop("training")
    return run(ConvCall(x, weight, bias, **keywords))


class ConvOracle:
    """What a case must give, and how far the float32 reference is from it."""

    def __init__(self, case: ConvCase, exact: dict[str, np.ndarray] | None = None):
        self.case = case
        self.exact = exact or case.run(lambda **k: exact_conv(**k, mask=case.mask), torch.float64)
        rng = np.random.default_rng(case.dy.size)
        self._errors = dict.fromkeys(self.exact, 0.0)
        for _ in range(3):
            plain = case.rounded(rng).run(_reference)
            for name, value in self.exact.items():
                self._errors[name] = max(self._errors[name], relative_error(plain[name], value))

    @classmethod
    def of_twin(cls, case: ConvCase) -> ConvOracle:
        """By the NumPy twin in place of torch."""
        twin = case.twin()
        exact = {"y": twin.forward()}
        exact |= {f"d{name}": g for name, g in twin.gradients(case.dy).items()}
        return cls(case, exact)

    def worst(self, conv: Callable[..., torch.Tensor]) -> Errors:
        """The array that breaks the rule most, or comes nearest to it."""
        found = self.case.run(conv)
        assert found.keys() == self.exact.keys()
        errors = [
            Errors(name, relative_error(found[name], exact), self._errors[name]) for name, exact in self.exact.items()
        ]
        return max(errors, key=lambda e: e.ratio)


__all__ = ["CHANNELS", "RANDOM", "TINY", "ConvCase", "ConvOracle", "conv_case", "exact_conv"]
