"""Where batches come from: an iterator that knows its position, or anything that can be iterated anew each epoch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from seqloom.training.seeds import derive_seed
from seqloom.training.settings import FitSettings
from seqloom_runtime.errors import DataError, SettingError

__all__ = ["PassSource", "Source", "StatefulSource", "make_source"]


class StatefulSource:
    """An endless iterator with `state()` and `restore()`; an epoch is `steps` of its batches."""

    def __init__(self, batches: Any, steps: int):
        """Read `steps` batches in each epoch."""
        self._batches = batches
        self.steps: int | None = steps

    def epoch(self, number: int, taken: int) -> Iterator[Any]:
        """The batches of epoch `number` after the first `taken`; raises DataError where they end too soon."""
        assert self.steps is not None
        for index in range(taken, self.steps):
            try:
                yield next(self._batches)
            except StopIteration:
                raise DataError(
                    f"batches ended in epoch {number} after {index} of {self.steps} batches; an iterator with "
                    "state() must go on without end, or steps_per_epoch must be smaller."
                ) from None

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The iterator's own state as JSON values; no tensors."""
        state = self._batches.state()
        try:
            # The round trip finds what JSON cannot hold now, at the first save, and not when the run is resumed.
            return {"state": json.loads(json.dumps(state, allow_nan=False))}, {}
        except (TypeError, ValueError) as error:
            raise SettingError(f"batches.state() must return JSON values, not {state!r} ({error}).") from None

    def restore(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        self._batches.restore(values["state"])


class PassSource:
    """A re-iterable; an epoch is one pass.

    What the pass draws from torch's global stream (the order of a shuffling DataLoader, for one) comes from a stream
    of its own, so that it doesn't depend on what the module draws; a `generator` attribute, as DataLoader has, is
    saved too. To go on within an epoch the pass is started again from the same streams and the batches already taken
    are skipped.
    """

    def __init__(self, batches: Any, settings: FitSettings):
        """Check the length where there is one; raises SettingError where it can't be read again or doesn't fit."""
        # A generator is empty in the second epoch; training on would silently stop after the first.
        if hasattr(type(batches), "__next__"):
            raise SettingError(
                f"batches is a {type(batches).__name__} that can be read only once: give a list, a DataLoader or "
                "another iterable that starts anew for each epoch, or an iterator with state() and restore()."
            )
        self._batches = batches
        length = _length(batches)
        if length is not None and settings.steps_per_epoch not in (None, length):
            raise SettingError(
                f"steps_per_epoch is {settings.steps_per_epoch}, but batches has {length}: set it to that or to None."
            )
        self._expected = settings.steps_per_epoch
        self.steps: int | None = settings.steps_per_epoch or length
        generator = getattr(batches, "generator", None)
        self._generator = generator if isinstance(generator, torch.Generator) else None
        # Of its own: otherwise switching dropout on would change the order of the batches, and two runs could not be
        # compared.
        self._stream = torch.Generator().manual_seed(derive_seed(settings.seed, "batches")).get_state()
        self._start: dict[str, Tensor] | None = None  # the streams at the start of the pass, while one is under way

    def epoch(self, number: int, taken: int) -> Iterator[Any]:
        """The batches of epoch `number` after the first `taken`; raises DataError where the count is wrong."""
        if taken and self._start is not None:
            self._set(self._start)
        else:
            self._start = self._now()
        # A DataLoader draws a seed when its iterator is made, and the seed of its order at the first batch.
        iterator = self._apart(lambda: iter(self._batches))
        count = 0
        while True:
            try:
                batch = self._apart(lambda: next(iterator))
            except StopIteration:
                break
            # Checked before the batch is given out: a step too many would have moved the weights.
            if count == self._expected:
                raise DataError(
                    f"batches gave more than the {self._expected} batches that steps_per_epoch says in epoch "
                    f"{number}; set steps_per_epoch=None for whole passes, or give an iterator with state() "
                    "and restore()."
                )
            count += 1
            # Batches that were trained on are read again, not skipped by index: only reading moves the streams along.
            if count > taken:
                yield batch
        if count < max(taken, self._expected or 1):
            expected = f"{self._expected}" if self._expected else f"at least {max(taken, 1)}"
            raise DataError(f"batches gave {count or 'no'} batches in epoch {number}, expected {expected}.")
        self._start = None

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """No JSON values; the streams at the start of the pass under way, or as they are between two."""
        return {}, self._now() if self._start is None else self._start

    def restore(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        torch.Generator().set_state(tensors["stream"])  # raises for what is no stream, now and not at the first batch
        self._start = dict(tensors)
        self._set(self._start)

    def _now(self) -> dict[str, Tensor]:
        own = {} if self._generator is None else {"generator": self._generator.get_state()}
        return {"stream": self._stream, **own}

    def _set(self, state: Mapping[str, Tensor]) -> None:
        self._stream = state["stream"]
        if self._generator is not None:
            self._generator.set_state(state["generator"])

    def _apart(self, work: Any) -> Any:
        """Do `work` with the pass's stream as torch's global one."""
        outer = torch.get_rng_state()
        torch.set_rng_state(self._stream)
        try:
            return work()
        finally:
            self._stream = torch.get_rng_state()
            torch.set_rng_state(outer)


Source = StatefulSource | PassSource


def make_source(batches: Any, settings: FitSettings) -> Source:
    """Tell the two kinds of batches apart; raises SettingError for anything else."""
    if all(callable(getattr(batches, name, None)) for name in ("__next__", "state", "restore")):
        steps = settings.steps_per_epoch or _length(batches)
        if not steps:
            raise SettingError(
                "steps_per_epoch: expected a number of batches where batches is an iterator without end, got None."
            )
        return StatefulSource(batches, steps)
    if not hasattr(type(batches), "__iter__") and not hasattr(type(batches), "__getitem__"):
        raise SettingError(
            "batches: expected an iterable of batches or an iterator with state() and restore(), got "
            f"{type(batches).__name__}."
        )
    return PassSource(batches, settings)


def _length(batches: Any) -> int | None:
    """len(batches), or None where it has none (a DataLoader over an IterableDataset has the method, and it raises)."""
    try:
        return len(batches)
    except TypeError:
        return None
