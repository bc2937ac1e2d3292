"""Is one model better than another on the same examples, or could chance alone have done it?"""

from __future__ import annotations

import math

from seqloom_runtime.errors import DataError

__all__ = ["sign_test"]


def sign_test(wins: int, losses: int) -> float:
    """How often fair coins would part the wins + losses examples at least as unevenly: the exact two-sided sign test.

    Examples where neither of two models did better don't count (McNemar 1947, for right and wrong answers).

    >>> round(sign_test(5, 0), 6), round(sign_test(4, 6), 6)
    (0.0625, 0.753906)
    """
    if wins < 0 or losses < 0:
        raise DataError(f"wins, losses: expected counts of at least 0, got {wins} and {losses}.")
    count, few = wins + losses, min(wins, losses)
    if 2 * few >= count - 1:  # as even as it gets
        return 1.0
    # In logarithms: 2^n of 10,000 examples is beyond a float.
    log_term = [math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) for k in range(few + 1)]
    most = max(log_term)
    tail = math.log(math.fsum(math.exp(t - most) for t in log_term)) + most
    # 1 − n instead of −n: both tails, which are equally long.
    return min(1.0, math.exp(tail + (1 - count) * math.log(2)))
