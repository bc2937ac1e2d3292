"""Scores of language models: from nats per token to perplexity and bits."""

from __future__ import annotations

import math

from seqloom_runtime.errors import DataError

__all__ = ["bits", "perplexity"]


def perplexity(nats: float) -> float:
    """exp of the mean −ln p per token: guessing evenly among that many tokens does as well.

    Raises DataError for a mean that is negative or not finite.

    >>> round(perplexity(math.log(50)), 6)
    50.0
    """
    return math.exp(_mean(nats))


def bits(nats: float, per: float = 1.0) -> float:
    """Mean −log2 p per token, or per unit of which a token has `per` on average (characters, with word tokens).

    >>> bits(math.log(8)), bits(math.log(8), per=4)
    (3.0, 0.75)
    """
    if not per > 0:
        raise DataError(f"per: expected a number above 0, got {per}.")
    return _mean(nats) / math.log(2) / per


def _mean(nats: float) -> float:
    if not (math.isfinite(nats) and nats >= 0):
        raise DataError(f"nats: expected a finite mean of at least 0, got {nats}.")
    return float(nats)
