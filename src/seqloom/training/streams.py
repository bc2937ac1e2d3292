"""The random streams that a module draws from while it trains: held for the run, saved, and put back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from seqloom.training.seeds import derive_seed

__all__ = ["Streams"]


class Streams:
    """Torch's global streams of the devices in use, and every `torch.Generator` named `generator` on any submodule."""

    def __init__(self, module: nn.Module):
        """Find the generators; one that several submodules share is listed once."""
        self._global: dict[str, torch.Generator] = {"torch": torch.default_generator}
        # Sorted, so that the names in a checkpoint come in one order.
        for device in sorted({p.device.index or 0 for p in module.parameters() if p.device.type == "cuda"}):
            self._global[f"cuda{device}"] = torch.cuda.default_generators[device]
        self._own: dict[str, torch.Generator] = {}
        for name, part in module.named_modules():
            # The name that dropout and noise layers of seqloom.nn use; a module of a user joins by using it too.
            generator = getattr(part, "generator", None)
            # By identity: generators with equal states are still two streams.
            known = [*self._global.values(), *self._own.values()]
            if isinstance(generator, torch.Generator) and not any(generator is other for other in known):
                self._own[f"module.{name}"] = generator

    @contextlib.contextmanager
    def held(self, seed: int, rank: int) -> Iterator[None]:
        """Seed the global streams for a run, and give the caller's back at the end.

        The module's own generators go on from where they are; on ranks above 0 they are seeded anew, so that rows on
        different ranks don't share their dropout masks.
        """
        before = {name: generator.get_state() for name, generator in self._global.items()}
        who = f"rank {rank}"
        for name, generator in self._global.items():
            generator.manual_seed(derive_seed(seed, name, who))
        if rank:
            for name, generator in self._own.items():
                generator.manual_seed(derive_seed(seed, name, str(generator.initial_seed()), who))
        try:
            yield
        finally:
            for name, generator in self._global.items():
                generator.set_state(before[name])

    def state(self) -> dict[str, Tensor]:
        """The state of every stream, uint8."""
        return {name: generator.get_state() for name, generator in (self._global | self._own).items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from `state`; raises KeyError where a stream is missing, RuntimeError where it isn't a state."""
        for name, generator in (self._global | self._own).items():
            generator.set_state(state[name])
