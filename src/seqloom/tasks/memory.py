"""The memory that training a network takes, worked out before anything is allocated.

What is counted is certain to be needed (weights, gradients, the optimizer's moments, what a batch leaves for the
backward pass), so nothing that would run is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import nn

from seqloom_runtime.limits import need_memory

__all__ = ["count_weights", "prediction_only", "refuse_too_large", "weights_of"]

_MOMENTS = {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 0, "nt-asgd": 1}
_BYTES = 4  # of a float32
_trains: ContextVar[bool] = ContextVar("trains", default=True)


@contextmanager
def prediction_only() -> Iterator[None]:
    """Inside the block `refuse_too_large` refuses nothing: a saved model was trained elsewhere, and takes far less."""
    token = _trains.set(False)
    try:
        yield
    finally:
        _trains.reset(token)


def refuse_too_large(
    model: str, weights: int, optimizer: str, *, grows_with: str, batch_size: int = 0, row: int = 0
) -> None:
    """Raise SettingError where training needs more memory than there is.

    weights: of the whole network; grows_with: the parameter that makes them many; row: numbers that one example of a
    batch takes at least, inputs and activations. The parameter that takes the larger part is named.

    >>> refuse_too_large("gru", 10**15, "adam", grows_with="units")
    Traceback (most recent call last):
    ...
    seqloom_runtime.errors.SettingError: units: training 'gru' with 1,000,000,000,000,000 weights needs ...
    """
    if not _trains.get():
        return
    fixed, moving = weights * (2 + _MOMENTS.get(optimizer, 0)) * _BYTES, batch_size * row * _BYTES
    name = grows_with if fixed >= moving else "batch_size"
    batches = f" and {batch_size:,} rows in a batch" if moving else ""
    need_memory(
        fixed + moving,
        f"{name}: training {model!r} with {weights:,} weights{batches}",
        "Choose a smaller network or batch.",
    )


def count_weights(make: Callable[[], nn.Module], *, buffers: bool = False) -> int:
    """How many weights the network has that `make` builds; tied ones count once.

    With `buffers` the numbers that are saved beside them count too, such as the means of batch norm.

    It is built on torch's meta device, where tensors have a shape and no memory, so that a network too large for the
    machine can be counted and refused.

    >>> count_weights(lambda: nn.Linear(10**6, 10**6))
    1000001000000
    """
    try:
        with torch.device("meta"):
            network = make()
    except RuntimeError as error:
        if "overflow" not in str(error):
            raise
        return 2**63  # a tensor of so many numbers that torch has no word for its size
    if not buffers:
        return weights_of(network)
    saved = network.state_dict()
    return weights_of(network) + sum(own.numel() for name, own in network.named_buffers() if name in saved)


def weights_of(network: nn.Module) -> int:
    """How many weights a network has; tied ones count once."""
    return sum(parameter.numel() for parameter in network.parameters())
