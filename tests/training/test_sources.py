"""Batches: every pass complete, resumable anywhere, and wrong counts said."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import torch
from small_runs import Endless, list_of_batches
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from seqloom.errors import DataError, SettingError
from seqloom.training import FitSettings
from seqloom.training.sources import Source, make_source


class NoLength:
    """A re-iterable without len()."""

    def __init__(self, items: list[Any]):
        self.items = items

    def __iter__(self) -> Any:
        return iter(self.items)


def loader(kind: str) -> Any:
    numbers = TensorDataset(torch.arange(11))
    if kind == "list":
        return list(torch.arange(11).split(3))
    if kind == "shuffled by torch's stream":
        return DataLoader(numbers, batch_size=3, shuffle=True)
    if kind == "shuffled by a generator":
        return DataLoader(numbers, batch_size=3, shuffle=True, generator=torch.Generator().manual_seed(4))
    return NoLength(list(torch.arange(11).split(3)))


def flat(batches: list[Any]) -> list[list[int]]:
    return [(b[0] if isinstance(b, (list, tuple)) else b).tolist() for b in batches]


KINDS = ["list", "shuffled by torch's stream", "shuffled by a generator", "no length"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("taken", [0, 1, 3, 4])
def test_a_pass_goes_on_where_it_was(kind: str, taken: int) -> None:
    source = make_source(loader(kind), FitSettings(seed=1))
    whole = [flat(list(source.epoch(number, 0))) for number in (1, 2, 3)]
    assert all(sorted(itertools.chain(*epoch)) == list(range(11)) for epoch in whole)
    if "shuffled" in kind:
        assert whole[0] != whole[1] != whole[2]
    source = make_source(loader(kind), FitSettings(seed=1))
    list(source.epoch(1, 0))
    running = source.epoch(2, 0)
    begun = flat(list(itertools.islice(running, taken)))
    values, tensors = source.state()
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    resumed = make_source(loader(kind), FitSettings(seed=1))
    torch.rand(7)  # the global stream is somewhere else now
    resumed.restore(json.loads(json.dumps(values)), tensors)
    assert begun + flat(list(resumed.epoch(2, taken))) == whole[1]
    assert flat(list(resumed.epoch(3, 0))) == whole[2]


def test_a_pass_leaves_the_global_stream_alone() -> None:
    source = make_source(loader(KINDS[1]), FitSettings())
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    list(source.epoch(1, 0))
    assert torch.equal(torch.rand(4), expected)


def test_an_endless_iterator_goes_on_where_it_was() -> None:
    source = make_source(Endless(), FitSettings(steps_per_epoch=5))
    whole = [b[0] for b in source.epoch(1, 0)] + [b[0] for b in source.epoch(2, 0)]
    assert len(whole) == 10
    source = make_source(Endless(), FitSettings(steps_per_epoch=5))
    begun = [b[0] for b in itertools.islice(source.epoch(1, 0), 3)]
    values, tensors = source.state()
    resumed = make_source(Endless(), FitSettings(steps_per_epoch=5))
    resumed.restore(json.loads(json.dumps(values)), tensors)
    again = begun + [b[0] for b in resumed.epoch(1, 3)] + [b[0] for b in resumed.epoch(2, 0)]
    assert all(torch.equal(one, other) for one, other in zip(whole, again, strict=True))


class Stream(IterableDataset):
    """Its DataLoader has a `__len__` that raises."""

    def __iter__(self) -> Any:
        return iter(torch.arange(6.0))


def test_lengths() -> None:
    assert make_source(list_of_batches(), FitSettings()).steps == 9
    assert make_source(NoLength([1]), FitSettings()).steps is None
    assert make_source(NoLength([1]), FitSettings(steps_per_epoch=4)).steps == 4
    assert make_source(DataLoader(Stream(), batch_size=2), FitSettings()).steps is None


def refused(batches: Any, words: str, **settings: Any) -> None:
    with pytest.raises(SettingError, match=words):
        make_source(batches, FitSettings(**settings))


def test_batches_that_can_not_work_are_refused() -> None:
    refused((n for n in range(3)), "generator that can be read only once")
    refused(iter([1, 2]), "list_iterator that can be read only once")
    refused(7, "expected an iterable of batches .*, got int")
    refused([1, 2, 3], "steps_per_epoch is 2, but batches has 3", steps_per_epoch=2)
    refused(Endless(), "steps_per_epoch: expected a number")


def wrong_count(batches: Any, words: str, *, taken: int = 0, **settings: Any) -> None:
    source: Source = make_source(batches, FitSettings(**settings))
    with pytest.raises(DataError, match=words):
        list(source.epoch(4, taken))


def test_wrong_counts_are_said() -> None:
    wrong_count([], "batches gave no batches in epoch 4, expected at least 1")
    wrong_count(NoLength([1, 2]), "batches gave 2 batches in epoch 4, expected 3", steps_per_epoch=3)
    wrong_count(NoLength([1, 2]), "more than the 1 batches that steps_per_epoch says in epoch 4", steps_per_epoch=1)
    ending = Endless()
    ending.__class__ = type("Ending", (Endless,), {"__next__": lambda self: _three(self)})
    wrong_count(ending, r"batches ended in epoch 4 after 3 of 5 batches", steps_per_epoch=5)


def _three(self: Endless) -> int:
    if self.position == 3:
        raise StopIteration
    self.position += 1
    return self.position


def test_a_state_that_json_can_not_hold_is_refused() -> None:
    endless = Endless()
    endless.state = lambda: {"position": torch.zeros(1)}  # type: ignore[method-assign, return-value]
    with pytest.raises(SettingError, match=r"batches.state\(\) must return JSON values"):
        make_source(endless, FitSettings(steps_per_epoch=1)).state()
