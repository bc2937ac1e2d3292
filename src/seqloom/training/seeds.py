"""Seeds that belong to one user of random numbers, derived from the run's seed."""

from __future__ import annotations

import hashlib

__all__ = ["derive_seed"]


def derive_seed(seed: int, *names: str) -> int:
    """A 63-bit seed from the run's seed and the names of who draws: the first bytes of a SHA-256.

    >>> derive_seed(0, "gru") == derive_seed(0, "gru"), derive_seed(0, "gru") == derive_seed(0, "lstm")
    (True, False)
    """
    # A separator that no name holds: ("ab", "c") and ("a", "bc") must differ.
    text = "\x1f".join([str(seed), *names])
    # A hash rather than seed + number: neighbouring seeds of two users would meet. 63 bits fit a signed 64-bit
    # number.
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
