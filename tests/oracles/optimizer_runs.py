"""The same random training run through an optimizer of torch and through ours, and how far each is from float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqloom import training

__all__ = ["OURS", "Run", "drawn_run", "ratio"]

OURS: dict[str, tuple[type[Any], type[Any]]] = {
    name: (getattr(training, name), getattr(torch.optim, name)) for name in ("Adam", "AdamW", "RMSprop", "SGD")
}
_SHAPES = ((), (1,), (7,), (3, 5), (16, 33), (2, 3, 4))


@dataclass(frozen=True)
class Run:
    """One random run: groups of starting weights with options of their own, and the gradients of each step."""

    rule: str
    groups: tuple[tuple[tuple[Tensor, ...], dict[str, Any]], ...]
    gradients: tuple[tuple[Tensor | None, ...], ...]
    rates: tuple[float, ...]  # what each step multiplies the groups' rates by
    clip_norm: float | None = None
    clip_value: float | None = None

    def weights(self, make: Callable[..., Any], dtype: torch.dtype, clipped: bool = False) -> list[Tensor]:
        """The weights after all steps; clipped: by `clipped_step` and not by torch's functions."""
        groups = [
            {"params": [nn.Parameter(w.to(dtype, copy=True)) for w in weights], **options}
            for weights, options in self.groups
        ]
        optimizer = make(groups, lr=0.01)
        all_weights = [w for group in groups for w in group["params"]]
        rates = [group["lr"] for group in optimizer.param_groups]
        for gradients, factor in zip(self.gradients, self.rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            for weight, gradient in zip(all_weights, gradients, strict=True):
                weight.grad = None if gradient is None else gradient.to(dtype, copy=True)
            if clipped:
                optimizer.clipped_step(clip_norm=self.clip_norm, clip_value=self.clip_value)
                continue
            self._clip([w.grad for w in all_weights if w.grad is not None])
            optimizer.step()
        return [w.detach() for w in all_weights]

    def _clip(self, gradients: list[Tensor]) -> None:
        norm = sum(float(g.double().square().sum()) for g in gradients) ** 0.5
        for g in gradients:
            if self.clip_norm is not None and norm > self.clip_norm:
                g.mul_(self.clip_norm / norm)
            if self.clip_value is not None:
                g.clamp_(-self.clip_value, self.clip_value)


def drawn_run(rule: str, seed: int, steps: int = 15) -> Run:
    """A random run of the rule: options, groups, shapes, scales of gradients, steps in which some have none."""
    generator = torch.Generator().manual_seed(seed)

    def number(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64).item()

    def whole(limit: int) -> int:
        return int(torch.randint(limit, (), generator=generator))

    def options() -> dict[str, Any]:
        found: dict[str, Any] = {"lr": 10 ** number(-3.5, -1), "weight_decay": (0.0, number(0.001, 0.2))[whole(2)]}
        if rule in ("Adam", "AdamW"):
            return {**found, "betas": (number(0, 0.95), number(0.5, 0.999)), "eps": 10 ** number(-8, -3)}
        if rule == "RMSprop":
            return {
                **found,
                "alpha": number(0.5, 0.99),
                "eps": 10 ** number(-8, -3),
                "momentum": number(0, 0.9) * whole(2),
            }
        found["momentum"] = number(0.1, 0.95) * whole(3)
        if found["momentum"] > 1:
            found["momentum"] /= 2
        nesterov = bool(found["momentum"]) and bool(whole(2))
        return {**found, "nesterov": nesterov, "dampening": 0.0 if nesterov else number(0, 0.5) * whole(2)}

    groups = tuple(
        (tuple(torch.randn(_SHAPES[whole(len(_SHAPES))], generator=generator) for _ in range(1 + whole(3))), options())
        for _ in range(1 + whole(3))
    )
    weights = [w for members, _ in groups for w in members]
    scales = [10 ** number(-3, 1) for _ in weights]
    gradients = tuple(
        tuple(
            scale * torch.randn(w.shape, generator=generator) if whole(8) else None
            for w, scale in zip(weights, scales, strict=True)
        )
        for _ in range(steps)
    )
    clip = whole(4)
    return Run(
        rule,
        groups,
        gradients,
        tuple(number(0.2, 1) for _ in range(steps)),
        10 ** number(-1, 0.5) if clip in (1, 3) else None,
        10 ** number(-2, 0) if clip in (2, 3) else None,
    )


def ratio(run: Run, clipped: bool) -> float:
    """How far our float32 weights are from torch's of float64, in units of what is allowed.

    That is twice torch's own error in float32, and not less than eight roundings of the largest weight.
    """
    ours, theirs = OURS[run.rule]
    exact = run.weights(theirs, torch.float64)
    single = run.weights(theirs, torch.float32)
    found = run.weights(ours, torch.float32, clipped)
    worst = 0.0
    for a, b, reference in zip(found, single, exact, strict=True):
        rounding = 8 * torch.finfo(torch.float32).eps * max(1.0, float(reference.abs().max()))
        allowed = max(2 * float((b.double() - reference).abs().max()), rounding)
        worst = max(worst, float((a.double() - reference).abs().max()) / allowed)
    return worst
