"""Sums of float64 numbers without rounding, so that the order and the pieces in which they come change no bit."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

__all__ = ["ExactSum", "Moments"]

_MANTISSA = 53
_HALF = 26
_BIAS = 1140  # added to the exponents of frexp, of which the smallest is −1073
_BLOCK = 1 << 15  # numbers at a time, few enough for the cache: their halves, of 27 bits, add up below 2⁵³
_SPLIT = float(2**27 + 1)
_PLAIN = (2.0**-440, 2.0**500)  # sizes whose square and its rounding error are float64 numbers


class ExactSum:
    """Σ x of finite float64 numbers, held as a whole number of 2^(−_BIAS−53): nothing is rounded until it is read.

    Each number is m · 2^e with a whole m of 53 bits (frexp); the upper and lower halves of m are added up by exponent,
    in float64 whose sums stay whole below 2⁵³ (a long accumulator as of Kulisch 2013).

    >>> total = ExactSum()
    >>> total.add(np.array([1e100, 1.0, -1e100]))
    >>> float(total.value)
    1.0
    """

    def __init__(self) -> None:
        self._total = 0

    def add(self, values: np.ndarray) -> None:
        """Add the numbers of an array of one axis, float64 and finite."""
        for start in range(0, len(values), _BLOCK):
            mantissa, exponent = np.frexp(values[start : start + _BLOCK])
            mantissa *= 2.0 ** (_MANTISSA - _HALF)
            upper = np.floor(mantissa)
            lower = (mantissa - upper) * 2.0**_HALF
            first = int(exponent.min())
            exponent -= first
            for half, shift in ((upper, _HALF), (lower, 0)):
                sums = np.bincount(exponent, weights=half)
                for at in np.flatnonzero(sums).tolist():
                    self._total += int(sums[at]) << (at + first + _BIAS + shift)

    @property
    def value(self) -> Fraction:
        """The sum itself."""
        return Fraction(self._total, 1 << (_BIAS + _MANTISSA))


class Moments:
    """Count, mean and population standard deviation of float64 numbers that come in pieces, each rounded once.

    Σ x and Σ x² are exact, x² as the sum of its rounded value and its rounding error (Dekker 1971), so that
    n Σ x² − (Σ x)² loses nothing to cancellation.

    >>> found = Moments()
    >>> found.add(np.array([1e9 + 1, 1e9 + 3]))
    >>> found.add(np.array([1e9 + 5]))
    >>> found.mean, found.std == math.sqrt(8 / 3)
    (1000000003.0, True)
    """

    def __init__(self) -> None:
        self.count = 0
        self._sum, self._squares, self._odd = ExactSum(), ExactSum(), Fraction(0)

    def add(self, values: np.ndarray) -> None:
        """Take the numbers of an array of one axis, float64 and finite."""
        self.count += len(values)
        self._sum.add(values)
        size = np.abs(values)
        odd = ((size < _PLAIN[0]) & (size > 0)) | (size > _PLAIN[1])
        if odd.any():
            self._odd += sum((Fraction(value) ** 2 for value in values[odd].tolist()), Fraction(0))
            values = values[~odd]
        for start in range(0, len(values), _BLOCK):
            self._square(values[start : start + _BLOCK])

    def _square(self, x: np.ndarray) -> None:
        square = x * x
        big = _SPLIT * x
        high = big - (big - x)
        low = x - high
        self._squares.add(square)
        self._squares.add(((high * high - square) + 2.0 * (high * low)) + low * low)

    @property
    def mean(self) -> float:
        """Σ x / n; NaN of no numbers."""
        return float(self._sum.value / self.count) if self.count else math.nan

    @property
    def std(self) -> float:
        """The square root of (n Σ x² − (Σ x)²) / n², infinite where it is no float64; NaN of no numbers."""
        if not self.count:
            return math.nan
        squares = self._squares.value + self._odd
        return _root((self.count * squares - self._sum.value**2) / self.count**2)


def _root(value: Fraction) -> float:
    """The square root of a fraction that is not negative, from a whole root of 64 bits and more."""
    if value <= 0:
        return 0.0
    shift = 66 - (value.numerator.bit_length() - value.denominator.bit_length()) // 2
    scaled = value * Fraction(4) ** shift
    try:
        return float(Fraction(math.isqrt(int(scaled))) / Fraction(2) ** shift)
    except OverflowError:
        return math.inf
