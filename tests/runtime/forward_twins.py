"""A forward pass of the runtime beside the torch module that it stands for, in float32 and in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

FEW_PLACES = 2.0**-22  # of the largest number: where torch rounds less than it may


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers in float32."""
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def mask_of(batch: int, steps: int, kind: str, seed: int = 0) -> np.ndarray | None:
    """Which steps count: all of them ("none"), the first few of each row ("front"), or any, a row without one too."""
    if kind == "none":
        return None
    drawn = np.random.default_rng([seed, batch, steps])
    if kind == "front":
        return np.arange(steps) < drawn.integers(1, steps + 1, batch)[:, None]
    mask = drawn.random((batch, steps)) < 0.6
    mask[0] = False
    return mask


def randomised(module: nn.Module, seed: int, size: float = 1.0) -> nn.Module:
    """The module in evaluation, its weights unequal random numbers of about 1/√(fan in), its running variances above
    0."""
    drawn = np.random.default_rng([seed, 77])
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if not value.is_floating_point():
                continue
            fan = max(1, value.numel() // max(1, value.shape[0])) if value.dim() > 1 else 4
            numbers = drawn.normal(size=tuple(value.shape)) * size / np.sqrt(fan)
            if name.endswith(("running_var", "weight_g")):
                numbers = drawn.uniform(0.5, 2.0, tuple(value.shape))
            elif "gain" in name:
                numbers = 1.0 + numbers
            value.copy_(torch.from_numpy(np.asarray(numbers)))
    return module.eval()


def arrays_of(module: nn.Module, prefix: str = "") -> dict[str, np.ndarray]:
    """The arrays of its state, as a model folder holds them."""
    return {prefix + name: value.detach().numpy() for name, value in module.state_dict().items()}


def as_tensors(value: Any, dtype: torch.dtype) -> Any:
    """Arrays, or tuples of them, as tensors; floats of that type."""
    if isinstance(value, np.ndarray):
        tensor = torch.from_numpy(np.ascontiguousarray(value))
        return tensor.to(dtype) if tensor.is_floating_point() else tensor
    return tuple(as_tensors(one, dtype) for one in value) if isinstance(value, tuple) else value


def flat(value: Any) -> Iterator[np.ndarray]:
    """The arrays of a result, in order."""
    if isinstance(value, (tuple, list)):
        for one in value:
            yield from flat(one)
    elif value is not None:
        yield value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)


def errors(ours: Any, module: nn.Module, run: Callable[..., Any], *inputs: Any) -> list[tuple[float, float]]:
    """Of each array of the result, how far ours and torch's float32 are from float64, relative to its largest number.

    run: called with a module and its inputs as tensors. torch's: the larger error of the two engines, compiled and not.
    """
    singles = []
    with torch.no_grad():
        for native in (True, False):
            with engine(native):
                singles.append(list(flat(run(module, *(as_tensors(one, torch.float32) for one in inputs)))))
        true = run(copy.deepcopy(module).double(), *(as_tensors(one, torch.float64) for one in inputs))
    found = []
    for one, *others, exact in zip(flat(ours), *singles, flat(true), strict=True):
        assert one.shape == exact.shape
        if not exact.size:
            continue
        assert one.dtype == np.float32
        assert np.isfinite(one).all()
        scale = max(float(np.abs(exact).max()), 1e-6)
        error, *theirs = (float(np.abs(value - exact).max()) / scale for value in (one, *others))
        found.append((error, max(theirs)))
    return found


def same(ours: Any, module: nn.Module, run: Callable[..., Any], *inputs: Any) -> None:
    """Assert that ours errs at most twice as much as torch's float32, and a few last places."""
    for own, others in errors(ours, module, run, *inputs):
        assert own <= 2 * others + FEW_PLACES, (own, others)


@contextmanager
def engine(native: bool) -> Iterator[None]:
    """With the compiled module, or without it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQLOOM_NATIVE", "1" if native else "0")
        yield
