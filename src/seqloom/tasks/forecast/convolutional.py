"""How large the forecaster's convolutional networks are where nothing is said, and what they can see."""

from __future__ import annotations

from ..networks import receptive_field, steps_read
from .network import NetworkSpec

__all__ = ["sight_notes", "usual_channels", "usual_kernel"]


def usual_kernel(name: str) -> int:
    """The kernel where none is given: 5 taps, 3 for the tcn."""
    return 3 if name == "tcn" else 5


def usual_channels(name: str, units: int, steps: int, kernel_size: int) -> tuple[int, ...]:
    """The channels of each layer where none are given: `units` in three layers of the conv, two of the conv-gru.

    The tcn gets as many levels as its receptive field, 1 + 2(k − 1)(2^n − 1), needs to reach over all input steps.

    >>> usual_channels("tcn", 32, 120, 3)
    (32, 32, 32, 32, 32)
    """
    levels = {"conv": 3, "conv-gru": 2}.get(name, 1)
    while name == "tcn" and kernel_size > 1 and _field(kernel_size, levels) < steps:
        levels += 1
    return (units,) * levels


def sight_notes(spec: NetworkSpec) -> list[str]:
    """What to say where a network can't see the whole window, or could see far more than it."""
    steps, levels = spec.input_steps, len(spec.channels)
    if spec.name in ("conv", "conv-gru"):
        unread = steps - steps_read(spec.body, steps)
        return [f"{spec.name}: {unread} of the {steps} input steps, the oldest, fill no whole pool."] if unread else []
    if spec.name != "tcn":
        return []
    field = receptive_field(spec.body)
    if field < steps:
        return [
            f"tcn: its receptive field is {field}, so of the {steps} input steps it sees only the last {field}; more "
            "channels (levels) or a larger kernel_size would use them all."
        ]
    enough = len(usual_channels("tcn", 1, steps, spec.kernel_size))
    if enough < levels:
        return [
            f"tcn: its receptive field is {field}, more than the {steps} input steps that there are; {enough} of its "
            f"{levels} levels would see them all."
        ]
    return []


def _field(kernel_size: int, levels: int) -> int:
    return 1 + 2 * (kernel_size - 1) * (2**levels - 1)
