"""Dropout masks and seeds drawn from a `torch.Generator`, in a way that `torch.compile` and `torch.export` can follow.

A compiled graph can hold no generator. It holds the operators `seqloom::draw_mask` and `seqloom::draw_seed` with the
generator's number instead, and both write to one counter, so that no draw is left out, merged with another or moved
before it: a compiled module draws what it draws without compilation.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakValueDictionary

import torch
from torch import Generator, Tensor

from seqloom.ops.operators import refuse_frozen_draws
from seqloom_runtime.errors import BackendError, SettingError

__all__ = ["draw_mask", "draw_seed", "remember"]

# Weak, as this table must not keep a generator for as long as the program runs.
_known: WeakValueDictionary[int, Generator] = WeakValueDictionary()
_turn = torch.zeros((), dtype=torch.int64)  # what keeps draws in order; its value means nothing


def _refuse_second_draw() -> None:
    """Raise inside a backward pass: what runs there again (torch.utils.checkpoint) would draw other numbers.

    Checkpointing restores torch's global generator only, and a layer draws from its own.
    """
    # The number of the running backward pass, −1 outside of one.
    if torch._C._current_graph_task_id() >= 0:
        raise BackendError(
            "dropout can't be drawn again in a backward pass, as torch.utils.checkpoint does: it would drop other "
            "numbers than the forward pass did. Checkpoint layers without dropout, or those of seqloom.nn.compat."
        )


def remember(generator: Generator) -> Generator:
    """Make a generator known to compiled graphs for as long as it lives; returns it."""
    _known[id(generator)] = generator
    return generator


def draw_mask(generator: Generator, shape: Sequence[int], probability: float, like: Tensor) -> Tensor:
    """Return a dropout mask: 0 with the probability, else 1/(1 − probability); dtype and device as `like`."""
    if torch.compiler.is_compiling():
        drawn = torch.ops.seqloom.draw_mask(_turn, id(generator), list(shape), 1.0 - probability)
    else:
        refuse_frozen_draws("Dropout")
        _refuse_second_draw()
        drawn = _mask(generator, shape, 1.0 - probability)
    return drawn.to(device=like.device, dtype=like.dtype)


def draw_seed(generator: Generator) -> int | Tensor:
    """Return a random whole number from 0 to 2⁶³ − 2; in a graph that is being compiled as a tensor of no axes."""
    if torch.compiler.is_compiling():
        return torch.ops.seqloom.draw_seed(_turn, id(generator))
    _refuse_second_draw()
    return int(_seed(generator))


def _mask(generator: Generator, shape: Sequence[int], keep: float) -> Tensor:
    return torch.empty(tuple(shape), device=generator.device).bernoulli_(keep, generator=generator).div_(keep)


def _seed(generator: Generator) -> Tensor:
    # The highest bound that randint takes.
    return torch.randint(2**63 - 1, (1,), generator=generator, device=generator.device)


def _find(number: int) -> Generator:
    if number not in _known:
        raise SettingError(
            "a compiled module draws from a generator that is gone. Keep the module that was compiled, or compile it "
            "again."
        )
    return _known[number]


def _mask_op(turn: Tensor, generator: int, shape: Sequence[int], keep: float) -> Tensor:
    _refuse_second_draw()
    turn.add_(1)
    # On the CPU, as the fake kernels below promise; `draw_mask` moves it.
    return _mask(_find(generator), shape, keep).cpu()


def _seed_op(turn: Tensor, generator: int) -> Tensor:
    _refuse_second_draw()
    turn.add_(1)
    return _seed(_find(generator)).reshape(()).cpu()


def _register() -> torch.library.Library:
    """Define both operators; the library lives as long as this module."""
    library = torch.library.Library("seqloom", "FRAGMENT")
    # (a!): `turn` is written to, so a compiler may neither drop, merge nor reorder the draws.
    library.define("draw_mask(Tensor(a!) turn, int generator, SymInt[] shape, float keep) -> Tensor")
    library.define("draw_seed(Tensor(a!) turn, int generator) -> Tensor")
    library.impl("draw_mask", _mask_op, "CPU")
    library.impl("draw_seed", _seed_op, "CPU")
    torch.library.register_fake(
        "seqloom::draw_mask", lambda turn, generator, shape, keep: torch.empty(shape), lib=library
    )
    torch.library.register_fake(
        "seqloom::draw_seed", lambda turn, generator: torch.empty((), dtype=torch.int64), lib=library
    )
    return library


_library = _register()
