"""Transforms of the target before it is standardised: logarithm and Box-Cox, chosen on the training rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FormatError, SettingError, shown

__all__ = ["Transform", "fit_transform"]

_POWERS = np.linspace(-1.0, 2.0, 31)


@dataclass(frozen=True)
class Transform:
    """z = (y^λ − 1) / λ, or log y where λ is 0 (Box & Cox 1964); and back.

    A value below `least`, the half of the smallest training value, counts as that, since there is no logarithm of 0.
    What comes back is at least that and at most `most`, the largest training value and twice the range (or the value)
    above it: the power of a far forecast would explode.

    >>> log = Transform(0.0, 0.5, 30.0)
    >>> log.inverse(log.forward(np.array([1.0, 7.0, 0.0, 99.0]))).round(6).tolist()
    [1.0, 7.0, 0.5, 30.0]
    """

    power: float
    least: float
    most: float

    def forward(self, values: np.ndarray) -> np.ndarray:
        """y → z, of any shape; NaN stays NaN."""
        return _forward(np.maximum(values, self.least), self.power)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """z → y, of any shape."""
        z = np.clip(values, _forward(self.least, self.power), _forward(self.most, self.power))
        y = np.exp(z) if not self.power else (self.power * z + 1) ** (1 / self.power)
        return np.clip(y, self.least, self.most)

    def to_json(self) -> dict[str, float]:
        """The fields as JSON values."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, value: Any) -> Transform:
        """Rebuild from `to_json`; raises FormatError for anything else."""
        names = ("power", "least", "most")
        good = isinstance(value, Mapping) and set(value) == set(names)
        numbers = [float(value[n]) for n in names if isinstance(value[n], (int, float))] if good else []
        if len(numbers) < 3 or not np.isfinite(numbers).all() or not (-1 <= numbers[0] <= 2 and numbers[1] > 0):
            raise FormatError(f"features: 'transform' is {shown(value)}, which is not what this version writes.")
        if numbers[1] > numbers[2]:
            raise FormatError(f"features: the range of 'transform' is empty, {numbers[1]} to {numbers[2]}.")
        return cls(*numbers)


def fit_transform(kind: str, values: np.ndarray, target: str) -> Transform:
    """The transform `kind`, log or box-cox, for the target's training values (N,); Box-Cox's λ, in tenths from −1 to 2,
    is the most likely one under normal errors. Raises SettingError where a value is not above 0."""
    if not len(values) or values.min() <= 0:
        found = "none there" if not len(values) else f"{values.min():g}"
        raise SettingError(
            f"transform: {kind} needs training values of {shown(target)} above 0, got {found}; use transform=None."
        )
    power = 0.0
    if kind == "box-cox":
        logs = np.log(values)
        likely = [(p - 1) * logs.mean() - 0.5 * np.log(max(_forward(values, p).var(), 1e-300)) for p in _POWERS]
        power = float(round(_POWERS[int(np.argmax(likely))], 12)) + 0.0
    low, high = float(values.min()), float(values.max())
    return Transform(power, low / 2, high + 2 * max(high - low, high))


def _forward(values: Any, power: float) -> Any:
    return np.log(values) if not power else (np.power(values, power) - 1) / power
