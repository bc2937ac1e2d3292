"""What predicts for a fitted estimator: the runtime's predictor, made of the fit's own arrays, kept until it changes.

Predictors hold no torch and change nothing, so that an estimator predicts what its saved folder predicts, bit by bit.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from seqloom_runtime.forward import BODIES, HEADS, MODELS

from .networks import model_of

__all__ = ["has_form", "predictor_of", "runs_without_torch"]


@dataclass(eq=False)
class _Kept:
    """A predictor and what it was made of: the estimator's attributes, and its tensors with how often each changed."""

    attributes: dict[str, Any]
    tensors: list[tuple[torch.Tensor, int]]
    predictor: Any


# Beside the estimators, not in them: what is copied, pickled or compared of an estimator stays as it was.
_kept: weakref.WeakKeyDictionary[Any, _Kept] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def predictor_of(estimator: Any, make: Callable[[], Any], *networks: nn.Module) -> Any:
    """What `make` makes for a fitted estimator; made anew when an attribute of it, or a tensor of `networks`, changes.

    The predictor must not refer to the estimator itself, which would keep it alive.
    """
    attributes = dict(vars(estimator))
    tensors = [(t, t._version) for network in networks for t in (*network.parameters(), *network.buffers())]
    with _lock:
        kept = _kept.get(estimator)
    if kept is None or not _same(kept, attributes, tensors):
        kept = _Kept(attributes, tensors, make())
        with _lock:
            _kept[estimator] = kept
    return kept.predictor


def runs_without_torch(*bodies: str, head: str = "linear") -> bool:
    """Whether the runtime has these bodies and this head: what a user registered it has not, and torch runs it."""
    return head in HEADS and set(bodies) <= set(BODIES)


def has_form(task: str, name: str) -> bool:
    """Whether the runtime has a task's model; it lacks those, and the bodies, that a user registered.

    >>> has_form("text", "gru")
    True
    """
    ours, own = model_of(task, name), MODELS.get(task, {}).get(name)
    return (
        own is not None and (own.body, own.fixed, own.head) == (ours.body, ours.fixed, ours.head) and own.body in BODIES
    )


def _same(kept: _Kept, attributes: dict[str, Any], tensors: list[tuple[torch.Tensor, int]]) -> bool:
    """Whether all is as it was: the same objects, and no tensor written to since."""
    before, now = kept.attributes, attributes
    if before.keys() != now.keys() or len(kept.tensors) != len(tensors):
        return False
    if any(value is not now[name] for name, value in before.items()):
        return False
    return all(a is b and one == other for (a, one), (b, other) in zip(kept.tensors, tensors))
