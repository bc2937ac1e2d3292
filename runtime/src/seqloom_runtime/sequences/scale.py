"""`Scale`: how numbers are standardised, and put back into their unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import FormatError, shown
from ..saved_fields import array_of

__all__ = ["Scale", "scale_from"]


@dataclass(frozen=True, eq=False)
class Scale:
    """z = (x − mean) / std by channel, in float64; nothing where mean is None."""

    mean: np.ndarray | None = None
    std: np.ndarray | None = None

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """`values` (…, C) standardised, as float32."""
        if self.mean is None or self.std is None:
            return values.astype(np.float32)
        return ((values - self.mean) / self.std).astype(np.float32)

    def unscaled(self, values: np.ndarray) -> np.ndarray:
        """The inverse, as float64."""
        values = values.astype(np.float64)
        return values if self.mean is None or self.std is None else values * self.std + self.mean


def scale_from(arrays: Mapping[str, np.ndarray], name: str, width: int, there: bool) -> Scale:
    """The scale saved under `name`, or none where it isn't to be there; raises FormatError where it can't be that."""
    if not there:
        if f"{name}.mean" in arrays or f"{name}.std" in arrays:
            raise FormatError(f"model.safetensors: {name}.mean and {name}.std belong to scaling that is off.")
        return Scale()
    mean, std = (array_of(arrays, f"{name}.{part}", np.float64, 1) for part in ("mean", "std"))
    if mean.shape != (width,) or std.shape != (width,) or not np.isfinite(mean).all() or not np.isfinite(std).all():
        raise FormatError(f"model.safetensors: expected {width} finite means and deviations under {shown(name)}.")
    if (std <= 0).any():
        raise FormatError(f"model.safetensors: expected deviations above 0 under '{name}.std'.")
    return Scale(mean.copy(), std.copy())
