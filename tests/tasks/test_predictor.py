"""What predicts for an estimator is made once, and anew when the fit, a parameter or a weight changes."""

from __future__ import annotations

import gc
import weakref

import torch
from torch import nn

from seqloom.tasks.predictor import predictor_of


class Estimator:
    """An estimator with a parameter and a network."""

    def __init__(self) -> None:
        self.units, self.learned_ = 3, nn.Linear(2, 1)


def test_it_is_kept_until_something_changes() -> None:
    estimator, made = Estimator(), []

    def predictor() -> object:
        def make() -> object:
            made.append(object())
            return made[-1]

        return predictor_of(estimator, make, estimator.learned_)

    first = predictor()
    assert predictor() is first
    with torch.no_grad():
        estimator.learned_.weight.mul_(2)
    assert predictor() is made[1] is not first
    estimator.units = 4
    assert predictor() is made[2]
    estimator.learned_ = nn.Linear(2, 1)
    assert predictor() is made[3] is predictor()


def test_it_keeps_no_estimator_alive() -> None:
    estimator = Estimator()
    predictor_of(estimator, object, estimator.learned_)
    gone = weakref.ref(estimator)
    del estimator
    gc.collect()
    assert gone() is None
